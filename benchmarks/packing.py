"""Supervised training with and without packing: seconds for the same rows, the loss tokens and what the model says.

The same rows pass forward and backward once through an adapter on the model, as a step of training does, in batches of
`--batch` rows padded to the longest, or one pack of 1024 tokens at a time. Both sides are in one process, turn about.

    OMP_NUM_THREADS=1 python benchmarks/packing.py --data alpaca_en_demo.json --rows 200
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import torch
from measuring import table

from tuneworks.factory.record import Answer, Record
from tuneworks.factory.seeds import task_prompt
from tuneworks.factory.weights import SMOLLM2
from tuneworks.trainers.job import open_job
from tuneworks.trainers.rows import VIEWS
from tuneworks.trainers.sft import Sft

LENGTH = 1024


def records(path: Path, start: int, count: int) -> list[Record]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    random.Random(0).shuffle(rows)
    made = [Record.born(task_prompt(r["instruction"], r["input"]), answers=[Answer(r["output"])]) for r in rows]
    return [record for record in made if record.answers[0].text.strip()][start : start + count]


def trainer_of(data: Path, into: Path, model: str, batch: int, packing: bool) -> Any:
    args = {"max_length": LENGTH, "per_device_train_batch_size": batch, "packing": packing, "learning_rate": 0.0}
    trainer = Sft(model=model, args=args)
    into.mkdir()
    return trainer.build(open_job(trainer, trainer.plan(data, 0), into, print))


def seconds(trl: Any, batches: list[Any]) -> tuple[float, float]:
    """Of one pass over the batches, and the mean loss of their learned tokens."""
    trl.model.train()
    learned = sum(int((batch["labels"][:, 1:] != -100).sum()) for batch in batches)
    began, loss = time.perf_counter(), 0.0
    for batch in batches:
        with trl.accelerator.autocast():
            found = trl.compute_loss(trl.model, dict(batch), num_items_in_batch=learned)
        found.backward()
        trl.model.zero_grad()
        loss += float(found)
    return time.perf_counter() - began, loss


def places(batches: list[Any]) -> Iterator[int]:
    for batch in batches:
        yield batch["input_ids"].numel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--start", type=int, default=0, help="rows before the first one measured")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--model", default=SMOLLM2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        view, data = VIEWS["sft"], Path(folder) / "data"
        (data / "sft").mkdir(parents=True)
        rows = pl.DataFrame(list(view.rows(records(given.data, given.start, given.rows))), schema=view.schema)
        rows.write_parquet(data / "sft/train.parquet")
        trls = {
            "rows": trainer_of(data, Path(folder) / "rows", given.model, given.batch, False),
            "packed": trainer_of(data, Path(folder) / "packed", given.model, 1, True),
        }
        batches = {name: list(trl.get_train_dataloader()) for name, trl in trls.items()}
        torch.manual_seed(0)
        times: dict[str, list[float]] = {name: [] for name in trls}
        losses: dict[str, float] = {}
        for _ in range(given.rounds):
            for name, trl in trls.items():
                took, losses[name] = seconds(trl, batches[name])
                times[name].append(took)
        shown = []
        for name, trl in trls.items():
            learned = sum(trl.mixture.in_loss.values())
            filled = sum(len(ids) for ids in trl.train_dataset["input_ids"]) / sum(places(batches[name]))
            best = min(times[name])
            shown.append((name, len(batches[name]), learned, f"{filled:.0%}", best, losses[name]))
        columns = ("batches of", "batches", "tokens in the loss", "places filled", "seconds", "mean loss")
        table(f"{len(rows)} rows, batches of {given.batch} or packs of {LENGTH} tokens", columns, shown)
        print(f"\nratio {min(times['rows']) / min(times['packed']):.2f}")


if __name__ == "__main__":
    main()
