"""What `tuneworks prove` prints: one table, and which stage earned its place."""

from rich.console import Console
from rich.table import Table

from tuneworks.pipelines.proving.arms import KEPT, WITHOUT
from tuneworks.pipelines.proving.verdicts import Proof, Told


def show(console: Console, proof: Proof) -> None:
    console.print(_table(proof))
    console.print()
    console.print(
        f"{proof.model}, {proof.seeds} {'seed' if proof.seeds == 1 else 'seeds'}, {proof.tokens:,} tokens each "
        f"in {proof.steps} steps, measured on {proof.held_out} held-out rows. In brackets the 95% interval.",
        highlight=False,
        markup=False,
    )
    for line in _places(proof):
        console.print(line, highlight=False, markup=False)
    for note in proof.notes:
        console.print(note, style="dim", highlight=False, markup=False)


def _table(proof: Proof) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("arm", no_wrap=True)
    for name in ("rows", "tokens", "held-out\nloss"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("against kept", no_wrap=True)
    table.add_column("verdict")
    for line in proof.told:
        table.add_row(
            line.arm.replace(" ", "\n", 1), *_counts(line), f"{line.loss:.4f}", difference(line), verdict(line)
        )
    return table


def _counts(line: Told) -> tuple[str, str]:
    return (f"{line.rows:,}", f"{line.tokens:,}") if line.tokens else ("", "")


def difference(line: Told) -> str:
    """The difference above its interval, so that the table fits a terminal."""
    apart = line.difference
    return "" if apart is None else f"{apart.mean:+.4f}\n({apart.low:+.4f} to {apart.high:+.4f})"


def verdict(line: Told) -> str:
    """In words: what `kept` has and this arm goes without, and what it does."""
    if line.verdict is None:
        return ""
    return line.verdict if line.verdict == "no difference told" else f"{line.on_trial} {line.verdict}"


def _places(proof: Proof) -> list[str]:
    """Which filters earned their place, by the arms that go without one."""
    said = {"helps": "Earned its place", "hurts": "Better without", "no difference told": "No difference told"}
    found = [line for line in proof.told if line.arm != KEPT and line.arm.startswith(f"{WITHOUT} ")]
    lines = []
    for name, words in said.items():
        stages = [line.on_trial for line in found if line.verdict == name]
        if stages:
            lines.append(f"{words}: {', '.join(stages)}.")
    return lines
