"""A few rows of a release as a person would name them: the id and the beginning of what is asked."""

from dataclasses import dataclass

import polars as pl

from tuneworks.factory.quoting import one_line
from tuneworks.pipelines.release.contents import ID, SPLIT, Contents, readable, spoken

SHOWN, LONGEST = 3, 80


@dataclass(frozen=True, slots=True)
class Excerpt:
    id: str
    split: str
    text: str


def excerpts(held: Contents | None, rows: pl.DataFrame) -> tuple[Excerpt, ...]:
    """Of the first rows that have an id; `rows` are hashes, the texts are looked up."""
    if held is None:
        return ()
    first = rows.drop_nulls(ID).unique(ID, keep="first", maintain_order=True).head(SHOWN)
    return tuple(Excerpt(name, split, _text(held, name, split)) for name, split in first.select(ID, SPLIT).iter_rows())


def _text(held: Contents, name: str, split: str) -> str:
    """The first column that says anything, which is the prompt in every configuration that has one."""
    said = next((text for text in spoken(held).values() if text is not None), None)
    for path in held.splits[split] if said is not None else ():
        with readable(held.release, path):
            rows = pl.scan_parquet(path, glob=False).filter(pl.col(ID).cast(pl.String) == name)
            found = rows.select(said).head(1).collect()
        if found.height:
            return one_line(found.item() or "", LONGEST)
    return ""
