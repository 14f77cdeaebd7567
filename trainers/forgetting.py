"""What a training costs those before it: the loss of their held-out rows, before and after."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from tuneworks.factory.weights import Say
from tuneworks.trainers.job import Job
from tuneworks.trainers.masks import encode
from tuneworks.trainers.plan import Earlier, held_out_ids
from tuneworks.trainers.steering import nlls

ANSWERS = ("completion", "chosen")
"""The columns that a model is to answer with, of which the rows of a training have one."""

MEASURED = 200
"""Most held-out rows of a training that are measured."""


def earlier_losses(model: Any, job: Job) -> dict[str, float]:
    """For each training before, by name: the mean loss, in nats per token, of the answers it was to learn."""
    training = model.training
    model.eval()
    found = {earlier.name: _loss(earlier, model, job) for earlier in job.plan.earlier}
    model.train(training)
    return {name: loss for name, loss in found.items() if loss is not None}


def forgotten(before: Mapping[str, float], after: Mapping[str, float], say: Say) -> dict[str, Any]:
    for name in before:
        say(f"held-out loss of {name}: {before[name]:.4f} before this training, {after[name]:.4f} after")
    return {
        "held_out_loss_of_earlier": {name: {"before": before[name], "after": after[name]} for name in before},
    }


def _loss(earlier: Earlier, model: Any, job: Job) -> float | None:
    rows, ids = pl.read_parquet(earlier.file), held_out_ids(earlier.file, earlier.split)
    rows = (rows if ids is None else rows.filter(pl.col("id").is_in(list(ids)))).head(MEASURED)
    column = next((name for name in ANSWERS if name in rows.columns), None)
    if column is None:
        return None
    encoded = [encode(job.tokenizer, row["prompt"], row[column]) for row in rows.iter_rows(named=True)]
    limit = job.arguments.get("max_length")
    whole = [(tokens[:limit], start) for tokens, start in encoded if start < len(tokens[:limit])]
    counts = [len(tokens) - start for tokens, start in whole]
    if not counts:
        return None
    total = sum(loss * count for loss, count in zip(nlls(whole, model, job), counts, strict=True))
    return total / sum(counts)
