"""Mixing beside TRL's and instructlab's, on sources of unequal size: how many rows each takes, and which.

All three are asked for the same mixture: rate = min(n, cap) ** (1/temperature), as large as it can be with no row
taken twice. TRL takes shares (`fraction`), instructlab takes row counts (`sampling_size`).

    pip install --no-deps --target .venv-bench-instructlab instructlab-sdg==0.8.3
    python benchmarks/mixing.py --data FOLDER     # of .tsv files: question, answer, reasoning
"""

import argparse
import json
import logging
import sys
import tempfile
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl
from measuring import table

from tuneworks.factory.dice import Dice
from tuneworks.factory.files import rows_of
from tuneworks.pipelines.mixing.drawing import drawn, quotas_of
from tuneworks.pipelines.mixing.facts import AMOUNT
from tuneworks.pipelines.mixing.options import Mix

CAP, TEMPERATURES = 3000, (1, 2, 4)
INSTRUCTLAB = Path(__file__).parent.parent / ".venv-bench-instructlab"

Taken = dict[str, list[int]]
"""For each source the places of the rows that were taken."""


def ours(rows: Mapping[str, int], options: Mix, _: Path) -> Taken:
    facts = {n: pl.DataFrame({AMOUNT: [1] * count}, schema={AMOUNT: pl.UInt32()}) for n, count in rows.items()}
    made = drawn(facts, options, Dice(0, "mix"))
    return {name: one.times.nonzero()[0].tolist() for name, one in made.items()}


def trl(rows: Mapping[str, int], options: Mix, folder: Path) -> Taken:
    from trl import DatasetMixtureConfig, get_dataset
    from trl.scripts.utils import DatasetConfig

    rates = {name: quota.rate for name, quota in quotas_of(rows, options).items()}
    files = [DatasetConfig(path="json", data_files=str(folder / f"{n}.jsonl"), fraction=r) for n, r in rates.items()]
    return _places(rows, get_dataset(DatasetMixtureConfig(datasets=files))["train"]["id"])


def instructlab(rows: Mapping[str, int], options: Mix, folder: Path) -> Taken:
    # The package itself imports its whole pipeline; its mixing needs none of that.
    sdg = types.ModuleType("instructlab.sdg")
    sdg.__path__ = [str(INSTRUCTLAB / "instructlab" / "sdg")]
    sys.modules["instructlab.sdg"] = sdg
    sys.path.insert(0, str(INSTRUCTLAB))
    from instructlab.sdg.datamixing import Recipe

    recipe = Recipe()
    for name, quota in quotas_of(rows, options).items():
        recipe.add_dataset(str(folder / f"{name}.jsonl"), quota.quota)
    return _places(rows, recipe._create_mixed_dataset(num_proc=1)["id"])


def _places(rows: Mapping[str, int], ids: Sequence[str]) -> Taken:
    found: Taken = {name: [] for name in rows}
    for name, _, place in (one.partition(":") for one in ids):
        found[name].append(int(place))
    return found


def written(data: Path, folder: Path) -> dict[str, int]:
    rows = {}
    for path in sorted(data.glob("*.tsv")):
        held = [row for _, row in rows_of(path) if isinstance(row, dict)]
        rows[path.stem] = len(held)
        lines = [
            {"id": f"{path.stem}:{at}", "messages": [{"role": "user", "content": row["question"]}], "metadata": "{}"}
            for at, row in enumerate(held)
        ]
        (folder / f"{path.stem}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return rows


def row_of(side: str, rows: Mapping[str, int], options: Mix, folder: Path) -> tuple[object, ...]:
    """How one side's mixture stands to the rule: its quotas, rows taken twice, rows from the beginning of a source."""
    first, again = (SIDES[side](rows, options, folder) for _ in range(2))
    raised = {name: min(n, CAP) ** (1 / options.temperature) for name, n in rows.items()}
    size = sum(quota.quota for quota in quotas_of(rows, options).values())
    exact = {name: size * value / sum(raised.values()) for name, value in raised.items()}
    off = max(abs(len(first[name]) - exact[name]) for name in rows)
    twice = sum(len(places) - len(set(places)) for places in first.values())
    under = {name: places for name, places in first.items() if len(places) < 0.9 * rows[name]}
    ahead = sum(sum(place < len(places) for place in places) for places in under.values())
    ahead_of_all = f"{ahead / max(1, sum(map(len, under.values()))):.0%}"
    counts = [len(first[name]) for name in rows]
    same = "yes" if first == again else "no"
    temperature = f"{options.temperature:g}"
    return side, temperature, " ".join(map(str, counts)), sum(counts), size, f"{off:.2f}", twice, ahead_of_all, same


SIDES: Mapping[str, Callable[[Mapping[str, int], Mix, Path], Taken]] = {
    "Tuneworks": ours,
    "TRL 1.16.0": trl,
    "instructlab-sdg 0.8.3": instructlab,
}

COLUMNS = (
    *("side", "temperature", "rows taken, by source", "in all", "wanted", "farthest from the formula, rows"),
    *("rows taken twice", "taken from the first rows of a source", "same again"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = written(data, folder)
        ways = [Mix(cap=CAP, temperature=temperature) for temperature in TEMPERATURES]
        lines = [row_of(side, rows, options, folder) for side in SIDES for options in ways]
    held = ", ".join(f"{name} {n:,}" for name, n in rows.items())
    table(f"Mixtures of {held}, cap {CAP:,}", COLUMNS, lines)


if __name__ == "__main__":
    main()
