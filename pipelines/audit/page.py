"""What an audit found, on one page of the terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tuneworks.pipelines.audit.findings import Audit, Finding, Lengths
from tuneworks.pipelines.audit.measures import NEAR
from tuneworks.pipelines.audit.statistics import DOUBT, REPEATED

REASONS_SHOWN = 5


def show(console: Console, audit: Audit) -> None:
    """What was found, as rows; what was looked for and not found, in one line; then the lengths."""
    aside = audit.seen - audit.pairs
    console.print(f"{audit.pairs:,} pairs; {aside:,} more set aside, {audit.unpaired:,} records without a pair.")
    for reason, count in list(audit.aside.items())[:REASONS_SHOWN]:
        console.print(f"  {count:>7,}  {reason}", markup=False, highlight=False)
    rows = list(_findings(audit))
    if any(finding.count for _, finding in rows):
        console.print()
        console.print(_found(rows))
    absent = [what for what, finding in rows if not finding.count]
    if absent:
        console.print(f"\nNot found: {'; '.join(absent)}.", style="dim", highlight=False)
    if audit.pairs:
        console.print()
        console.print(_lengths(audit))
        _margins(console, audit)


def _findings(audit: Audit) -> Iterator[tuple[str, Finding]]:
    yield "the prompts of the two answers differ", audit.differing_prompts
    yield "an answer is empty", audit.empty
    yield "both answers are the same text", audit.identical
    yield "a tie (margin 0, or probability 0.5)", audit.ties
    yield f"answers nearly the same (at least {NEAR:.0%} of the characters)", audit.near_identical
    yield "the prompt was there before", audit.duplicate_prompts
    yield "the whole pair was there before", audit.duplicate_pairs
    yield "another pair says the opposite", audit.contradictory
    yield "the numbers speak against the label", audit.reversed
    yield f"in doubt (probability within {DOUBT:g} of 0.5)", audit.uncertain
    yield "the chosen answer refuses", audit.refusals_chosen
    yield "the rejected answer refuses", audit.refusals_rejected
    yield f"the chosen answer serves {REPEATED} prompts or more", audit.repeated_chosen


def _found(rows: list[tuple[str, Finding]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("found")
    for name in ("pairs", "of all"):
        table.add_column(name, justify="right")
    table.add_column("such as")
    for what, finding in rows:
        if finding.count:
            table.add_row(what, f"{finding.count:,}", f"{finding.share:.2%}", escape(", ".join(finding.examples)))
    return table


def _lengths(audit: Audit) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("by length in")
    for name in ("chosen longer", "95 % interval", "shorter", "equal", "median ratio", "longer wins"):
        table.add_column(name, justify="right")
    table.add_row("characters", *_length(audit.characters))
    table.add_row("words", *_length(audit.words))
    return table


def _length(lengths: Lengths) -> Iterator[str]:
    low, high = lengths.interval
    yield f"{lengths.longer.count:,} ({lengths.longer.share:.1%})"
    yield f"{low:.1%} to {high:.1%}"
    yield f"{lengths.shorter.count:,}"
    yield f"{lengths.equal.count:,}"
    yield _number(lengths.median_ratio)
    yield f"{lengths.accuracy:.1%}"


def _margins(console: Console, audit: Audit) -> None:
    margins = audit.margins
    if not margins.known:
        console.print("\nNo margins are given.", style="dim")
        return
    said = [
        f"Margin known of {margins.known:,} pairs",
        f"median {_number(margins.median)}",
        f"{_number(margins.when_longer)} where the chosen answer is longer",
        f"{_number(margins.when_shorter)} where it is shorter",
        f"Spearman correlation with the difference in characters {_number(audit.characters.spearman)}",
    ]
    console.print(f"\n{'; '.join(said)}.", highlight=False)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
