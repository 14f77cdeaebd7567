"""Plain text as sequences to train on: documents one after the other, cut into windows, every token learned.

Documents are drawn by the seed from the front of an order, and those that are held out from its back, so that the same
ones are held out whatever the share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from tuneworks.factory.errors import InputError

SLICE = 200
"""Documents that are tokenised at a time."""

SHORTEST = 256
"""Tokens of a window at the least, where max_length leaves room for them: it is as long as the longest row, so that the
text needs no more memory than the rows, and text in shorter pieces teaches little."""

HELD_OUT = 8
"""Most windows that are held out."""


@dataclass(frozen=True, slots=True)
class Windows:
    learned: list[list[int]]
    held_out: list[list[int]]


def window_length(longest: int, max_length: int | None) -> int:
    length = max(longest, SHORTEST)
    return min(length, max_length) if max_length else length


def windows(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, wanted: int, length: int) -> Windows:
    """Windows of `length` tokens of which `wanted` are in the loss in all: a window's first token is not, for nothing
    comes before it. The last window is as short as it must be. Raises InputError where the texts are too short."""
    learned, used = list[list[int]](), 0
    stream, missing = list[int](), wanted
    for tokens in documents(texts, tokenizer):
        stream += tokens
        used += 1
        while missing and len(stream) >= min(length, missing + 1):
            learned.append(stream[: min(length, missing + 1)])
            stream = stream[len(learned[-1]) :]
            missing -= len(learned[-1]) - 1
        if not missing:
            break
    if missing:
        there = wanted - missing + max(len(stream) - 1, 0)
        raise InputError(
            f"pretraining wants {wanted:,} tokens of plain text in the loss and the dataset carries {there:,}; raise "
            "the share of pretraining in the recipe, or lower that of the training"
        )
    rest = list(reversed(texts[used:]))
    return Windows(learned, _held_out(rest, tokenizer, length))


def documents(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    """Each document's tokens, and the one that ends a text."""
    end = tokenizer.eos_token_id
    if not isinstance(end, int):
        raise InputError("the tokenizer has no token that ends a text; under args name one as eos_token")
    for at in range(0, len(texts), SLICE):
        encoded: Any = tokenizer(list(texts[at : at + SLICE]), add_special_tokens=False, return_attention_mask=False)
        for tokens in encoded["input_ids"]:
            yield [*tokens, end]


def _held_out(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, length: int) -> list[list[int]]:
    stream = list[int]()
    for tokens in documents(texts, tokenizer):
        stream += tokens
        if len(stream) >= HELD_OUT * length:
            break
    cut = [stream[at : at + length] for at in range(0, min(len(stream), HELD_OUT * length), length)]
    return [window for window in cut if len(window) > 1]
