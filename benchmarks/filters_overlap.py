"""ROUGE-L and Jaccard joins beside what others do: CPU seconds, ratios, and whether the answers are the same.

    python benchmarks/filters_overlap.py --data alpaca_52k.parquet

Alpaca's 52,002 rows, 40% of them seeded noisy copies. Every side has one thread and a process of its own. With numba,
its import and the loading of the compiled code (from disk, after a first run ever) are a line of their own.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import overlap_peers as peers
import polars as pl
from measuring import Cost, began, cost, table
from noisy_texts import full_records, instructions

from tuneworks.factory.overlap.compiled import KERNEL
from tuneworks.factory.overlap.join import self_join
from tuneworks.factory.overlap.tokens import bags_of, shingles
from tuneworks.factory.record import Record, to_table
from tuneworks.factory.rouge import RougeIndex
from tuneworks.filters.keep_first import rivals
from tuneworks.filters.rouge import Rouge

ROWS, PROOF, MANY = 52_002, 5_000, 1_000_000
MOST = 0.7
RUNS = 3
"""Of which the cheapest counts, on both sides."""
KERNELS = ("numpy", "numba")


def _ready(kernel: str) -> None:
    """Choose the kernel, and load all of it: on rows of each kind, and on more words than its first table holds."""
    os.environ[KERNEL] = kernel
    few = bags_of(["one two three four"] * 9 + [" ".join(f"w{number}" for number in range(5000))])
    self_join(few, "rouge_l", MOST)
    self_join(shingles(few, 2), "jaccard", MOST)


def loading(kernel: str) -> None:
    began()
    _ready(kernel)


def joined(path: Path, rows: int, kernel: str) -> list[int]:
    """Rows kept: from texts to tokens, pairs and the greedy choice."""
    texts = pl.Series(instructions(path, rows))
    _ready(kernel)
    began()
    pairs = self_join(bags_of(texts), "rouge_l", MOST).filter(pl.col("score") > MOST)
    return rivals(pairs, range(rows), rows)["rival"].is_null().arg_true().to_list()


def filtered(path: Path, rows: int, kernel: str, tokenizer: str = "unicode") -> list[int]:
    """Rows kept by the filter itself, from a table of records to verdicts with reasons."""
    given = to_table([Record.born(text, source=str(at)) for at, text in enumerate(instructions(path, rows))])
    filter_ = Rouge.model_validate({"tokenizer": tokenizer})
    _ready(kernel)
    began()
    return filter_.verdicts(filter_.measure(given))["reason"].is_null().arg_true().to_list()


def many(path: Path, rows: int, kernel: str) -> int:
    """As `filtered`, from the measurements on: records of so many rows would take most of the memory."""
    texts = pl.Series(instructions(path, rows))
    ids = pl.Series([f"{at:016x}" for at in range(rows)])
    measures = pl.DataFrame({"id": ids, "text": texts}).with_columns(parents=pl.lit([], dtype=pl.List(pl.String)))
    _ready(kernel)
    began()
    return Rouge().verdicts(measures)["reason"].null_count()


def grown(path: Path, rows: int) -> tuple[list[float], int]:
    """Milliseconds that each text took to be compared with all held ones, and held if it is new; and how many are."""
    texts = instructions(path, rows)
    index, taken = RougeIndex(), []
    began()
    for text in texts:
        start = time.perf_counter()
        nearest = index.nearest(text)
        if nearest is None or nearest.score <= MOST:
            index.add(text)
        taken.append(1000 * (time.perf_counter() - start))
    return taken, len(index)


def jaccard(path: Path, rows: int, kernel: str) -> list[tuple[int, int]]:
    texts = pl.Series(full_records(path, rows))
    _ready(kernel)
    began()
    pairs = self_join(shingles(bags_of(texts), 3), "jaccard", MOST)
    rivals(pairs.filter(pl.col("score") > MOST), range(rows), rows)
    return pairs.select("row", "other").rows()


def rouge_table(path: Path) -> None:
    ours = {kernel: cost(joined, path, ROWS, kernel, runs=RUNS) for kernel in KERNELS}
    filters = {kernel: cost(filtered, path, ROWS, kernel, runs=RUNS) for kernel in KERNELS}
    every = cost(peers.all_pairs, path, ROWS, MOST, 1, runs=RUNS)
    loop = cost(peers.original_loop, path, PROOF, MOST)
    kept, compared = loop.result
    same = [cost(filtered, path, PROOF, kernel, "ascii").result == kept for kernel in KERNELS]
    pairs = sum(np.searchsorted(every.result, at) for at in range(ROWS))
    per_pair = loop.cpu / compared
    scaled = per_pair * float(pairs)

    def line(name: str, made: Cost) -> tuple[object, ...]:
        agrees = "yes" if made.result == every.result else "NO"
        ratios = every.cpu / made.cpu, scaled / made.cpu
        return name, made.cpu, made.wall, made.peak_mb, *ratios, len(made.result), agrees

    rows: list[tuple[object, ...]] = [line("all pairs, rapidfuzz cdist", every)]
    for kernel in KERNELS:
        rows += [line(f"join and greedy, {kernel}", ours[kernel]), line(f"the filter, {kernel}", filters[kernel])]
    columns = ("", "CPU s", "wall s", "peak MB", "times less than all pairs", "than the loop", "kept", "same rows kept")
    table(f"ROUGE-L above {MOST} on {ROWS:,} noisy instructions, least of {RUNS} runs", columns, rows)
    print(f"\nLoading the kernel: numpy {cost(loading, 'numpy').cpu:.2f}, numba {cost(loading, 'numba').cpu:.2f} CPU s")
    print(f"The original loop (rouge_score, tokens kept): {loop.cpu:.1f} CPU s for {compared:,} pairs on {PROOF:,} "
          f"rows, {1e6 * per_pair:.1f} us a pair, {len(kept):,} kept; the filter keeps the same rows: {same}. Scaled "
          f"to the {pairs:,} pairs it would compare on {ROWS:,} rows: {scaled:,.0f} CPU s")  # fmt: skip


def index_table(path: Path) -> None:
    made = cost(grown, path, ROWS)
    taken, held = made.result
    per = [f"{value:.3f}" for value in (np.mean(taken), *np.quantile(taken, [0.5, 0.99]), np.mean(taken[-5000:]))]
    columns = ("held at the end", "mean ms", "median ms", "p99 ms", "mean ms of the last 5,000", "CPU s in all")
    table("RougeIndex: nearest of all held, then held if new", columns, [(f"{held:,}", *per, made.cpu)])


def many_table(path: Path) -> None:
    rows: list[tuple[object, ...]] = []
    for kernel in reversed(KERNELS):
        made = cost(many, path, MANY, kernel)
        rows.append((kernel, made.cpu, made.wall, made.peak_mb, f"{made.result:,}"))
    table(
        f"ROUGE-L above {MOST} on {MANY:,} noisy instructions",
        ("", "CPU s", "wall s", "peak MB", "kept"),
        rows,
    )


def jaccard_table(path: Path) -> None:
    sides = {f"exact, {kernel}": cost(jaccard, path, ROWS, kernel, runs=RUNS) for kernel in KERNELS}
    truth = set(sides["exact, numpy"].result)
    sides |= {
        "datasketch, MinHash.bulk + MinHashLSH": cost(peers.datasketch_pairs, path, ROWS, MOST, runs=RUNS),
        "rensa, from_token_sets + query_all": cost(peers.rensa_pairs, path, ROWS, MOST, runs=RUNS),
        "rensa, digest matrix + one-shot flags (no pairs)": cost(peers.rensa_flags, path, ROWS, MOST, runs=RUNS),
    }
    rows: list[tuple[object, ...]] = []
    for name, made in sides.items():
        found = set(made.result) if isinstance(made.result, list) else set()
        recall, precision = (len(truth & found) / len(of) if found else "" for of in (truth, found))
        ratios = [made.cpu / sides[f"exact, {kernel}"].cpu for kernel in KERNELS]
        rows.append((name, made.cpu, made.wall, made.peak_mb, *ratios, len(found) or "", recall, precision))
    columns = ("", "CPU s", "wall s", "peak MB", "to numpy", "to numba", "pairs", "recall", "precision")
    table(f"Jaccard of word 3-grams at least {MOST}, {ROWS:,} noisy full records, least of {RUNS} runs", columns, rows)


PARTS = {"rouge": rouge_table, "index": index_table, "jaccard": jaccard_table, "many": many_table}


def run(data: Path) -> None:
    for part in PARTS.values():
        part(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    parser.add_argument("--only", choices=PARTS, help="one table")
    options = parser.parse_args()
    (PARTS[options.only] if options.only else run)(options.data)


if __name__ == "__main__":
    main()
