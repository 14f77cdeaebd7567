"""Choosing a varied subset, beside the published ways: what it costs, and what it covers.

    python benchmarks/filters_selection.py --data alpaca.parquet
    python benchmarks/filters_selection.py --data alpaca.parquet --apricot ENVIRONMENT/lib/python3.11/site-packages

The peers of facility location are the plain greedy in numpy and, where `--apricot` says in which environment it is
installed, apricot-select's lazy greedy; those of the other two ways are their published loops, one row of cosines at a
time. Embeddings are made once; their cost is no part of the figures.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measuring import began, cost, table

CHOSEN = 1_000
DEITA = 6_000  # what its paper chooses
SMALL = 10_000  # apricot holds all similarities in float64, several times over


def prepare(data: Path, into: Path) -> None:
    from tuneworks.filters.embedding.encoder import MINILM, embed

    rows = pl.read_parquet(data).sample(fraction=1, shuffle=True, seed=0)
    np.save(into / "vectors.npy", embed(rows["instruction"].to_list(), MINILM))
    np.save(into / "scores.npy", rows["output"].str.len_chars().cast(pl.Float64).to_numpy())


def loaded(folder: Path, rows: int) -> tuple[Any, Any]:
    vectors, scores = np.load(folder / "vectors.npy")[:rows], np.load(folder / "scores.npy")[:rows]
    return vectors, scores


def ours(folder: Path, rows: int, by: str, count: int = CHOSEN) -> list[int]:
    from tuneworks.filters.selection.facility_location import facility_location
    from tuneworks.filters.selection.farthest_first import farthest_first
    from tuneworks.filters.selection.score_first import score_first

    vectors, scores = loaded(folder, rows)
    order = np.argsort(-scores, kind="stable")
    began()
    if by == "score_first":
        chosen: list[int] = order[score_first(vectors[order], count, 0.9)[0]].tolist()
        return chosen
    if by == "farthest_first":
        return list(map(int, farthest_first(vectors, count, int(order[0]))))
    return list(map(int, facility_location(vectors, count)))


def one_row_at_a_time(folder: Path, rows: int, count: int) -> list[int]:
    """DEITA's filter: each row's cosines with all that are selected so far, on growing copies of them."""
    import torch

    given, scores = loaded(folder, rows)
    order = np.argsort(-scores, kind="stable")
    vectors = torch.from_numpy(given[order])
    began()
    selected, chosen = vectors[:1], [0]
    for row in range(1, len(vectors)):
        if len(chosen) == count:
            break
        cosines = torch.nn.functional.cosine_similarity(vectors[row : row + 1], selected)
        if cosines.max() <= 0.9:
            selected = torch.cat([selected, vectors[row : row + 1]])
            chosen.append(row)
    picked: list[int] = order[chosen].tolist()
    return picked


def farthest_plainly(folder: Path, rows: int, count: int, exact: bool = False) -> list[int]:
    vectors, scores = loaded(folder, rows)
    vectors = vectors.astype(np.float64) if exact else vectors
    began()
    chosen = [int(np.argmax(scores))]
    closest = np.full(len(vectors), -np.inf, dtype=vectors.dtype)
    while len(chosen) < count:
        np.maximum(closest, vectors @ vectors[chosen[-1]], out=closest)
        closest[chosen[-1]] = np.inf
        chosen.append(int(closest.argmin()))
    return chosen


def greedy_plainly(folder: Path, rows: int) -> list[int]:
    """Facility location with the gain of every row computed anew for each choice."""
    vectors, _ = loaded(folder, rows)
    similar = np.maximum(vectors @ vectors.T, 0)
    began()
    coverage, chosen = np.zeros(rows, dtype=np.float32), list[int]()
    tile = 256
    while len(chosen) < PLAIN:
        gains = [np.maximum(similar[at : at + tile] - coverage, 0).sum(axis=1) for at in range(0, rows, tile)]
        gain = np.concatenate(gains)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        np.maximum(coverage, similar[chosen[-1]], out=coverage)
    return chosen


PLAIN = 20  # of the 1,000 choices; each costs the same


def apricot(folder: Path, rows: int, count: int) -> list[int]:
    sys.path.append((folder / "apricot").read_text())  # last, so that everything else is of this environment
    selection = importlib.import_module("apricot").FacilityLocationSelection

    vectors, _ = loaded(folder, rows)
    compiled = selection(2, metric="precomputed", optimizer="lazy")
    compiled.fit(np.maximum(vectors[:50] @ vectors[:50].T, 0).astype(np.float64))
    began()
    similar = np.maximum(vectors @ vectors.T, 0).astype(np.float64)
    chooser = selection(count, metric="precomputed", optimizer="lazy").fit(similar)
    return list(map(int, chooser.ranking))


def covered(vectors: Any, chosen: list[int]) -> float:
    """The mean, over all rows, of the cosine with the nearest chosen one; negative ones count 0."""
    from tuneworks.filters.selection.nearest import nearest

    return float(np.maximum(nearest(vectors, vectors[chosen])[1], 0).mean())


def alike(vectors: Any, chosen: list[int]) -> tuple[float, float]:
    """Of the chosen: the mean and the highest cosine with the nearest other one."""
    similar = vectors[chosen] @ vectors[chosen].T
    np.fill_diagonal(similar, -1)
    return float(similar.max(axis=1).mean()), float(similar.max())


def compared(
    folder: Path, rows: int, by: str, name: str, peer: Callable[..., list[int]], count: int = CHOSEN
) -> list[int]:
    vectors, _ = loaded(folder, rows)
    own, other = cost(ours, folder, rows, by, count), cost(peer, folder, rows, count)
    sides = [(f"{by}, ours", own), (name, other)]
    lines: list[tuple[object, ...]] = [
        (side, c.cpu, c.wall, c.peak_mb, covered(vectors, c.result), other.cpu / c.cpu) for side, c in sides
    ]
    same = "the same rows" if own.result == other.result else f"{len({*own.result} & {*other.result})} rows in common"
    columns = ("", "CPU s", "wall s", "peak MB", "coverage", "ratio")
    table(f"{by}: {count:,} of {rows:,}, 1 thread; {same}", columns, lines)
    chosen: list[int] = own.result
    return chosen


def beside_plain_greedy(folder: Path, rows: int) -> None:
    own, other = cost(ours, folder, rows, "facility_location"), cost(greedy_plainly, folder, rows)
    plain = other.cpu * CHOSEN / PLAIN
    lines: list[tuple[object, ...]] = [
        ("facility_location, ours, similarities included", own.cpu, own.peak_mb, plain / own.cpu),
        (f"plain greedy, similarities not counted, {PLAIN} choices scaled", plain, other.peak_mb, 1.0),
    ]
    same = "the same" if own.result[:PLAIN] == other.result else "not the same"
    columns = ("", "CPU s", "peak MB", "ratio")
    table(f"{CHOSEN:,} of {rows:,}, 1 thread; the first {PLAIN} are {same}", columns, lines)


def what_it_buys(folder: Path, rows: int) -> None:
    vectors, scores = loaded(folder, rows)
    ways = {"random": list(range(CHOSEN)), "the best-scored": np.argsort(-scores, kind="stable")[:CHOSEN].tolist()}
    for by in ("score_first", "facility_location", "farthest_first"):
        ways[by] = cost(ours, folder, rows, by).result
    lines: list[tuple[object, ...]] = [
        (name, *alike(vectors, chosen), covered(vectors, chosen), float(scores[chosen].mean()))
        for name, chosen in ways.items()
    ]
    columns = ("", "cosine with the nearest other, mean", "highest", "coverage of all", "mean score (characters)")
    table(f"What {CHOSEN:,} of {rows:,} are like", columns, lines)


def run(data: Path, installed: Path | None = None) -> None:
    rows = pl.read_parquet(data).height
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        embedding = cost(prepare, data, folder)
        print(f"embedding {rows:,} instructions: {embedding.cpu:.1f} CPU s")
        compared(folder, rows, "score_first", "DEITA's loop", one_row_at_a_time, DEITA)
        chosen = compared(folder, rows, "farthest_first", "one row at a time", farthest_plainly)
        exact = cost(farthest_plainly, folder, rows, CHOSEN, True).result
        print(f"\nThe loop in float64, where rounding makes no ties, chooses the same rows as ours: {chosen == exact}")
        beside_plain_greedy(folder, SMALL)
        if installed:
            (folder / "apricot").write_text(str(installed))
            compared(folder, SMALL, "facility_location", "apricot-select, lazy", apricot)
        what_it_buys(folder, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction and output")
    parser.add_argument("--apricot", type=Path, help="site-packages in which apricot-select is installed")
    options = parser.parse_args()
    run(options.data, options.apricot)


if __name__ == "__main__":
    main()
