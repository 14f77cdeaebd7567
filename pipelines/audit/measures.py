"""What is measured of each pair, a batch at a time: some hundred bytes a pair are kept, never its texts.

Texts are compared by hashes of 64 bits: among a million, two that differ have one hash in 1 of 40 million audits.
"""

import numpy as np
import polars as pl
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from tuneworks.factory.wording.refusals import refusal
from tuneworks.filters.words import word_counts

NEAR = 0.9
"""Two answers with at least this similarity, of 1 less the Levenshtein distance in characters over the length of the
longer one, are nearly identical: where so little differs, DPO lowers the likelihood of both (2402.13228)."""

SPACES = r"\s{2,}|[^\S ]"
"""White space to fold; a lone space is as it should be."""

MEASURES = pl.Schema(
    {
        **{"id": pl.String(), "aside": pl.String(), "margin": pl.Float64(), "probability": pl.Float64()},
        **{"prompt": pl.UInt64(), "chosen": pl.UInt64(), "rejected": pl.UInt64()},  # hashes
        **{f"{side}_{unit}": pl.UInt32() for unit in ("characters", "words") for side in ("chosen", "rejected")},
        **{f"{side}_refuses": pl.Boolean() for side in ("chosen", "rejected")},
        **{"same": pl.Boolean(), "empty": pl.Boolean(), "similarity": pl.Float64()},  # similarity: 0 below the cut
    }
)


def measured(pairs: pl.DataFrame) -> pl.DataFrame:
    """Of a table with the columns of `PAIRS`; a row without answers has no lengths and is no pair."""
    folded = pairs.with_columns(pl.col("chosen", "rejected").str.replace_all(SPACES, " ").str.strip_chars(" "))
    same, empty = pl.col("chosen") == pl.col("rejected"), (pl.col("chosen") == "") | (pl.col("rejected") == "")
    facts = folded.select(
        *("id", "aside", "margin", "probability"),
        *(pl.col(name).hash() for name in ("prompt", "chosen", "rejected")),
        same=same,
        empty=empty,
        similarity=pl.Series(similarities(folded["chosen"], folded["rejected"])),
    )
    texts = {side: pairs[side] for side in ("chosen", "rejected")}
    return facts.with_columns(
        *(text.str.len_chars().alias(f"{side}_characters") for side, text in texts.items()),
        *(word_counts(text).alias(f"{side}_words") for side, text in texts.items()),
        *(refusals(text).alias(f"{side}_refuses") for side, text in texts.items()),
    ).select(pl.col(name).cast(kind) for name, kind in MEASURES.items())


def similarities(chosen: pl.Series, rejected: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each two texts, 0 where it is under `NEAR`. Lengths that are too far apart are not compared at all."""
    sizes = pl.DataFrame({"one": chosen.str.len_chars(), "other": rejected.str.len_chars()})
    enough = pl.min_horizontal("one", "other") >= pl.max_horizontal("one", "other") * NEAR
    near = sizes.select(enough & (pl.col("one") > 0)).to_series().fill_null(False).arg_true()
    found = np.zeros(len(chosen))
    one, other = chosen.gather(near).to_list(), rejected.gather(near).to_list()
    if one:
        scorer = Levenshtein.normalized_similarity
        found[near.to_numpy()] = process.cpdist(one, other, scorer=scorer, score_cutoff=NEAR, dtype=np.float64)
    return found


def refusals(texts: pl.Series) -> pl.Series:
    return pl.Series([text is not None and refusal(text) is not None for text in texts], dtype=pl.Boolean)
