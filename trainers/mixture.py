"""Mixture: what a supervised training learns from: its rows, rows of the trainings before, and plain text.

Shares are of the tokens in the loss, which is what the gradient is a mean over; shares of rows would give long answers
more than was asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from datasets import Dataset, concatenate_datasets

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import InputError
from tuneworks.factory.record import fingerprint
from tuneworks.trainers.labelled import BATCH, TRAINED, Labelling
from tuneworks.trainers.log_probabilities import IGNORED
from tuneworks.trainers.plain_text import Windows, window_length, windows
from tuneworks.trainers.plan import Earlier, Plan

DRAWN = (*TRAINED, "in_loss", "length")
"""The columns that a draw of rows looks at."""

ROWS, REPLAY, TEXT = "rows", "replay", "pretraining"


@dataclass(frozen=True, slots=True)
class Mixture:
    train: Dataset
    rows: Dataset
    """Those of the training itself, of which something is in the loss."""
    test: Dataset | None
    lengths: Sequence[int]
    """Tokens of each sequence of the rows before it was cut."""
    kept: int
    """Sequences of the rows of which something is left to learn."""
    turned: int
    """Sequences that hold one turn of a conversation whose others are in sequences of their own."""
    in_loss: Mapping[str, int]
    """Tokens in the loss by part: rows, replay, pretraining."""
    held_out_text: Sequence[Sequence[int]] = ()


def mixed(
    train: Dataset, test: Dataset | None, plan: Plan, labelling: Labelling, replay: float, text: float
) -> Mixture:
    """`replay` and `text` are shares of all tokens in the loss."""
    own = labelling.dataset(train)
    rows = _learned(own)
    counted, parts = {ROWS: sum(own["in_loss"])}, [rows]
    fewer = counted[ROWS] / (1 - replay - text)
    if replay:
        parts.append(_replayed(plan, labelling, round(fewer * replay), train))
        counted[REPLAY] = _in_loss(parts[-1])
    cut = Windows([], [])
    if text:
        wanted = round(sum(counted.values()) * text / (1 - text))
        cut = _text(plan, labelling, wanted, max(own["length"], default=0))
        parts.append(Dataset.from_dict({"input_ids": cut.learned, "labels": [_all_but_first(w) for w in cut.learned]}))
        counted[TEXT] = _in_loss(parts[-1])
    return Mixture(
        spread(parts),
        rows,
        _learned(labelling.dataset(test)) if test is not None else None,
        list(own["length"]),
        len(rows) if counted[ROWS] else 0,
        sum(own["one_turn"]),
        counted,
        cut.held_out,
    )


def _in_loss(rows: Dataset) -> int:
    return sum(label != IGNORED for labels in rows["labels"] for label in labels)


def spread(parts: Sequence[Dataset]) -> Dataset:
    """The parts as one, each spread evenly over the whole."""
    filled = [part for part in parts if len(part)]
    if len(filled) < 2:
        return filled[0] if filled else parts[0]
    places = [(at + 0.5) / len(part) for part in filled for at in range(len(part))]
    order = sorted(range(len(places)), key=places.__getitem__)
    return concatenate_datasets([part.cast(filled[0].features) for part in filled]).select(order)


def _learned(rows: Dataset) -> Dataset:
    """What TRL reads, without rows of which nothing is left in the loss; all of them where that is so of every one, for
    they are refused by their lengths."""
    kept = [at for at, count in enumerate(rows["in_loss"]) if count]
    found = rows.select_columns(list(TRAINED))
    return found.select(kept) if 0 < len(kept) < len(rows) else found


def _replayed(plan: Plan, labelling: Labelling, wanted: int, own: Dataset) -> Dataset:
    """Rows of the trainings before in the order of a draw, up to the one with which they come nearest to the tokens
    wanted; of each the turns that its own training learned. Rows that are trained on anyway are not drawn, nor those
    that would be cut."""
    trained = {_fingerprint(row) for row in own}
    rows = [(row, earlier) for earlier in plan.replayed for row in _rows(earlier) if _fingerprint(row) not in trained]
    if not rows:
        raise InputError(
            f"replay has no rows to draw: all of {_names(plan.replayed)} are among those trained on; train on another "
            "split or dataset, or leave replay out"
        )
    Dice(plan.seed, REPLAY).random().shuffle(rows)
    taken: dict[str, list[Any]] = {name: [] for name in TRAINED}
    missing = wanted
    for at in range(0, len(rows), BATCH):
        columns = labelling.columns([(row["prompt"], row["completion"], e.turns) for row, e in rows[at : at + BATCH]])
        for tokens, labels, count, length in zip(*(columns[name] for name in DRAWN), strict=True):
            if labelling.max_length is not None and length > labelling.max_length:
                continue
            if abs(missing - count) >= missing:
                return Dataset.from_dict(taken)
            taken["input_ids"].append(tokens)
            taken["labels"].append(labels)
            missing -= count
    if missing > 0:
        raise InputError(
            f"replay wants {wanted:,} tokens in the loss of the rows of {_names(plan.replayed)}, which have "
            f"{wanted - missing:,} in rows within max_length; lower replay"
        )
    return Dataset.from_dict(taken)


def _text(plan: Plan, labelling: Labelling, wanted: int, longest: int) -> Windows:
    assert plan.texts is not None  # the plan of a training with a share of text names its file
    texts = pl.read_parquet(plan.texts.file, columns=["text"])["text"].to_list()
    Dice(plan.seed, TEXT).random().shuffle(texts)
    return windows(texts, labelling.tokenizer, wanted, window_length(longest, labelling.max_length))


def _rows(earlier: Earlier) -> Iterator[Mapping[str, Any]]:
    assert earlier.train is not None
    return pl.read_parquet(earlier.train.file, columns=["prompt", "completion"]).iter_rows(named=True)


def _fingerprint(row: Mapping[str, Any]) -> str:
    return fingerprint([row["prompt"], row["completion"]])


def _all_but_first(window: Sequence[int]) -> list[int]:
    return [IGNORED, *window[1:]]


def _names(trainings: Sequence[Earlier]) -> str:
    return " and ".join(earlier.name for earlier in trainings)
