"""Groups: the answers to one prompt with their rewards, as tokens; what losses over rankings train on.

A row of `ranked` is a group of K answers; one of `preference` a group of two, of which the chosen one has the reward 1
and the rejected one 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tuneworks.trainers.masks import Masked, encode


def answers_of(row: Mapping[str, Any]) -> list[Any]:
    """Each answer of a row of ranked or preference, as turns, the best first."""
    return list(row["completions"]) if "completions" in row else [row["chosen"], row["rejected"]]


def grouped(rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Columns: `sequences`, tokens of prompt and answer, a list an answer; `starts`, where each answer begins;
    `rewards`, one an answer; `margin`, of a pair's rewards, 0 where nobody knows."""

    def group(row: Mapping[str, Any]) -> dict[str, Any]:
        encoded = [encode(tokenizer, row["prompt"], answer) for answer in answers_of(row)]
        return {
            "sequences": [tokens for tokens, _ in encoded],
            "starts": [start for _, start in encoded],
            "rewards": row["rewards"] if "completions" in row else [1.0, 0.0],
            "margin": row.get("margin") or 0.0,  # null where one of the pair has no reward
        }

    return rows.map(group, remove_columns=rows.column_names)


def without_longer(groups: Dataset, max_length: int | None) -> Dataset:
    """Only groups that fit whole: a score that is read before the end of its answer is of another answer."""
    if max_length is None:
        return groups
    return groups.filter(lambda group: max(map(len, group["sequences"])) <= max_length)


def with_answers(groups: Dataset, max_length: int | None) -> Dataset:
    """Only groups of which some of every answer is left when sequences are cut."""
    if max_length is None:
        return groups
    return groups.filter(lambda group: max(group["starts"]) < max_length)


def answers_masked(groups: Dataset, max_length: int | None) -> Iterator[Masked]:
    """Each answer as a sequence, cut as the collator cuts it; all answers are in the loss."""
    for group in groups:
        for tokens, start in zip(group["sequences"], group["starts"], strict=True):
            yield Masked(tokens[:max_length], [place >= start for place in range(len(tokens))][:max_length])


def scores_masked(groups: Dataset, pad: int, *, best_learned: bool) -> Iterator[Masked]:
    """Each answer as a sequence. In the loss is the token its score is read at, the last that is no pad, and with
    `best_learned` the whole best answer."""
    for group in groups:
        best = best_of(group["rewards"])
        for at, (tokens, start) in enumerate(zip(group["sequences"], group["starts"], strict=True)):
            read = max(place for place, token in enumerate(tokens) if token != pad)
            learned = best_learned and at == best
            yield Masked(tokens, [place == read or (learned and place >= start) for place in range(len(tokens))])


def best_of(rewards: Sequence[float]) -> int:
    """The place of the highest reward, of equals the first."""
    return max(range(len(rewards)), key=rewards.__getitem__)


@dataclass(frozen=True, slots=True)
class GroupCollator:
    """Groups as one flat batch: all sequences below each other, and how many belong to each group."""

    pad: int
    max_length: int | None = None

    def __call__(self, groups: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """input_ids, attention_mask and labels (sequences, time), rewards (sequences,), sizes and margin (groups,);
        targets (sequences, objectives) where the groups have them.

        Labels are the answers' tokens, -100 elsewhere. Sequences are padded on the right.
        """
        sequences = [torch.tensor(tokens[: self.max_length]) for group in groups for tokens in group["sequences"]]
        starts = [start for group in groups for start in group["starts"]]
        labels = [tokens.clone() for tokens in sequences]
        for of, start in zip(labels, starts, strict=True):
            of[:start] = -100
        batch = {
            "input_ids": padded(sequences, self.pad),
            "attention_mask": padded([torch.ones_like(tokens) for tokens in sequences], 0),
            "labels": padded(labels, -100),
            "rewards": torch.tensor([reward for group in groups for reward in group["rewards"]]),
            "sizes": torch.tensor([len(group["rewards"]) for group in groups]),
            "margin": torch.tensor([float(group["margin"]) for group in groups]),
        }
        if "targets" in groups[0]:
            batch["targets"] = torch.tensor([target for group in groups for target in group["targets"]])
        return batch


def pad_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """As TRL chooses it."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    assert isinstance(pad, int)  # a chat model's tokenizer has an end token
    return pad


def padded(sequences: list[torch.Tensor], value: int) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=value)
