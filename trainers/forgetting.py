"""What a training costs: the loss of the held-out rows of those before it, and of plain text, before and after."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import torch

from tuneworks.factory.weights import Say
from tuneworks.trainers.job import Job
from tuneworks.trainers.labelled import renderer, tokenised
from tuneworks.trainers.log_probabilities import IGNORED, from_logits
from tuneworks.trainers.masks import Masked
from tuneworks.trainers.plan import Earlier, held_out_ids
from tuneworks.trainers.spoken import spoken
from tuneworks.trainers.steering import BATCH, autocast

ANSWERS = ("completion", "chosen")
"""The columns that a model is to answer with, of which the rows of a training have one."""

MEASURED = 200
"""Most held-out rows of a training that are measured."""


def earlier_losses(model: Any, job: Job) -> dict[str, float]:
    """For each training before, by name: the mean loss, in nats per token, of the answers it was to learn."""
    found = {earlier.name: mean_loss(_sequences(earlier, job), model, job) for earlier in job.plan.earlier}
    return {name: loss for name, loss in found.items() if loss is not None}


def text_loss(windows: Iterable[Sequence[int]], model: Any, job: Job) -> float | None:
    """The mean loss, in nats per token, of plain text; None where there is none."""
    return mean_loss([Masked(window, [False] + [True] * (len(window) - 1)) for window in windows], model, job)


def forgotten(before: Mapping[str, float], after: Mapping[str, float], say: Say) -> dict[str, Any]:
    for name in before:
        say(f"held-out loss of {name}: {before[name]:.4f} before this training, {after[name]:.4f} after")
    return {
        "held_out_loss_of_earlier": {name: {"before": before[name], "after": after[name]} for name in before},
    }


def text_forgotten(before: float | None, after: float | None, say: Say) -> dict[str, Any]:
    if before is None or after is None:
        return {}
    say(f"held-out loss of plain text: {before:.4f} before this training, {after:.4f} after")
    return {"held_out_loss_of_text": {"before": before, "after": after}}


def mean_loss(sequences: Sequence[Masked], model: Any, job: Job) -> float | None:
    """Over all tokens in the loss, in nats; sequences are cut at max_length."""
    limit = job.arguments.get("max_length")
    cut = [Masked(one.tokens[:limit], one.in_loss[:limit]) for one in sequences]
    whole = [one for one in cut if any(one.in_loss[1:])]
    count = sum(sum(one.in_loss[1:]) for one in whole)
    training = model.training
    model.eval()
    total = sum(_loss_sums(whole, model, job))
    model.train(training)
    return total / count if count else None


@torch.inference_mode()
def _loss_sums(sequences: Sequence[Masked], model: Any, job: Job) -> Iterator[float]:
    pad: Any = job.tokenizer.pad_token_id
    for first in range(0, len(sequences), BATCH):
        batch = sequences[first : first + BATCH]
        width = max(len(one.tokens) for one in batch)
        ids = torch.full((len(batch), width), pad)
        attention, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
        for row, (tokens, in_loss) in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(list(tokens))
            attention[row, : len(tokens)] = 1
            labels[row, : len(tokens)] = torch.where(torch.tensor(list(in_loss)), ids[row, : len(tokens)], IGNORED)
        with autocast(job):
            logits = model(input_ids=ids.to(model.device), attention_mask=attention.to(model.device)).logits
        # A learned prompt stands before the text.
        yield -float(from_logits(logits[:, -width:], labels.to(model.device)).sum())


def _sequences(earlier: Earlier, job: Job) -> list[Masked]:
    """What the training was to learn of its held-out rows."""
    if not earlier.file:
        return []
    rows, ids = pl.read_parquet(earlier.file), held_out_ids(earlier.file, earlier.split)
    rows = (rows if ids is None else rows.filter(pl.col("id").is_in(list(ids)))).head(MEASURED)
    column = next((name for name in ANSWERS if name in rows.columns), None)
    if column is None:
        return []
    render = renderer(job.tokenizer)
    each = [spoken(row["prompt"], row[column], earlier.turns, render) for row in rows.iter_rows(named=True)]
    return tokenised([sequence for row in each for sequence in row], job.tokenizer)
