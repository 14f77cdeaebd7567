"""The funnel: step by step what came in, what stayed, and why the rest went."""

from dataclasses import dataclass
from itertools import groupby

import polars as pl

from tuneworks.pipelines.reading import Made, survivals
from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.report.html import Html, counted, el, joined, meter, note, section, table
from tuneworks.pipelines.report.reasons import told
from tuneworks.pipelines.stages import RECORDS, REJECTED

SHOWN = 3
"""Reasons that stand under a step; the others are folded away."""

KINDS = {"kept": "kept", "new": "new in this step", "gone": "rejected", "used": "used up"}

PARTS = ("record", "answer", "reply")


@dataclass(frozen=True, slots=True)
class Flow:
    """What went through one step: records taken pass, are rejected or used up; new ones stay or are rejected."""

    step: Made
    new: int
    """Records that the step gave and did not take; all of a source's."""
    new_rejected: int
    """Records that it made itself and rejected."""

    @property
    def passed(self) -> int:
        return self.step.counts.kept - self.new

    @property
    def used(self) -> int:
        """Records taken that neither went on nor were rejected: examples, and what new ones were made of."""
        if not self.step.takes:
            return 0
        return max(0, self.step.counts.taken - self.passed - (self.step.counts.rejected - self.new_rejected))

    @property
    def parts(self) -> list[tuple[int, str]]:
        """What the bar of the step is made of, with its classes."""
        return [(self.passed, "kept"), (self.new, "new"), (self.step.counts.rejected, "gone"), (self.used, "used")]


def flows(run: Contents) -> list[Flow]:
    return [Flow(step, *_new(step)) for step in run.steps]


def _new(step: Made) -> tuple[int, int]:
    """How many records that a step did not take it kept, and how many it rejected."""
    if not step.takes:
        return step.counts.kept, step.counts.rejected
    before = pl.concat([pl.scan_parquet(folder / RECORDS).select("id") for folder in step.takes])
    gone = pl.scan_parquet(step.folder / REJECTED).filter(pl.col("part") == "record")
    kept, rejected = (
        int(rows.join(before, on="id", how="anti").select(pl.len()).collect().item())
        for rows in (pl.scan_parquet(step.folder / RECORDS).select("id"), gone.select("id"))
    )
    return kept, rejected


def funnel(run: Contents, gone: pl.DataFrame) -> Html:
    through = flows(run)
    if not through:
        return section("funnel", "What stayed, step by step", note("No step is made yet."))
    widest = max(max(sum(number for number, _ in flow.parts) for flow in through), 1)
    groups: list[Html | None] = [
        joined(el("h3", _group_title(name)), el("ol", *(_step(flow, widest, gone) for flow in of), class_="steps"))
        for name, of in ((name, list(some)) for name, some in groupby(through, _group))
    ]
    groups += [_operators(step) for step in run.steps]
    return section("funnel", "What stayed, step by step", _sentence(run, through), _legend(through), *groups)


def _group(flow: Flow) -> str:
    return flow.step.title.partition(".")[0] if "." in flow.step.title and not _again(flow.step.title) else ""


def _again(title: str) -> bool:
    """Whether the dot is of a number: "rules.2" is the second step of that kind over the mixture."""
    return title.partition(".")[2].isdigit()


def _group_title(name: str) -> str:
    return f"Source {name}" if name else "All sources together"


def _sentence(run: Contents, through: list[Flow]) -> Html:
    read = sum(flow.new + flow.new_rejected for flow in through if not flow.step.takes)
    made = sum(flow.new + flow.new_rejected for flow in through if flow.step.takes)
    went = sum(flow.step.counts.rejected for flow in through)
    used = sum(flow.used for flow in through)
    left = sum(step.counts.kept for step in run.ends)
    parts = [f"The sources gave {counted(read, 'record')}"]
    if made:
        parts.append(f", steps made {made:,} more")
    if used:
        parts.append(f", {used:,} served as examples or were replaced by what was made of them")
    parts.append(f", and filters and checks rejected {went:,}. ")
    are = "is" if left == 1 else "are"
    more = " so far" if run.missing else ""
    return el("p", "".join(parts), el("strong", f"{counted(left, 'record')} {are} left{more}."))


def _legend(through: list[Flow]) -> Html:
    drawn = {kind for flow in through for number, kind in flow.parts if number}
    entries = [el("li", el("span", class_=f"swatch {kind}"), name) for kind, name in KINDS.items() if kind in drawn]
    return el("ul", *entries, class_="legend")


def _step(flow: Flow, widest: int, gone: pl.DataFrame) -> Html:
    counts, title = flow.step.counts, flow.step.title
    kind = title if _again(title) else title.partition(".")[2] or title
    facts = [f"{counts.kept:,} left"]
    if flow.new and flow.step.takes:
        facts.append(f"{flow.new:,} new" if flow.passed else "all new")
    if counts.rejected:
        facts.append(f"{counts.rejected:,} rejected")
    if flow.used:
        facts.append(f"{flow.used:,} used up")
    bar = meter(*((number / widest, part) for number, part in flow.parts if number))
    head = el("div", el("span", kind, class_="kind"), el("span", ", ".join(facts), class_="facts"), class_="step-head")
    return el("li", head, bar, _reasons(gone.filter(pl.col("folder") == flow.step.folder.name)))


def _reasons(gone: pl.DataFrame) -> Html | None:
    """The reasons of a step, those for records first, the most frequent first."""
    rows = sorted(told(gone), key=lambda row: PARTS.index(row[0]))
    if not rows:
        return None
    lines = [_reason(part, reason, n) for part, reason, n in rows]
    more = el("details", el("summary", counted(len(lines) - SHOWN, "more reason")), el("ul", *lines[SHOWN:]))
    return el("div", el("ul", *lines[:SHOWN]), more if len(lines) > SHOWN else None, class_="reasons")


def _reason(part: str, reason: str, number: int) -> Html:
    many = {"answer": "answers", "reply": "replies"}
    return el("li", el("b", f"{number:,}" if part == "record" else counted(number, part, many[part])), f" {reason}")


def _operators(step: Made) -> Html | None:
    """How many texts of each operator and round stayed."""
    made = survivals(step)
    if not made:
        return None
    names = list(dict.fromkeys(row.operator for row in made))
    rounds = sorted({row.round for row in made})
    of = {(row.operator, row.round): row for row in made}

    def cell(name: str, number: int) -> str:
        row = of.get((name, number))
        return f"{row.kept:,} of {row.made:,} ({row.kept / row.made:.0%})" if row else ""

    rows = [(name, *(cell(name, number) for number in rounds)) for name in names]
    caption = f"What the operators of {step.title} made, and how much of it stayed"
    return table(("operator", *(f"round {number}" for number in rounds)), rows, caption)
