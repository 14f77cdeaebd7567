"""What `tuneworks plan` prints."""

import math
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tuneworks.pipelines.planning import Plan, Range

Said = Callable[[float], str]


def plan(console: Console, made: Plan) -> None:
    """The steps, what the whole run takes in a sentence, and what the pilot was."""
    _steps(console, made)
    console.print()
    console.print(_sentence(made), highlight=False)
    if made.asks:
        console.print(_pilot(made), highlight=False)
    for note in made.notes:
        console.print(note, highlight=False, markup=False)
    console.print("An interval in brackets holds what comes in about 9 of 10 runs.", style="dim", highlight=False)


def _steps(console: Console, made: Plan) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step")
    names = ("records in", "calls", "tokens asked", "tokens answered", "USD", "kept")
    shown = [name for name in names if _shown(name, made)]
    for name in shown:
        table.add_column(name, justify="right")
    for step in made.steps:
        of = step.expected
        asks = {
            "calls": counted(of.calls), "tokens asked": counted(of.prompt_tokens),
            "tokens answered": counted(of.completion_tokens), "USD": money(of.usd),
        }  # fmt: skip
        cells = {"records in": counted(step.taken), "kept": counted(step.kept)}
        cells |= asks if step.asks else dict.fromkeys(asks, "")
        if not step.reached:
            cells = dict.fromkeys(cells, "?")
        table.add_row(step.title, *(_stacked(cells[name]) for name in shown))
    console.print(table)


def _shown(name: str, made: Plan) -> bool:
    if name == "USD":
        return made.total.usd.high > 0
    return made.asks or name in ("records in", "kept")


def _sentence(made: Plan) -> str:
    total, cost = made.total, made.pilot
    parts = [f"{counted(made.rows, ' rows kept')}, from a pilot of {cost.records:,} records"]
    if not made.asks:
        return f"No model is asked: {parts[0]}."
    if total.seconds is not None:
        parts.insert(0, lasting(total.seconds))
    spends = money(total.usd, " USD") if total.usd.high > 0 else counted(total.tokens, " tokens")
    spent = f"{_usd(cost.usd)} USD" if cost.usd else f"{cost.tokens:,} tokens"
    return f"About {', '.join([spends, *parts])} that cost {spent}."


def _pilot(made: Plan) -> str:
    """What is true of the pilot's calls: the run makes some of them again, and those it finds in its journal."""
    cost = made.pilot
    had = f"; {cost.replayed:,} more were in the journal" if cost.replayed else ""
    return (
        f"The pilot asked {cost.calls:,} calls{had}. Their answers are in the run's journal: a call that the run makes "
        "too is not paid again."
    )


def counted(held: Range, what: str = "") -> str:
    return _ranged(held, lambda value: f"{_rounded(value):,}", what)


def money(held: Range, what: str = "") -> str:
    return _ranged(held, _usd, what)


def lasting(held: Range) -> str:
    return _ranged(held, _time)


def _stacked(cell: str) -> str:
    """The middle above its interval, so that a table fits a terminal."""
    return cell.replace(" (", "\n", 1).removesuffix(")")


def _ranged(held: Range, said: Said, what: str = "") -> str:
    low, middle, high = said(held.low), said(held.middle), said(held.high)
    return f"{middle}{what}" if low == high else f"{middle}{what} ({low} to {high})"


def _rounded(value: float) -> int:
    """To three figures, for more are not known."""
    whole = round(value)
    return whole if whole < 1000 else round(whole, 2 - int(math.log10(whole)))


def _usd(value: float) -> str:
    return f"{value:,.2f}" if value >= 0.1 or not value else f"{value:.2g}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
