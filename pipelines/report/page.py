"""The report's page: its parts in their order."""

from pathlib import Path

from tuneworks.pipelines.report.contents import Contents, gone
from tuneworks.pipelines.report.costs import costs, journal_of
from tuneworks.pipelines.report.distributions import distributions
from tuneworks.pipelines.report.document import document
from tuneworks.pipelines.report.features import features
from tuneworks.pipelines.report.funnel import funnel
from tuneworks.pipelines.report.head import dataset, head
from tuneworks.pipelines.report.html import el
from tuneworks.pipelines.report.map import atlas
from tuneworks.pipelines.report.samples import preferences, samples
from tuneworks.pipelines.report.sources import sources
from tuneworks.pipelines.report.trees import trees
from tuneworks.pipelines.report.wheel import wheel

SCRIPT = Path(__file__).with_name("report.js")


def composed(run: Contents) -> str:
    """The whole page. It has no time of its own: the same folder gives the same bytes."""
    held, seen, went = journal_of(run), features(run), gone(run)
    body = el(
        "main",
        head(run, held),
        dataset(run),
        funnel(run, went),
        sources(run, seen),
        distributions(run, seen),
        wheel(seen),
        atlas(run, went),
        trees(run),
        samples(run),
        preferences(run),
        costs(run, held),
    )
    return document(f"{run.name}: report of a run", body, SCRIPT.read_text(encoding="utf-8"))
