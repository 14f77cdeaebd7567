"""Groups whose answers have a target for each objective, and how near a trained model comes to them."""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset

from tuneworks.trainers.folding import agreement, fold, outputs_of, require_exact
from tuneworks.trainers.groups import grouped, pad_of, without_longer
from tuneworks.trainers.job import Job
from tuneworks.trainers.objectives import Objective, combined, given, targets

MEASURED = 200
"""Most held-out rankings that are measured."""

GIVEN = "given"


def scored_groups(job: Job, rows: Dataset, names: Sequence[str], max_length: int | None) -> Dataset:
    """The rankings that fit and whose answers have all the scores; these are in the column `given`."""
    whole = rows.filter(lambda row: given(row, names) is not None)
    groups = grouped(whole, job.tokenizer).add_column(GIVEN, [given(row, names) for row in whole])
    return without_longer(groups, max_length)


def with_targets(groups: Dataset, objectives: Sequence[Objective]) -> Dataset:
    """`targets` are standardised, (answers, objectives); `rewards` become their weighted sums."""

    def learned(group: dict[str, Any]) -> dict[str, Any]:
        wanted = [targets(answer, objectives) for answer in group[GIVEN]]
        return {"targets": wanted, "rewards": [combined(answer, objectives) for answer in wanted]}

    return groups.map(learned, remove_columns=GIVEN)


def measured_and_folded(job: Job, model: Any, objectives: Sequence[Objective]) -> dict[str, Any]:
    """Metrics of the held-out rankings; then `model` has one output, checked to be the weighted sum of the others."""
    names, limit, pad = [one.name for one in objectives], job.arguments["max_length"], pad_of(job.tokenizer)
    weights = [objective.weight for objective in objectives]
    held_out = scored_groups(job, job.test, names, limit) if job.test is not None else None
    groups = held_out if held_out is not None and len(held_out) else scored_groups(job, job.train, names, limit)
    few = with_targets(groups.select(range(min(len(groups), MEASURED))), objectives)
    outputs = outputs_of(model, few, pad)
    fold(model, weights)
    difference = require_exact(outputs, outputs_of(model, few, pad), weights)
    job.say(f"the {len(weights)} outputs are folded into one, which differs from their sum by {difference:.1g}")
    if groups is not held_out:
        job.say("no held-out ranking has all the scores: how well the objectives are learned is not measured")
        return {"fold_max_difference": difference, "held_out_objectives": None}
    return {"fold_max_difference": difference, "held_out_objectives": _measured(job, outputs, few, objectives)}


def _measured(
    job: Job, outputs: Sequence[torch.Tensor], groups: Dataset, objectives: Sequence[Objective]
) -> dict[str, Any]:
    """Pair accuracy and correlation of each objective, and of the combined score with the combined target."""
    wanted = [torch.tensor(group["targets"], dtype=torch.float64) for group in groups]
    each = {
        objective.name: agreement([own[:, at] for own in outputs], [want[:, at] for want in wanted])
        for at, objective in enumerate(objectives)
    }
    weights = torch.tensor([objective.weight for objective in objectives], dtype=torch.float64)
    together = agreement([own @ weights for own in outputs], [want @ weights for want in wanted])
    for name, found in (*each.items(), ("the combined score", together)):
        job.say(f"held-out {name}: pair accuracy {_said(found['accuracy'])}, correlation {_said(found['correlation'])}")
    return {"each": each, "combined": together}


def _said(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
