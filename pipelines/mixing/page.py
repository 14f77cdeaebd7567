"""What `tuneworks mix` prints: what each source gave to the mixture, and why."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tuneworks.pipelines.mixing.mixture import Given
from tuneworks.pipelines.mixing.options import Mix

SHORT = 0.95
"""Of a share that is wanted, what must be there so that nothing is said: tokens are met by whole records."""


def mixture(console: Console, options: Mix, sources: Sequence[Given], explain: bool) -> None:
    _table(console, options, sources)
    total = sum(one.records for one in sources)
    tokens = f", {sum(one.amount for one in sources):,} tokens" if options.by == "tokens" else ""
    console.print(f"\n{total:,} records in the mixture{tokens}.", highlight=False)
    if explain:
        for one in sources:
            console.print(f"\n[bold]{one.source}[/bold]", highlight=False)
            for line in explained(one, options):
                console.print(f"  {line}", highlight=False, markup=False)


def _table(console: Console, options: Mix, sources: Sequence[Given]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    phased = any(one.phase for one in sources)
    for name in ("phase", "source") if phased else ("source",):
        table.add_column(name)
    unit = () if options.by == "records" else ("tokens",)
    for name in ("records", *unit, "counts as", "rate", "quota", "gives", "epochs"):
        table.add_column(name, justify="right")
    for one in sources:
        held = [f"{one.held:,}", *([f"{one.counts:,}"] if unit else [])]
        rate = f"{one.rate:.1%}" + (" fixed" if one.fixed else "")
        given = [f"{one.weighs:,.0f}", rate, f"{one.quota:,}", f"{one.records:,}", f"{one.epochs:.2f}"]
        table.add_row(*([one.phase or ""] if phased else []), one.source, *held, *given)
    console.print(table)


def explained(one: Given, options: Mix) -> list[str]:
    """The rule, step by step, with the numbers of one source."""
    return [
        *_held(one, options),
        *([f"its share is fixed at {one.rate:.1%} of the mixture"] if one.fixed else _rate(one, options)),
        *_quota(one, options),
    ]


def _held(one: Given, options: Mix) -> list[str]:
    limits = ", ".join(options.most)
    thinned = f", of which the limits on {limits} leave out {one.thinned:,}" if one.thinned else ""
    tokens = f", {one.counts:,} tokens" if options.by == "tokens" else ""
    return [f"it has {one.held:,} records{thinned}{tokens}"]


def _rate(one: Given, options: Mix) -> list[str]:
    scaled = options.scale * one.counts
    scale = "" if options.scale == 1 else f"{options.scale:g} x {one.counts:,} = {scaled:,.0f}"
    capped = f"capped at {options.cap:,}" if options.cap is not None and scaled > options.cap else ""
    counts = ", ".join(part for part in (scale, capped) if part)
    root = "" if options.temperature == 1 else f", {one.weighs:,.0f} ** (1/{options.temperature:g})"
    among = " of its phase" if one.phase else ""
    return [
        *([f"it counts as {one.weighs:,.0f}: {counts}"] if counts else []),
        f"its rate is {one.rate:.1%}{among}: its share of the sum over all sources{root}",
    ]


def _quota(one: Given, options: Mix) -> list[str]:
    unit = options.by
    lines = [f"its quota is {one.quota:,} {unit}: its rate of the whole, in whole numbers by the largest remainder"]
    if one.counts and one.quota >= one.counts * options.repeat:
        often = "once" if options.repeat == 1 else f"{options.repeat} times"
        lines.append(f"it gives all it has, {often}; what it lacks, the others give by their rates")
    elif options.by == "tokens" and one.amount != one.quota:
        lines.append(f"whole records come nearest with {one.amount:,} tokens")
    if one.formats:
        lines.append("by format: " + ", ".join(f"{count:,} {name}" for name, count in one.formats.items()))
        lines += [
            f"{share:.0%} of {form} was wanted; it has no more than {one.formats.get(form, 0):,} to give"
            for form, share in options.formats.items()
            if one.formats.get(form, 0) < SHORT * share * one.records
        ]
    lines.append(f"it is gone through {one.epochs:.2f} times: {one.records:,} records")
    return lines
