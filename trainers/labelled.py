"""Rows as tokens and labels: what TRL trains on as it is, with exactly the assistant's turns in the loss.

TRL takes a dataset of `input_ids` and `labels` verbatim, and packs both. A mask of our own needs no {% generation %} in
the chat template, and holds for conversations of any number of turns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tuneworks.trainers.log_probabilities import IGNORED
from tuneworks.trainers.masks import Masked
from tuneworks.trainers.spoken import Learned, Spoken, Turns, spoken

TRAINED = ("input_ids", "labels")
"""The columns TRL reads."""

BATCH = 500
"""Rows that are tokenised at a time."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """How rows become sequences."""

    tokenizer: PreTrainedTokenizerBase
    turns: Learned
    max_length: int | None = None
    """Tokens a sequence may have."""
    kept: tuple[int | None, int | None] = (None, None)
    """From where to where a longer one is kept, as a slice says it."""
    everything: bool = False
    """Whether all tokens are learned, and not the assistant's alone."""

    def dataset(self, rows: Dataset) -> Dataset:
        """Columns beside those TRL reads: `in_loss`, how many of its tokens are; `length`, of the whole sequence;
        `one_turn`, whether the conversation has others for its other turns."""

        return rows.map(self.batch, batched=True, batch_size=BATCH, remove_columns=rows.column_names)

    def batch(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Of a batch of rows, by column."""
        turns = zip(columns["prompt"], columns["completion"], strict=True)
        return self.columns([(prompt, completion, self.turns) for prompt, completion in turns])

    def columns(self, rows: Sequence[tuple[Turns, Turns, Learned]]) -> dict[str, list[Any]]:
        render = renderer(self.tokenizer)
        each = [spoken(prompt, completion, turns, render) for prompt, completion, turns in rows]
        found = tokenised([sequence for row in each for sequence in row], self.tokenizer)
        return self.labelled(found, [len(row) > 1 for row in each for _ in row])

    def labelled(self, found: Sequence[Masked], one_turn: list[bool]) -> dict[str, list[Any]]:
        kept = slice(*self.kept)
        labels = [
            [token if inside or self.everything else IGNORED for token, inside in zip(*one, strict=True)][kept]
            for one in found
        ]
        return {
            "input_ids": [list(one.tokens[kept]) for one in found],
            "labels": labels,
            "in_loss": [len(one) - one.count(IGNORED) for one in labels],
            "length": [len(one.tokens) for one in found],
            "one_turn": one_turn,
        }


def renderer(tokenizer: PreTrainedTokenizerBase) -> Callable[[Turns, bool], str]:
    def render(turns: Turns, answering: bool) -> str:
        listed = [dict(turn) for turn in turns]
        return str(tokenizer.apply_chat_template(listed, tokenize=False, add_generation_prompt=answering))

    return render


def tokenised(sequences: Sequence[Spoken], tokenizer: PreTrainedTokenizerBase) -> list[Masked]:
    """Tokens of each, and whether the assistant speaks them.

    Each piece is tokenised by itself: so the model sees its own words when it answers, whereas in the whole a token may
    hold the end of a header and the first letter of the answer. Where the pieces say something else than the whole
    (some tokenizers put a space before every text), the whole is taken, parted where the tokens of its beginnings end.
    """
    pieces = [sequence.pieces() for sequence in sequences]
    wholes = _tokens(tokenizer, [sequence.text for sequence in sequences])
    parts = iter(_tokens(tokenizer, [text for row in pieces for text, _ in row]))
    found = list[Masked]()
    for sequence, row, whole in zip(sequences, pieces, wholes, strict=True):
        own = list(islice(parts, len(row)))
        tokens = [token for part in own for token in part]
        if tokens == whole or tokenizer.decode(tokens) == tokenizer.decode(whole):
            inside = [said for part, (_, said) in zip(own, row, strict=True) for _ in part]
            found.append(Masked(tokens, inside))
        else:
            found.append(_parted(sequence, whole, tokenizer))
    return found


def _parted(sequence: Spoken, whole: list[int], tokenizer: PreTrainedTokenizerBase) -> Masked:
    bounds = [at for span in sequence.spans for at in span]
    beginnings = _tokens(tokenizer, [sequence.text[:at] for at in bounds])
    places = [_same(beginning, whole) for beginning in beginnings]
    inside = [False] * len(whole)
    for start, end in zip(places[::2], places[1::2], strict=True):
        inside[start:end] = [True] * (end - start)
    return Masked(whole, inside)


def _same(beginning: Sequence[int], whole: Sequence[int]) -> int:
    pairs = enumerate(zip(beginning, whole, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(beginning), len(whole)))


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    if not texts:
        return []
    encoded: Any = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)
    return list(encoded["input_ids"])
