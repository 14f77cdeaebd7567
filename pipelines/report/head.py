"""The head of the page: which run this is, what it left, what it took, and what is missing."""

import json
from datetime import datetime

from tuneworks.factory.journal.reading import Summary
from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.report.costs import asked_between, money, span
from tuneworks.pipelines.report.html import Html, counted, el, note, section, table

PARTS = (
    ("funnel", "Funnel"),
    ("sources", "Sources"),
    ("distributions", "Distributions"),
    ("wheel", "What is asked"),
    ("map", "Map"),
    ("trees", "Evolution"),
    ("samples", "Samples"),
    ("pairs", "Pairs"),
    ("cost", "Cost and time"),
)


def head(run: Contents, held: Summary | str) -> Html:
    switch = el("button", "Dark or light", type="button", id="theme", hidden=True)
    links = [el("a", name, href=f"#{place}") for place, name in PARTS]
    return el(
        "header",
        el("p", "Report of a run", switch, class_="over"),
        el("h1", run.name),
        el("p", _about(run), class_="about"),
        _missing(run),
        el("dl", *_figures(run, held), class_="figures"),
        el("nav", *links, aria_label="Parts of the report"),
    )


def _about(run: Contents) -> str:
    between = asked_between(run)
    parts = [f"Made by {engine(run)}" if between else "Made without a model", f"seed {run.seed}"]
    if between:
        first, last = between
        parts.append(f"models were asked {_when(first)} to {_when(last, first)} UTC")
    return ", ".join(parts) + "."


def engine(run: Contents) -> str:
    """The recipe's engine as one line: its kind and model."""
    written = run.written.get("engine")
    if isinstance(written, dict) and written:
        kind, options = next(iter(written.items()))
        model = options.get("model") if isinstance(options, dict) else None
        return f"{kind} {model}" if model else str(kind)
    return str(written or "no engine")


def _when(time: datetime, after: datetime | None = None) -> str:
    same_day = after is not None and time.date() == after.date()
    return f"{time:%H:%M}" if same_day else f"{time:%Y-%m-%d %H:%M}"


def _missing(run: Contents) -> Html | None:
    said = []
    if run.recipe is None:
        said.append("The recipe names something that is not installed here, so steps yet to be made cannot be told.")
    if run.missing:
        said.append(f"Not made yet: {', '.join(run.missing)}.")
    if not run.rows:
        said.append("There is no dataset yet: the build has not come to its end.")
    elif not any(any(splits.values()) for splits in run.rows.values()):
        said.append("The dataset holds no row.")
    return el("div", *(el("p", one) for one in said), class_="warning", role="note") if said else None


def _figures(run: Contents, held: Summary | str) -> list[Html]:
    left = sum(step.counts.kept for step in run.ends)
    rejected = sum(step.counts.rejected for step in run.steps)
    figures = [(f"{left:,}", "records left"), (f"{rejected:,}", "records rejected")]
    figures.append((span(sum(step.counts.seconds for step in run.steps)), "making the data"))
    if isinstance(held, Summary) and held.asked:
        tokens = sum(one.prompt_tokens + one.completion_tokens for one in held.asked)
        figures.append((f"{sum(one.calls for one in held.asked):,}", "model calls"))
        figures.append((_large(tokens), "tokens"))
        if left:
            figures.append((f"{tokens / left:,.0f}", "tokens a record left"))
        if usd := sum(one.usd for one in held.asked):
            figures.append((f"{money(usd)} USD", "paid"))
    return [el("div", el("dt", name), el("dd", number)) for number, name in figures]


def _large(number: int) -> str:
    return f"{number:,}" if number < 1_000_000 else f"{number / 1_000_000:,.1f} M"


def dataset(run: Contents) -> Html:
    if not run.rows:
        return section("dataset", "The dataset", note("There is none yet."))
    splits = sorted({split for rows in run.rows.values() for split in rows}, key=lambda name: (name == "test", name))
    rows = [(name, *(f"{of.get(split, 0):,}" for split in splits)) for name, of in run.rows.items()]
    place = f"runs/{run.folder.resolve().name}/dataset"
    first = next((name for name, of in run.rows.items() if any(of.values())), next(iter(run.rows)))
    split = next((split for split in splits if run.rows[first].get(split)), splits[0] if splits else "train")
    load = f'datasets.load_dataset({json.dumps(place)}, "{first}", split="{split}")'
    total = sum(sum(of.values()) for of in run.rows.values())
    header = ("configuration", *(f"{split} rows" for split in splits))
    return section(
        "dataset", "The dataset", el("p", f"{counted(total, 'row')} in TRL's conversational format."),
        table(header, rows, "Rows by configuration and split"), el("p", "Load one: ", el("code", load)),
    )  # fmt: skip
