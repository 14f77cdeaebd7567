"""How many tokens a record has: those of its prompt's messages and its best answer, without a chat template's own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from tuneworks.factory.errors import MissingExtra
from tuneworks.factory.record import Record, best_answer, from_table
from tuneworks.factory.weights import locate, prepare

SLICE = 10_000
"""Rows whose texts are in memory at a time."""


def check_tokenizer(name: str) -> None:
    """Raise now what counting would raise later."""
    require_transformers()
    locate(name)


def require_transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("transformers", "local", "mixing by tokens") from error
    return transformers


def counted(records: pl.LazyFrame, tokenizer: str) -> pl.Series:
    """Tokens of every record, in order."""
    count = counter(tokenizer)
    lengths = [count(texts) for texts in _texts(records)]
    return pl.Series([n for one in lengths for n in one], dtype=pl.UInt32)


Counter = Callable[[Sequence[str]], list[int]]


def counter(tokenizer: str) -> Counter:
    """Counts the tokens of texts; the tokenizer is loaded once."""
    loaded: Any = require_transformers().AutoTokenizer.from_pretrained(prepare(tokenizer))

    def count(texts: Sequence[str]) -> list[int]:
        made = (
            loaded(list(texts), add_special_tokens=False, return_attention_mask=False) if texts else {"input_ids": []}
        )
        return [len(ids) for ids in made["input_ids"]]

    return count


def _texts(records: pl.LazyFrame) -> Iterator[list[str]]:
    rows = int(records.select(pl.len()).collect().item())
    for at in range(0, rows, SLICE):
        yield [_text(record) for record in from_table(records.slice(at, SLICE).collect())]


def _text(record: Record) -> str:
    best = best_answer(record)
    return "\n".join([*(m.content for m in record.prompt), *([best.text] if best else [])])
