"""Alpaca's texts with seeded noisy copies: Alpaca itself has hardly two instructions that are near each other."""

import random
from pathlib import Path

import polars as pl

SHARE = 0.4
"""Of the rows are copies with 1 to 4 words changed, inserted or left out."""


def instructions(path: Path, rows: int) -> list[str]:
    return _noisy(pl.read_parquet(path)["instruction"].to_list(), rows)


def full_records(path: Path, rows: int) -> list[str]:
    table = pl.read_parquet(path, columns=["instruction", "input", "output"])
    return _noisy(table.select(pl.concat_str(pl.all().fill_null(""), separator=" ")).to_series().to_list(), rows)


def _noisy(texts: list[str], rows: int, seed: int = 0) -> list[str]:
    """The first of `texts`, all of them again and again where `rows` is more, with copies among them."""
    rng = random.Random(seed)
    clean = [texts[at % len(texts)] for at in range(rows - int(rows * SHARE))]
    words = [word for text in texts for word in text.split()]
    copies = [_changed(rng.choice(clean), words, rng) for _ in range(rows - len(clean))]
    made = clean + copies
    rng.shuffle(made)
    return made


def _changed(text: str, words: list[str], rng: random.Random) -> str:
    said = text.split()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(said) + 1)
        stop = at + rng.randint(0, 1)
        said[at:stop] = [rng.choice(words)] if stop == at or rng.random() < 0.5 else []
    return " ".join(said)
