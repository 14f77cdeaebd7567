"""A small dataset of every configuration, with conversations and system turns in it."""

from pathlib import Path

import polars as pl

from tuneworks.factory.record import Answer, Message, Record
from tuneworks.trainers.rows import VIEWS

EARLIER = (
    Message("system", "Be short."),
    Message("user", "Name a fish."),
    Message("assistant", "The carp."),
)


def record(number: int) -> Record:
    """Of three records one is a question, one a question with a system turn, one a conversation."""
    asked = Message("user", f"Name another fish, number {number}.\nSay why.")
    prompt = ((asked,), (EARLIER[0], asked), (*EARLIER, asked))[number % 3]
    answers = [
        Answer(f"Trout {number}: 鱒.", "toy", {"reward": 1.0, "step 1": 1.0}),
        Answer("user", "toy", {"reward": 0.0}),
    ]
    return Record.born(prompt, answers=answers)


def build_dataset(folder: Path, train: int = 12, test: int = 4) -> Path:
    return file_records(folder, train=[record(n) for n in range(train)], test=[record(100 + n) for n in range(test)])


def file_records(folder: Path, **splits: list[Record]) -> Path:
    """Laid out as a run leaves it; a split without rows leaves no file."""
    for name, view in VIEWS.items():
        for split, records in splits.items():
            table = pl.DataFrame(list(view.rows(records)), schema=view.schema)
            if table.height:
                (folder / name).mkdir(parents=True, exist_ok=True)
                table.write_parquet(folder / name / f"{split}.parquet")
    return folder
