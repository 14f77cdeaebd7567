"""What verifying a release found, on one page of the terminal."""

from collections.abc import Sequence

from rich.console import Console

from tuneworks.pipelines.release.verify import Verified

SHOWN = 10


def show(console: Console, verified: Verified) -> None:
    if verified.whole:
        console.print(
            f"{verified.place} is whole: {verified.files:,} files and {verified.rows:,} rows are as its manifest says.",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        return
    console.print(f"{verified.place} is not whole.", markup=False, highlight=False, soft_wrap=True)
    if verified.manifest is not None:
        _listed(console, "manifest", [verified.manifest])
    _listed(console, "missing", verified.missing)
    _listed(console, "changed", verified.changed)
    _listed(console, "not in the manifest", verified.extra)
    _listed(console, "cannot be read", [f"{broken.name}: {broken.why}" for broken in verified.unreadable])
    counts = [
        f"{m.configuration}/{m.split}: {m.held:,} rows, and the manifest says {m.said:,}" for m in verified.miscounted
    ]
    _listed(console, "other row counts", counts)
    console.print("Fetch or build it again, and remove what it does not name.", highlight=False)


def _listed(console: Console, what: str, lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        console.print(f"  {what:<20} {line}", markup=False, highlight=False, soft_wrap=True)
    if len(lines) > SHOWN:
        console.print(f"  {what:<20} and {len(lines) - SHOWN:,} more", markup=False, highlight=False)
