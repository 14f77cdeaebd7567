"""The card of a dataset: what the Hub shows of it, and all that whoever trains on it should know."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.journal.reading import Paid, summary
from tuneworks.pipelines.audit.findings import Audit
from tuneworks.pipelines.card.counts import Counted, counted_records, quantiles
from tuneworks.pipelines.card.methods import METHODS, cited
from tuneworks.pipelines.card.terms import licence_of, licences, model_of, restrictions
from tuneworks.pipelines.card.weaknesses import asks, weaknesses
from tuneworks.pipelines.dataset.card import front_matter, loading
from tuneworks.pipelines.dataset.pretraining import PRETRAINING
from tuneworks.pipelines.limits import engines_of
from tuneworks.pipelines.mixing.parts import mixture_made
from tuneworks.pipelines.reading import Made, steps_made
from tuneworks.pipelines.recipe import Recipe, Source
from tuneworks.pipelines.report.reasons import folded
from tuneworks.pipelines.report.reasons import told as ranged
from tuneworks.pipelines.stages import RECORDS, REJECTED, Step

Rows = Mapping[str, Mapping[str, int]]

VIEWS = {
    "sft": "the best answer of each record",
    "preference": "a better and a worse answer to the same prompt",
    "quality": "good and bad answers, the quality asked for in the system turn",
    "ranked": "all scored answers, the best first",
    "unpaired": "answers with a label: good or bad",
    "prompts": "prompts alone",
    "steps": "answers step by step, each step right or wrong",
    "pretraining": "plain text to train on beside the rows",
}

NO_RESTRICTIONS = "None of its sources or models is known to restrict what may be done with it."

SHORT = 0.95
"""Of the plain text that is wanted, what must be there so that nothing is said."""

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))


@dataclass(frozen=True, slots=True)
class Told:
    """What a card is written from."""

    recipe: Recipe
    steps: Sequence[Step]
    run: Path
    """The run's folder, whole up to its dataset."""
    journal: Path
    audit: Audit | None


def card(told: Told, rows: Rows, facts: Mapping[str, Any]) -> str:
    recipe = told.recipe
    counted = counted_records(told.run / told.steps[-1].folder / RECORDS)
    parts = [
        f"# {recipe.name}",
        _first_words(recipe),
        loading(rows),
        "\n\n".join([_rows(rows), *_beside(facts)]),
        _section("How it was made", _made(told)),
        _section("Where it came from", _sources(told)),
        _section("What it is like", _like(counted, told.audit)),
        _section("Known weaknesses", _list(weaknesses(recipe, told.audit, rows))),
        _section("Restrictions", _list(restrictions(recipe)) or NO_RESTRICTIONS),
        _section("Citations", "\n".join(_citations(recipe)) or "It was made by no published method."),
    ]
    return front_matter(rows, **_front(recipe, counted, rows)) + "\n" + "\n\n".join(parts) + "\n"


def _front(recipe: Recipe, counted: Counted, rows: Rows) -> dict[str, object]:
    total = max((sum(counts.values()) for counts in rows.values()), default=0)
    held = licences(recipe)
    return {
        "pretty_name": recipe.name,
        "language": list(counted.languages),
        "license": held[0] if len(held) == 1 else held,
        "size_categories": [next((name for most, name in SIZES if total < most), "n>10M")],
        "task_categories": ["text-generation"],
        "tags": ["tuneworks", *(["synthetic"] if asks(recipe) else []), *rows],
    }


def _first_words(recipe: Recipe) -> str:
    models = ", ".join(dict.fromkeys(f"`{model_of(engine)}`" for engine in engines_of(recipe)))
    asked = f" The model asked was {models}." if asks(recipe) else ""
    return f"Made with Tuneworks, seed {recipe.seed}.{asked} `recipe.yaml` makes it again."


def _rows(rows: Rows) -> str:
    lines = [
        (f"`{name}`", split, f"{count:,}", VIEWS.get(name, ""))
        for name, counts in rows.items()
        for split, count in counts.items()
        if count
    ]
    return _table(("configuration", "split", "rows", "what it is"), lines)


def _beside(facts: Mapping[str, Any]) -> Iterator[str]:
    """What the rows do not show: records left out, and plain text that was wanted and not there."""
    if facts.get("left_out"):
        yield (
            f"{facts['left_out']:,} records are in no split: their prompts show a held-out record as an example, or "
            "they are copies of one."
        )
    texts = facts.get(PRETRAINING)
    if texts:
        share = texts["tokens"] / max(1, texts["tokens"] + texts["beside"])
        short = "" if texts["tokens"] >= SHORT * texts["wanted"] else "; the source has no more"
        yield f"The plain text has {texts['tokens']:,} tokens, {share:.1%} of all that is trained on{short}."


def _made(told: Told) -> str:
    """The steps of the run with what became of the records, and what it cost."""
    lines = []
    ours = {step.folder for step in told.steps}
    for made in steps_made(told.run):
        if made.folder.name in ours:
            counts = made.counts
            figures = [f"{n:,}" for n in (counts.taken, counts.kept, counts.rejected)]
            lines.append((made.title, *figures, _commonest(made) if counts.rejected else ""))
    return _table(("step", "taken", "kept", "rejected", "most often because"), lines) + "\n\n" + _cost(told)


def _commonest(made: Made) -> str:
    """The most common reason why records went, with what its numbers range over."""
    gone = pl.scan_parquet(made.folder / REJECTED).filter(pl.col("part") == "record")
    why = gone.select("part", "reason", folded=folded(pl.col("reason"))).collect()
    return ranged(why)[0][1]


def _cost(told: Told) -> str:
    paid = _paid(told)
    if paid is None:
        return "No model was asked."
    money = f", for {paid.usd:,.2f} USD" if paid.usd else ""
    return f"Models were asked {paid.calls:,} times: {paid.tokens:,} tokens{money}."


def _paid(told: Told) -> Paid | None:
    if not told.journal.is_file():
        return None
    return next((one for one in summary(told.journal).paid if one.run == told.recipe.name), None)


def _sources(told: Told) -> str:
    _, given = mixture_made(told.recipe, told.run)
    gave = {one.source: f"{one.records:,} of {one.held:,} ({one.epochs:.2f} times)" for one in given}
    lines = [
        (f"`{name}`", _origin(source), licence_of(source), gave.get(name, "texts for pretraining"))
        for name, source in told.recipe.sources.items()
    ]
    return _table(("source", "from", "licence", "records in the mixture"), lines)


def _origin(source: Source) -> str:
    if source.hub is not None:
        at = f" at {source.commit[:12]}" if source.commit else ""
        return f"[{source.hub}](https://huggingface.co/datasets/{source.hub}), split {source.split}{at}"
    return f"seeds: {Path(source.seeds).name}" if source.seeds else f"the file {Path(str(source.file)).name}"


def _like(counted: Counted, audit: Audit | None) -> str:
    lines = [(name, *values) for name, values in quantiles(counted.table)]
    parts = [_table(("", "5th percentile", "median", "95th percentile", "largest"), lines)] if lines else []
    if counted.languages:
        shares = ", ".join(f"{code} {share:.0%}" for code, share in counted.languages.items())
        parts.append(f"Languages of the prompts: {shares}.")
    if audit is not None and audit.pairs:
        longer, (low, high) = audit.characters.longer, audit.characters.interval
        parts.append(
            f"Of {audit.pairs:,} preference pairs the chosen answer has more characters in {longer.share:.1%} "
            f"(95% interval {low:.1%} to {high:.1%})."
        )
    return "\n\n".join(parts) or "It holds no records."


def _citations(recipe: Recipe) -> list[str]:
    kinds = [*(stage.kind for stage in recipe.every_stage), *recipe.datasets]
    return cited(dict.fromkeys(kind for kind in kinds if kind in METHODS))


def _section(title: str, content: str) -> str:
    return f"## {title}\n\n{content}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
