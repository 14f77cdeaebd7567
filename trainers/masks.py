"""Which tokens a training learns from, counted and shown before it begins.

A wrong mask is silent: the loss falls all the same, on the wrong words. So the tokens TRL has prepared
are read back, and a training that would learn from no answer, from cut answers, or never to stop is
refused.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tuneworks.factory.errors import InputError, TuneworksError

MOST_CUT = 0.2
"""The largest share of rows that may be longer than max_length."""

SHOWN = 300
"""Characters shown of each end of a long span."""


class Masked(NamedTuple):
    """One sequence as it is trained on; both have the shape (time,)."""

    tokens: Sequence[int]
    in_loss: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of the rows before they were cut, packed and mixed."""

    lengths: Sequence[int]
    """Tokens of each row as written, of the longest answer where there are several."""
    kept: int
    """Rows of which something is trained on."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Of a mixture, the tokens in the loss by what they are of."""
    turned: int = 0
    """Rows that are one turn of a conversation whose others are rows of their own."""
    answers: Iterable["Masked"] | None = None
    """The rows alone, where they are trained on with others."""
    split: bool = False
    """Whether longer rows are split, and not cut."""


@dataclass(frozen=True, slots=True)
class MaskReport:
    rows: int
    dropped: int
    """Rows of whose answer nothing is left within max_length."""
    cut: int
    """Rows longer than max_length, the dropped ones among them."""
    tokens: int
    in_loss: int
    max_length: int | None
    lengths: Sequence[int]
    """Tokens of each row as written, of the longest answer where there are several."""
    ended: int
    """Sequences whose part in the loss holds a token that ends a reply."""
    spans: Sequence[tuple[bool, str]]
    """The first sequence as decoded text: whether it is in the loss, and the text."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Of a mixture, the tokens in the loss by what they are of."""
    turned: int = 0
    """Rows that are one turn of a conversation whose others are rows of their own."""
    split: bool = False
    """Whether longer rows are split, and not cut."""

    def lines(self) -> list[str]:
        limit = f"max_length {self.max_length}" if self.max_length else "no max_length"
        does = "splits" if self.split else "cuts"
        share = self.in_loss / max(self.tokens, 1)
        return [
            f"{self.rows} rows, the longest of {max(self.lengths)} tokens; {limit} {does} {self.cut} and drops "
            f"{self.dropped}",
            *self._mixed(),
            f"{self.in_loss} of {self.tokens} tokens are in the loss ({share:.0%}); the first row:",
            *(f"  {'in the loss ' if inside else 'not learned '} {_shown(text)}" for inside, text in self.spans),
        ]

    def _mixed(self) -> list[str]:
        lines = list[str]()
        if self.turned:
            lines.append(
                f"{self.turned} rows are single turns of conversations: the chat template writes an earlier turn "
                "otherwise once others follow"
            )
        if len(self.parts) > 1:
            each = (f"{tokens} ({tokens / max(self.in_loss, 1):.1%}) of {name}" for name, tokens in self.parts.items())
            lines.append(f"tokens in the loss: {', '.join(each)}")
        return lines

    def refuse(self, file: str, *, writes: bool = True) -> None:
        """Raise InputError when this must not be trained on; a model that `writes` must learn where to stop."""
        if self.cut > MOST_CUT * self.rows and self.max_length:
            ordered = sorted(self.lengths)
            enough = ordered[min(int(len(ordered) * (1 - MOST_CUT)), len(ordered) - 1)]
            end = "be split from their question" if self.split else "lose their end"
            raise InputError(
                f"{self.cut} of {self.rows} rows in {file} are longer than max_length {self.max_length} and "
                f"would {end}; set max_length under args to {ordered[-1]} to hold all of them "
                f"(to {enough} to hold four fifths), or filter by length"
            )
        if self.in_loss == 0:
            raise InputError(
                f"no token of {file} would be in the loss; "
                "give the rows answers, and under args a max_length with room for them"
            )
        if writes and self.ended == 0:
            raise InputError(
                f"no answer in {file} ends in the model's end token once the chat template is applied, so "
                "the model would never learn to stop; name a model whose chat template ends turns with it"
            )


def report(
    masked: Iterable[Masked],
    counted: Counted,
    max_length: int | None,
    tokenizer: PreTrainedTokenizerBase,
    ends: frozenset[int],
) -> MaskReport:
    """`masked` is what TRL holds, `ends` are the tokens that end a reply. Raises TuneworksError where TRL has lost
    tokens that were counted."""
    tokens = in_loss = ended = 0
    spans: list[tuple[bool, str]] = []
    for sequence in masked:
        spans = spans or _spans(sequence, tokenizer)
        tokens += len(sequence.tokens)
        in_loss += sum(sequence.in_loss)
        ended += counted.answers is None and _ends(sequence, ends)
    if counted.answers is not None:
        ended = sum(_ends(sequence, ends) for sequence in counted.answers)
    if counted.parts and sum(counted.parts.values()) != in_loss:
        raise TuneworksError(
            f"of {sum(counted.parts.values())} tokens in the loss TRL has kept {in_loss}; leave packing and "
            "dataset_kwargs under args out"
        )
    lengths = counted.lengths
    cut = sum(length > max_length for length in lengths) if max_length else 0
    rows = len(lengths)
    mixed = (counted.parts, counted.turned, counted.split)
    return MaskReport(rows, rows - counted.kept, cut, tokens, in_loss, max_length, lengths, ended, spans, *mixed)


def _ends(sequence: Masked, ends: frozenset[int]) -> bool:
    return any(inside and token in ends for token, inside in zip(*sequence, strict=True))


def encode(
    tokenizer: PreTrainedTokenizerBase, prompt: list[dict[str, str]], completion: list[dict[str, str]]
) -> tuple[list[int], int]:
    """The tokens of a conversation, and where its completion begins: where it parts from the prompt alone."""
    alone = _tokens(tokenizer, prompt, answering=True)
    whole = _tokens(tokenizer, prompt + completion, answering=False)
    same = next((i for i, (a, b) in enumerate(zip(alone, whole, strict=False)) if a != b), len(alone))
    return whole, same


def lengths_of(
    rows: Dataset,
    answers_of: Callable[[Mapping[str, Any]], Sequence[list[dict[str, str]]]],
    tokenizer: PreTrainedTokenizerBase,
) -> list[int]:
    """Tokens of each row, with the longest of its answers."""
    return [
        max(len(_tokens(tokenizer, row["prompt"] + answer, answering=False)) for answer in answers_of(row))
        for row in rows
    ]


def sft_masked(prepared: Dataset) -> Iterator[Masked]:
    for row in prepared:
        yield Masked(row["input_ids"], [label != -100 for label in row["labels"]])


def preference_masked(prepared: Dataset, max_length: int | None) -> Iterator[Masked]:
    """Each pair as two sequences, cut as TRL's collator cuts them."""
    for row in prepared:
        for answer in (row["chosen_ids"], row["rejected_ids"]):
            in_loss = [False] * len(row["prompt_ids"]) + [True] * len(answer)
            yield Masked((row["prompt_ids"] + answer)[:max_length], in_loss[:max_length])


def unpaired_masked(prepared: Dataset, max_length: int | None) -> Iterator[Masked]:
    """Each answer once, cut as TRL's collator cuts it; the mismatched ones of the KL term carry no gradient."""
    for row in prepared:
        in_loss = [False] * len(row["prompt_ids"]) + [True] * len(row["completion_ids"])
        yield Masked((row["prompt_ids"] + row["completion_ids"])[:max_length], in_loss[:max_length])


def _tokens(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, answering: bool) -> list[int]:
    encoded: Any = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, add_generation_prompt=answering
    )
    return list(encoded["input_ids"])


def _spans(sequence: Masked, tokenizer: PreTrainedTokenizerBase) -> list[tuple[bool, str]]:
    bounds = [0]
    for _, run in groupby(sequence.in_loss):
        bounds.append(bounds[-1] + len(list(run)))
    return [
        (bool(sequence.in_loss[start]), str(tokenizer.decode(list(sequence.tokens[start:end]))))
        for start, end in pairwise(bounds)
    ]


def _shown(text: str) -> str:
    if len(text) > 2 * SHOWN:
        text = f"{text[:SHOWN]} [...] {text[-SHOWN:]}"
    return json.dumps(text, ensure_ascii=False)
