"""Embedding duplicates at a cosine of 0.9, beside sentence-transformers with FAISS, and beside other indexes.

Every side has one thread and a process of its own; loading model and libraries is not counted, on either side. A row's
pairs are those above the limit; recall is the share that is found of those that a float32 product of all rows finds.

    python benchmarks/filters_embedding.py --data alpaca_52k.parquet
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from measuring import Cost, began, cost, table

from tuneworks.factory.record import Record, to_table

Vectors = npt.NDArray[np.float32]
Pairs = set[tuple[int, int]]

LIMIT = 0.9
MANY, ASKED = 200_000, 2_000
QUERIES = 1024
"""Rows that a peer is asked for at a time, so that what it finds fits in memory."""


def instructions(data: Path, rows: int | None) -> list[str]:
    texts: list[str] = pl.read_parquet(data, n_rows=rows)["instruction"].fill_null("").to_list()
    return texts


def ours_embedded(data: Path, rows: int | None, into: Path) -> None:
    from tuneworks.filters.embedding.encoder import MINILM, embed

    texts = instructions(data, rows)
    embed(["warm"], MINILM)
    began()
    np.save(into, embed(texts, MINILM))


def filtered(data: Path, rows: int | None) -> tuple[int, float]:
    """Rows kept by the filter itself, and the CPU seconds of it that deciding took: measured in slices, as a build
    does; the nearest row that stays is found for every row."""
    from tuneworks.filters.embedding.encoder import MINILM, embed
    from tuneworks.filters.semantic_duplicates import SemanticDuplicates

    given = to_table([Record.born(text, source=str(at)) for at, text in enumerate(instructions(data, rows))])
    work = SemanticDuplicates(max=LIMIT)
    embed(["warm"], MINILM)
    began()
    measures = pl.concat([work.measure(part) for part in given.iter_slices(work.slice_rows)])
    start = time.process_time()
    return work.verdicts(measures)["reason"].null_count(), time.process_time() - start


def peer_embedded(data: Path, rows: int | None, into: Path) -> None:
    """sentence-transformers as its documentation shows it."""
    from sentence_transformers import SentenceTransformer

    from tuneworks.filters.embedding.encoder import MINILM, locate_encoder

    texts = instructions(data, rows)
    model = SentenceTransformer(locate_encoder(MINILM), device="cpu")
    model.encode(["warm"])
    began()
    np.save(into, model.encode(texts))


def ours_found(file: Path) -> Pairs:
    from tuneworks.filters.embedding.neighbours import all_pairs

    vectors = np.load(file)
    all_pairs(vectors[:8], LIMIT)
    began()
    return set(all_pairs(vectors, LIMIT).select("row", "other").rows())


def inverted_found(file: Path) -> Pairs:
    from tuneworks.filters.embedding.inverted_file import likely_pairs

    vectors = np.load(file)
    likely_pairs(vectors[:400], LIMIT)
    began()
    return set(likely_pairs(vectors, LIMIT).select("row", "other").rows())


def flat_found(file: Path) -> Pairs:
    import faiss

    return _faiss_range(np.load(file), faiss.IndexFlatIP)


def inverted_peer_found(file: Path, lists: int, probes: int) -> Pairs:
    import faiss

    def index(dimensions: int) -> Any:
        made = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, lists, faiss.METRIC_INNER_PRODUCT)
        made.nprobe = probes
        return made

    return _faiss_range(np.load(file), index)


def _faiss_range(vectors: Vectors, make: Callable[[int], Any]) -> Pairs:
    began()
    index = make(vectors.shape[1])
    index.train(vectors)
    index.add(vectors)
    found: Pairs = set()
    for low in range(0, len(vectors), QUERIES):
        limits, _, places = index.range_search(vectors[low : low + QUERIES], LIMIT)
        rows = np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64)) + low
        found |= _pairs(rows, places)
    return found


def hnsw_found(file: Path) -> Pairs:
    import faiss

    vectors = np.load(file)
    began()
    index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 40, 16
    index.add(vectors)
    scores, places = index.search(vectors, 10)
    rows, column = np.nonzero(scores >= LIMIT)
    return _pairs(rows, places[rows, column])


def semhash_found(file: Path) -> Pairs:
    """The index that semhash's deduplication builds and asks (usearch, by vicinity)."""
    from semhash.index import Index
    from vicinity import Backend

    vectors = np.load(file)
    items = [[{"text": str(at)}] for at in range(len(vectors))]
    began()
    index = Index.from_vectors_and_items(vectors, items, Backend.USEARCH)
    near = [places for places, _ in index.query_threshold(vectors, threshold=LIMIT)]
    rows = np.repeat(np.arange(len(near)), [len(places) for places in near])
    return _pairs(rows, np.concatenate(near))


def _pairs(rows: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> Pairs:
    apart = rows != others
    late, early = np.maximum(rows, others)[apart], np.minimum(rows, others)[apart]
    return set(zip(late.tolist(), early.tolist(), strict=True))


def grown(file: Path, rows: int, into: Path) -> None:
    """Real vectors, and noisy copies of them until there are so many rows."""
    real, draw = np.load(file), np.random.default_rng(0)
    base = real[draw.integers(len(real), size=max(0, rows - len(real)))]
    size = draw.uniform(0.005, 0.05, (len(base), 1)).astype(np.float32)
    copies = base + size * draw.standard_normal(base.shape, dtype=np.float32)
    np.save(into, np.concatenate([real, copies / np.linalg.norm(copies, axis=1, keepdims=True)])[:rows])


def nearest_found(file: Path, asked: int, likely: bool) -> list[float]:
    """The cosine to its nearest of every so many-th row: as the inverted file finds it among all, and truly."""
    from tuneworks.filters.embedding.inverted_file import likely_nearest
    from tuneworks.filters.embedding.neighbours import cosines, nearest

    vectors = np.load(file)
    some = np.arange(0, len(vectors), max(1, len(vectors) // asked))
    began()
    if not likely:
        return [float(score) for score in nearest(vectors[some], vectors, some)[1]]
    places = likely_nearest(vectors, vectors, np.arange(len(vectors)))[some]
    return [float(score) for score in cosines(vectors, vectors, some, places)]


def end_to_end(data: Path, rows: int | None, folder: Path) -> None:
    own, peer = folder / "ours.npy", folder / "peer.npy"
    ours, theirs = cost(ours_embedded, data, rows, own), cost(peer_embedded, data, rows, peer)
    found, flat = cost(ours_found, own), cost(flat_found, peer)
    whole = cost(filtered, data, rows)
    count, kept, deciding = len(np.load(own)), *whole.result
    cosines = np.einsum("ij,ij->i", np.load(own), np.load(peer))
    peer_cpu, peer_wall = theirs.cpu + flat.cpu, theirs.wall + flat.wall

    def line(name: str, cpu: tuple[float, float], total: float, wall: float) -> tuple[object, ...]:
        return name, *cpu, total, count / cpu[0], wall, peer_cpu / total, peer_wall / wall

    title = f"duplicates at cosine {LIMIT} among {count:,} instructions, from text to pairs, 1 thread"
    columns = ("", "CPU s embedding", "CPU s search", "CPU s in all", "texts a CPU s", "wall s", "ratio", "ratio, wall")
    table(
        title,
        columns,
        [
            line("sentence-transformers + FAISS flat", (theirs.cpu, flat.cpu), peer_cpu, peer_wall),
            line("embed and pairs", (ours.cpu, found.cpu), ours.cpu + found.cpu, ours.wall + found.wall),
            line("the filter, nearest of every row too", (whole.cpu - deciding, deciding), whole.cpu, whole.wall),
        ],
    )
    print(f"\ncosine with float32: mean {cosines.mean():.6f}, least {cosines.min():.6f}, "
          f"below 0.9999 {(cosines < 0.9999).mean():.4%}; the filter keeps {kept:,}")  # fmt: skip
    agreed = found.result & flat.result
    print(f"pairs: {len(flat.result):,} with float32 vectors, {len(found.result):,} with ours, {len(agreed):,} in both")
    print(f"the others in float32: {_margins(found.result ^ flat.result, np.load(peer))}")


def _margins(pairs: Pairs, vectors: Vectors) -> str:
    scores = [float(vectors[one] @ vectors[other]) for one, other in pairs]
    return f"all between {min(scores):.5f} and {max(scores):.5f}" if scores else "there are none"


def search(file: Path) -> None:
    sides: dict[str, Cost] = {
        "FAISS flat, range": cost(flat_found, file),
        "ours, tiles": cost(ours_found, file),
        "ours, inverted file": cost(inverted_found, file),
        "FAISS HNSW16, efConstruction 40, ef 16, k 10": cost(hnsw_found, file),
        "FAISS IVF1024, 8 probes, range": cost(inverted_peer_found, file, 1024, 8),
        "FAISS IVF256, 4 probes, range": cost(inverted_peer_found, file, 256, 4),
        "semhash's index (usearch)": cost(semhash_found, file),
    }
    exact, own = sides["FAISS flat, range"].result, sides["ours, tiles"]
    lines = [
        (name, made.cpu, made.wall, made.peak_mb, made.cpu / own.cpu, len(made.result),
         len(made.result & exact) / max(1, len(exact)), len(made.result - exact))
        for name, made in sides.items()
    ]  # fmt: skip
    columns = ("", "CPU s", "wall s", "peak MB", "times ours", "pairs", "recall", "not in flat")
    table(f"search alone, {len(np.load(file)):,} vectors, the index included, 1 thread", columns, lines)


def many(file: Path, folder: Path, rows: int = MANY) -> None:
    vectors = folder / "many.npy"
    grown(file, rows, vectors)
    exact, likely = cost(ours_found, vectors), cost(inverted_found, vectors)
    near, true = cost(nearest_found, vectors, ASKED, True), cost(nearest_found, vectors, ASKED, False)
    right = np.array(near.result) >= np.array(true.result) - 1e-6
    behind = np.mean(np.array(true.result) - np.array(near.result))
    lines = [
        (name, made.cpu, made.wall, made.peak_mb, len(made.result), len(made.result & exact.result) / len(exact.result))
        for name, made in (("tiles", exact), ("inverted file", likely))
    ]
    columns = ("", "CPU s", "wall s", "peak MB", "pairs", "recall")
    table(f"{rows:,} vectors, real ones and noisy copies of them, pairs at {LIMIT}, 1 thread", columns, lines)
    print(f"\nall pairs of the inverted file are right: {likely.result <= exact.result}")
    print(f"the nearest of every row by the inverted file: {near.cpu:.1f} CPU s; of {len(right):,} rows it is the "
          f"nearest for {right.mean():.2%}, and its cosine {behind:.5f} lower on average")  # fmt: skip


def run(data: Path, rows: int | None = None, parts: tuple[str, ...] = ("end_to_end", "search", "many")) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if "end_to_end" in parts:
            end_to_end(data, rows, place)
        if not (place / "ours.npy").exists():
            cost(ours_embedded, data, rows, place / "ours.npy")
        if "search" in parts:
            search(place / "ours.npy")
        if "many" in parts:
            many(place / "ours.npy", place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with the column instruction")
    parser.add_argument("--rows", type=int, help="only so many of the first rows")
    parser.add_argument("--only", choices=("end_to_end", "search", "many"), action="append", help="one part, or two")
    options = parser.parse_args()
    run(options.data, options.rows, tuple(options.only or ("end_to_end", "search", "many")))


if __name__ == "__main__":
    main()
