"""Millions of rows mixed and split, beside `datasets.interleave_datasets`: seconds and peak memory.

Sources of the same number of rows each are mixed under a cap into a fifth of them, split by a tenth, and written as
Parquet. Tuneworks also notes for every row that is left out why, and keeps near duplicates on one side of the split;
the peer draws rows.

    python benchmarks/mixing_scale.py --rows 1000000
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from measuring import Cost, cost, table

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import SCHEMA
from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines.dataset import write_dataset
from tuneworks.pipelines.mixing.mixture import Part, draw, kept
from tuneworks.pipelines.mixing.options import Mix
from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.pipelines.stages import RECORDS, Step, write_decided

SCORES = pl.List(pl.Struct({"name": pl.String(), "value": pl.Float64()}))
SOURCES, BATCH, WORDS = 5, 100_000, 24
RECIPE = "name: scale\nsources: {a: {seeds: builtin}}\ndatasets: [sft]\nholdout: 0.1\n"


def batches(source: str, rows: int) -> Iterator[pl.DataFrame]:
    """Records of random words of the built-in seeds; one in twenty is a near duplicate of the one before it."""
    words = sorted({word for record in read_seeds("builtin", "") for word in record.prompt_text.split()})
    rng = np.random.default_rng(sum(source.encode()))
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        drawn = rng.integers(0, len(words), (count, WORDS))
        near = np.flatnonzero(rng.random(count) < 0.05)
        drawn[near[near > 0], : WORDS - 2] = drawn[near[near > 0] - 1, : WORDS - 2]
        texts = [" ".join(words[at] for at in row) for row in drawn.tolist()]
        ids = [f"{source}{at:015x}" for at in range(first, first + count)]
        yield (
            pl.DataFrame({"id": ids, "text": texts})
            .select(
                "id",
                source=pl.lit(source),
                prompt=pl.concat_list(pl.struct(role=pl.lit("user"), content="text")),
                answers=pl.concat_list(pl.struct(text="text", by=pl.lit("m"), scores=pl.lit([], dtype=SCORES))),
                parents=pl.lit([], dtype=pl.List(pl.String)),
                meta=pl.lit("{}"),
            )
            .cast(dict(SCHEMA))
        )


def written(folder: Path, rows: int) -> None:
    for name in "abcdefgh"[:SOURCES]:
        parts = folder / f"{name}.parts"
        parts.mkdir(parents=True)
        for at, frame in enumerate(batches(name, rows)):
            frame.write_parquet(parts / f"{at:06d}.parquet")
        pl.scan_parquet(parts).sink_parquet(folder / f"{name}.parquet", row_group_size=10_000)
        shutil.rmtree(parts)


def ours_mixed(folder: Path, rows: int) -> int:
    parts = [Part(path.stem, path) for path in sorted(folder.glob("?.parquet"))]
    made = draw(parts, Mix(cap=rows // SOURCES), Dice(0, "mix"))
    step = Step("mix", "mix", None, (), "", "")
    return write_decided(folder / "mix", step, *kept(parts, made)[:2], 0.0).kept


def ours_split(folder: Path) -> int:
    records = pl.scan_parquet(folder / "mix" / RECORDS)
    rows = write_dataset(records, parse_recipe(RECIPE, "scale.yaml"), folder / "dataset")
    return sum(rows["sft"].values())


def peers(folder: Path, rows: int) -> int:
    from datasets import interleave_datasets, load_dataset

    paths = sorted(folder.glob("?.parquet"))
    loaded = [load_dataset("parquet", data_files=str(p), split="train", cache_dir=str(folder / "cache")) for p in paths]
    drawn = [one.shuffle(seed=0).select(range(rows // SOURCES)) for one in loaded]
    mixed = interleave_datasets(drawn, probabilities=[1 / SOURCES] * SOURCES, seed=0)
    return _split(mixed.map(_row, remove_columns=mixed.column_names), folder)


def _row(record: dict[str, object]) -> dict[str, object]:
    """The same row of sft that Tuneworks writes."""
    answers = record["answers"]
    assert isinstance(answers, list)
    completion = [{"role": "assistant", "content": answers[0]["text"]}]
    return {"id": record["id"], "prompt": record["prompt"], "completion": completion}


def _split(mixed: object, folder: Path) -> int:
    from datasets import Dataset

    assert isinstance(mixed, Dataset)
    sides = mixed.train_test_split(test_size=0.1, seed=0)
    for name, side in sides.items():
        side.to_parquet(folder / f"peer-{name}.parquet")
    return sum(map(len, sides.values()))


def line(side: str, one: Cost) -> tuple[object, ...]:
    return side, f"{one.result:,}", one.wall, one.cpu, one.peak_mb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each source")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        written(folder, rows)
        lines = [
            line("Tuneworks, mixing", cost(ours_mixed, folder, rows, threads=2)),
            line("Tuneworks, splitting and writing", cost(ours_split, folder, threads=2)),
            line("datasets, both", cost(peers, folder, rows, threads=2)),
        ]
    table(f"{SOURCES} sources of {rows:,} rows", ("side", "rows left", "s", "CPU s", "peak MB"), lines)


if __name__ == "__main__":
    main()
