"""Rows of `steps` as tokens with verdicts to learn, and what a model says of held-out ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from datasets import Dataset, Features, Value

from tuneworks.factory.rewards.step_model import BATCH, probabilities
from tuneworks.factory.step_tokens import Laid, laid_out, signs_of
from tuneworks.trainers.groups import pad_of
from tuneworks.trainers.job import Job
from tuneworks.trainers.log_probabilities import IGNORED
from tuneworks.trainers.masks import Masked
from tuneworks.trainers.process import Neutral
from tuneworks.trainers.step_accuracy import Judged, measured, right

MEASURED = 500
"""Most held-out answers that are judged."""


def step_tokens(job: Job, rows: Dataset, neutral: Neutral) -> Dataset:
    """Columns input_ids and labels; labels are a verdict's token after each step that has one, -100 elsewhere."""
    signs = signs_of(job.tokenizer, job.trainer.model)

    def tokens(row: Mapping[str, Any]) -> dict[str, Any]:
        laid = laid_out(job.tokenizer, signs, row["prompt"], row["completions"])
        labels = [IGNORED] * len(laid.tokens)
        for place, label in zip(laid.places, row["labels"], strict=True):
            verdict = right(label, neutral)
            if verdict is not None:
                labels[place + 1] = signs.good if verdict else signs.bad
        return {"input_ids": laid.tokens, "labels": labels}

    # Left to itself the new column of labels would keep the numbers of the old one, and be floats.
    whole = Features({name: [Value("int64")] for name in ("input_ids", "labels")})
    return rows.map(tokens, remove_columns=rows.column_names, features=whole)


def steps_masked(prepared: Dataset) -> Iterator[Masked]:
    """Each answer with its verdicts where they are learned."""
    for row in prepared:
        labels = row["labels"]
        shown = [token if label == IGNORED else label for token, label in zip(row["input_ids"], labels, strict=True)]
        yield Masked(shown, [label != IGNORED for label in labels])


def held_out_steps(job: Job, model: Any, neutral: Neutral) -> dict[str, Any] | None:
    """How well steps are judged; None where there is no held-out answer that fits."""
    judged = list(_judged(job, model, neutral)) if job.test is not None else []
    if not any(verdict is not None for one in judged for verdict in one.labels):
        job.say("no held-out step has a label: how well steps are judged is not measured")
        return None
    found = measured(judged)
    balanced, first = found["balanced_accuracy"], found["first_error"]
    job.say(
        f"held-out: {found['accuracy']:.1%} of {found['steps']} steps judged right (the commoner verdict alone: "
        f"{found['majority_share']:.1%}; balanced: {'unknown' if balanced is None else f'{balanced:.1%}'}); "
        f"the first error, or that there is none, found in {first['found']} of {first['answers']} answers"
    )
    return found


def _judged(job: Job, model: Any, neutral: Neutral) -> Iterator[Judged]:
    assert job.test is not None
    signs = signs_of(job.tokenizer, job.trainer.model)
    limit = job.arguments.get("max_length")
    rows = [(row, laid_out(job.tokenizer, signs, row["prompt"], row["completions"])) for row in _first(job.test)]
    fitting: list[tuple[Mapping[str, Any], Laid]] = [
        (row, laid) for row, laid in rows if limit is None or len(laid.tokens) <= limit
    ]
    for at in range(0, len(fitting), BATCH):
        batch = fitting[at : at + BATCH]
        found = probabilities(model, [laid for _, laid in batch], signs, pad_of(job.tokenizer))
        for (row, _), said in zip(batch, found, strict=True):
            yield Judged([right(label, neutral) for label in row["labels"]], said)


def _first(rows: Dataset) -> Dataset:
    return rows.select(range(min(len(rows), MEASURED)))
