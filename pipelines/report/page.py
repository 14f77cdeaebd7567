"""The page: one file that asks for nothing else, with its style and script inside."""

import base64
import hashlib
from pathlib import Path

from tuneworks.pipelines.report.contents import Contents, gone
from tuneworks.pipelines.report.costs import costs, journal_of
from tuneworks.pipelines.report.distributions import distributions
from tuneworks.pipelines.report.features import features
from tuneworks.pipelines.report.funnel import funnel
from tuneworks.pipelines.report.head import dataset, head
from tuneworks.pipelines.report.html import Html, el, joined
from tuneworks.pipelines.report.map import atlas
from tuneworks.pipelines.report.samples import preferences, samples
from tuneworks.pipelines.report.sources import sources
from tuneworks.pipelines.report.trees import trees
from tuneworks.pipelines.report.wheel import wheel

STYLE, SCRIPT = Path(__file__).with_name("report.css"), Path(__file__).with_name("report.js")


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
    script = SCRIPT.read_text(encoding="utf-8")
    first = joined(
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{run.name}: report of a run"),
        el("link", rel="icon", href="data:,"),
        el("style", Html(STYLE.read_text(encoding="utf-8"))),
    )
    whole = el("html", el("head", first), el("body", body, el("script", Html(script))), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _policy(script: str) -> str:
    """Nothing is fetched, and no script runs but ours: whatever a record holds stays text."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
