"""What the peers do for near duplicates, each as it is commonly called, and the loop that Self-Instruct began with."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measuring import began
from noisy_texts import full_records, instructions

from tuneworks.factory.rouge import CHARACTERS, ascii_tokens, unicode_tokens
from tuneworks.filters.keep_first import rivals

PERMUTATIONS = 128


def all_pairs(path: Path, rows: int, most: float, workers: int) -> list[int]:
    """Rows kept by ROUGE-L with every pair compared by rapidfuzz, a character a token."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel, LCSseq

    texts = instructions(path, rows)
    began()
    numbers: dict[str, int] = {}
    split = [[numbers.setdefault(t, len(numbers)) for t in unicode_tokens(text)] for text in texts]
    assert len(numbers) < CHARACTERS
    said = ["".join(map(chr, row)) for row in split]
    found: list[tuple[int, int, float]] = []
    for first in range(0, rows, 500):
        block = said[first : first + 500]
        near = process.cdist(
            block, said[: first + len(block)], scorer=Indel.normalized_similarity, score_cutoff=most - 1e-6,
            dtype=np.float32, workers=workers,
        )  # fmt: skip
        for at, other in zip(*np.nonzero(near), strict=True):
            later, earlier = first + int(at), int(other)
            if earlier < later and split[earlier] and split[later]:
                common = LCSseq.similarity(said[later], said[earlier])
                precision, recall = common / len(said[later]), common / len(said[earlier])
                found.append((later, earlier, 2 * precision * recall / (precision + recall)))
    pairs = pl.DataFrame(found, schema=["row", "other", "score"], orient="row").filter(pl.col("score") > most)
    return rivals(pairs, range(rows), rows)["rival"].is_null().arg_true().to_list()


def original_loop(path: Path, rows: int, most: float) -> tuple[list[int], int]:
    """Rows kept by Alpaca's loop with the package rouge_score, and how many pairs it compared."""
    from rouge_score.rouge_scorer import _score_lcs

    texts = instructions(path, rows)
    began()
    kept: list[int] = []
    pool: list[list[str]] = []
    compared = 0
    for at, text in enumerate(texts):
        tokens = ascii_tokens(text)
        compared += len(pool)
        if all(_score_lcs(tokens, other).fmeasure <= most for other in pool):
            kept.append(at)
            pool.append(tokens)
    return kept, compared


def _shingle_sets(texts: list[str]) -> Iterator[set[str]]:
    for text in texts:
        words = re.findall("[a-z0-9]+", text.lower())
        yield {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))} if words else set()


def datasketch_pairs(path: Path, rows: int, least: float) -> list[tuple[int, int]]:
    from datasketch import MinHash, MinHashLSH

    texts = full_records(path, rows)
    began()
    sets = [[shingle.encode() for shingle in row] for row in _shingle_sets(texts)]
    hashes = MinHash.bulk(sets, num_perm=PERMUTATIONS)
    index = MinHashLSH(threshold=least, num_perm=PERMUTATIONS)
    found: list[tuple[int, int]] = []
    for at, made in enumerate(hashes):
        found += [(at, other) for other in index.query(made)]
        index.insert(at, made, check_duplication=False)
    return found


def rensa_pairs(path: Path, rows: int, least: float) -> list[tuple[int, int]]:
    from rensa import RMinHash, RMinHashLSH

    texts = full_records(path, rows)
    began()
    hashes: Any = RMinHash.from_token_sets([list(row) for row in _shingle_sets(texts)], PERMUTATIONS, 42)
    index = RMinHashLSH(least, PERMUTATIONS, 16)
    index.insert_many(hashes)
    return [(at, other) for at, near in enumerate(index.query_all(hashes)) for other in near if other < at]


def rensa_flags(path: Path, rows: int, least: float) -> int:
    """The fastest way rensa has; it says of each row only whether it shares a band with any other."""
    from rensa import RMinHash, RMinHashLSH

    texts = full_records(path, rows)
    began()
    matrix = RMinHash.digest_matrix_from_token_sets([list(row) for row in _shingle_sets(texts)], PERMUTATIONS, 42)
    return sum(RMinHashLSH(least, PERMUTATIONS, 16).query_duplicate_flags_matrix_one_shot(matrix))
