"""Length, exact duplicates and a cap per source on a million records, Parquet to Parquet, beside `datasets`.

The records are Alpaca's, drawn with a seed, most with a number after the instruction, so that about a third are
duplicates; from 20 sources of different sizes, so that the cap bites on the larger ones. Both sides read the same file
and apply the same rules. `datasets` does it as its documentation suggests: batched filters that look only at
the columns they need, a set of what was seen, a shuffle with a seed before the cap.

    python benchmarks/filters_chain.py --data alpaca_52k.parquet --rows 1000000
"""

import argparse
import tempfile
import unicodedata
from collections import Counter
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl
from measuring import began, cost, table

from tuneworks.factory.record import SCHEMA

SCORES = pl.List(pl.Struct({"name": pl.String(), "value": pl.Float64()}))
ROWS, SOURCES, VARIANTS, MOST = 1_000_000, 20, 20, 20_000


def make(data: Path, rows: int, into: Path) -> None:
    """Write so many records, drawn from Alpaca, in the schema of records."""
    rng = np.random.default_rng(0)
    drawn = pl.read_parquet(data)[rng.integers(0, pl.read_parquet(data).height, rows)]
    variant = rng.integers(0, VARIANTS, rows)
    source = np.minimum(rng.integers(0, SOURCES, rows), rng.integers(0, SOURCES, rows))
    numbered = pl.format("{} ({})", "instruction", "variant")
    told = pl.when(pl.col("variant") > 0).then(numbered).otherwise("instruction")
    asked = pl.when(pl.col("input") != "").then(pl.format("{}\n\n{}", told, "input")).otherwise(told)
    answer = pl.struct(text="output", by=pl.lit("alpaca"), scores=pl.lit([], dtype=SCORES))
    made = drawn.with_columns(variant=pl.Series(variant)).select(
        id=pl.Series([blake2b(b"%d" % at, digest_size=8).hexdigest() for at in range(rows)]),
        source=pl.format("source {}", pl.Series(source)),
        prompt=pl.concat_list(pl.struct(role=pl.lit("user"), content=asked)),
        answers=pl.concat_list(answer),
        parents=pl.lit([], dtype=SCHEMA["parents"]),
        meta=pl.lit("{}"),
    )
    made.cast(dict(SCHEMA)).write_parquet(into, row_group_size=10_000)


def ours(records: Path, into: Path, most: int) -> tuple[int, ...]:
    """Rows left after each filter."""
    from tuneworks.filters.cap import Cap
    from tuneworks.filters.exact_duplicates import ExactDuplicates
    from tuneworks.filters.length import Length

    began()
    taken = pl.read_parquet(records)
    left = []
    for work in (Length(), ExactDuplicates(), Cap(most=most)):
        measures = pl.concat([work.measure(part) for part in taken.iter_slices(work.slice_rows)])
        taken = taken.filter(work.reject(measures).is_null())
        left.append(taken.height)
    taken.write_parquet(into)
    return tuple(left)


def theirs(records: Path, into: Path, most: int) -> tuple[int, ...]:
    """The same rules as Python functions of a batch."""
    import datasets

    datasets.disable_progress_bars()
    began()
    rows = datasets.load_dataset(
        "parquet", data_files=str(records), split="train", cache_dir=str(into.parent / "cache")
    )
    rows = rows.filter(long_enough, batched=True, input_columns=["prompt"])
    left = [len(rows)]
    seen: set[str] = set()

    def new(prompts: list[list[dict[str, str]]]) -> list[bool]:
        kept = []
        for prompt in prompts:
            text = plain(prompt[-1]["content"])
            kept.append(text not in seen)
            seen.add(text)
        return kept

    rows = rows.filter(new, batched=True, input_columns=["prompt"])
    left.append(len(rows))
    counts: Counter[str] = Counter()

    def within(sources: list[str]) -> list[bool]:
        kept = []
        for source in sources:
            counts[source] += 1
            kept.append(counts[source] <= most)
        return kept

    rows = rows.shuffle(seed=0).filter(within, batched=True, input_columns=["source"])
    left.append(len(rows))
    rows.to_parquet(str(into))
    return tuple(left)


def long_enough(prompts: list[list[dict[str, str]]]) -> list[bool]:
    return [3 <= len(prompt[-1]["content"].split()) <= 150 for prompt in prompts]


def plain(text: str) -> str:
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.rstrip(" .,;:!?。、") or folded


def copied(records: Path, into: Path, most: int) -> tuple[int, ...]:
    """What reading and writing alone take, of as many rows as stay."""
    began()
    taken = pl.read_parquet(records)
    taken.sample(min(taken.height, most), seed=0).write_parquet(into)
    return ()


def run(data: Path, rows: int = ROWS, most: int = MOST) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.parquet"
        make(data, rows, records)
        peer, own = (cost(side, records, Path(folder) / f"{side.__name__}.parquet", most) for side in (theirs, ours))
        least = cost(copied, records, Path(folder) / "copied.parquet", own.result[-1])
    sides = [("datasets", peer), ("tuneworks", own), ("reading and writing alone, Polars", least)]
    title = f"length + exact duplicates + {most:,} a source, {rows:,} records, 1 thread"
    table(
        title,
        ("", "CPU s", "ratio", "wall s", "peak MB", "left after each"),
        [
            (name, c.cpu, peer.cpu / c.cpu, c.wall, c.peak_mb, ", ".join(f"{n:,}" for n in c.result))
            for name, c in sides
        ],
    )
    print(f"\nboth keep as many: {peer.result == own.result}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--most", type=int, default=MOST, help="the cap per source")
    options = parser.parse_args()
    run(options.data, options.rows, options.most)


if __name__ == "__main__":
    main()
