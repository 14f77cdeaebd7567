"""`tuneworks prove`: make the arms of a run, have them trained, and say what their held-out losses tell."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.weights import SMOLLM2, Say, locate
from tuneworks.pipelines.proving.arms import BASE, KEPT, REJECTED, Arms, arms_of, held_out_rows
from tuneworks.pipelines.proving.intervals import LEVEL, RESAMPLES
from tuneworks.pipelines.proving.pool import pool_of
from tuneworks.pipelines.proving.verdicts import Losses, Proof, told
from tuneworks.pipelines.recipe import Recipe
from tuneworks.trainers.launch import FAILURE, launch
from tuneworks.trainers.plan import weights_of
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trials.plan import ROWS, SMALLER, Rows, Schedule, TrialsPlan, read_json, result_file, write_json

PROVE, PROOF = "prove", "prove.json"
"""The folder in a run's, and what it ends in."""

WORKER = "tuneworks.trainers.trials.worker"

FEWEST, FEW = 8, 30
"""Held-out rows that are needed, and below which an interval will be wide."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for."""

    arms: Sequence[str] | None = None
    """Names, or None for all."""
    seeds: int = 3
    tokens: int | None = None
    """Tokens in the loss of each training; None is what the smallest arm has."""
    rows: int = 200
    """Most held-out rows to measure on."""
    model: str | None = None
    """None is that of the recipe's first `sft`, else smollm2."""


def prove(recipe: Recipe, folder: Path, wanted: Wanted, say: Say) -> Proof:
    """Train what has no result yet and leave `prove/prove.json` in the run's folder; whatever is trained is kept."""
    model = wanted.model or _model(recipe)
    Sft(model=model).check()
    locate(model)
    pool = pool_of(recipe, folder)
    held_out, groups = held_out_rows(pool.held_out, wanted.rows, recipe.seed)
    if held_out.height < FEWEST:
        raise InputError(
            f"{held_out.height} held-out rows are too few to tell anything, {FEWEST} are needed; raise holdout in the "
            "recipe or make more records, then: tuneworks build RECIPE --update"
        )
    arms = arms_of(pool, folder, wanted.arms, recipe.seed)
    into = folder / PROVE
    plan = TrialsPlan(
        model=model,
        weights=weights_of(model),
        seed=recipe.seed,
        seeds=wanted.seeds,
        tokens=wanted.tokens,
        arms={arm.name: _written(arm.rows, into, arm.name, arm.draw) for arm in arms.arms},
        held_out=_written(held_out, into, "held-out"),
    )
    plan.write(into)
    (into / FAILURE).unlink(missing_ok=True)
    launch(into, say, SMALLER, WORKER)
    return _proved(recipe.name, into, plan, arms, groups)


def _model(recipe: Recipe) -> str:
    return next((trainer.model for trainer in recipe.train if isinstance(trainer, Sft)), SMOLLM2)


def _written(rows: pl.DataFrame, into: Path, name: str, draw: int | None = None) -> Rows:
    """The file is named by the arm; results are found by what is in it, whatever Parquet makes of that."""
    file = into / ROWS / f"{name.replace(' ', '-').replace(os.sep, '-')}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.part")
    rows.write_parquet(half)
    half.rename(file)
    return Rows(str(file), hashlib.sha256(rows.write_json().encode()).hexdigest(), draw)


def _proved(run: str, into: Path, plan: TrialsPlan, arms: Arms, groups: Sequence[int]) -> Proof:
    schedule = Schedule.read(into)
    losses = _losses(into, schedule)
    rows = {arm: found["rows"] for arm, found in schedule.arms.items()}
    of = [groups[row["at"]] for row in schedule.held_out]
    lines = told(losses, rows, schedule.budget, of)
    notes = [*_notes(plan, schedule), *arms.notes]
    proof = Proof(run, plan.model, plan.seeds, schedule.budget, schedule.steps, len(of), lines, notes)
    write_json(into / PROOF, _content(proof, schedule, losses, of))
    return proof


def _losses(into: Path, schedule: Schedule) -> dict[str, Losses]:
    """Of each arm the loss by seed and held-out row."""

    def read(keys: Sequence[str]) -> Losses:
        return np.array([read_json(result_file(into, key))["losses"] for key in keys], dtype=np.float64)

    return {BASE: read([schedule.base]), **{arm: read(keys) for arm, keys in schedule.trials.items()}}


def _notes(plan: TrialsPlan, schedule: Schedule) -> list[str]:
    notes = []
    if plan.tokens is None and schedule.smallest != KEPT:
        notes.append(
            f"All learn from {schedule.budget:,} tokens, for {schedule.smallest} has no more; leave it out with "
            "--arms, or set --tokens."
        )
    again = [
        f"{arm} {schedule.budget / found['tokens']:.1f} times"
        for arm, found in schedule.arms.items()
        if schedule.budget > found["tokens"]
    ]
    if again:
        notes.append(f"Small arms are gone through again: {', '.join(again)}.")
    if len(schedule.held_out) < FEW:
        notes.append(f"Only {len(schedule.held_out)} rows are held out, so the intervals are wide.")
    if plan.seeds == 1:
        notes.append("With one seed the intervals say nothing of what another seed would do; --seeds 3 does.")
    cut = sum(found["cut"] + found["dropped"] for arm, found in schedule.arms.items() if arm in (KEPT, REJECTED))
    if cut:
        notes.append(f"{cut} rows are too long to be read whole; their answers are cut, or left out.")
    return notes


def _content(
    proof: Proof, schedule: Schedule, losses: Mapping[str, Losses], groups: Sequence[int]
) -> dict[str, object]:
    """All there is, row by row, so that anybody can count again."""
    arms = [asdict(line) | {"has": dict(schedule.arms.get(line.arm, {}))} for line in proof.told]
    rows = [
        {"id": row["id"], "group": group, "tokens": row["tokens"],
         "losses": {arm: found[:, at].tolist() for arm, found in losses.items()}}
        for at, (row, group) in enumerate(zip(schedule.held_out, groups, strict=True))
    ]  # fmt: skip
    facts = {"run": proof.run, "model": proof.model, "seeds": proof.seeds, "tokens": proof.tokens, "steps": proof.steps}
    how = {"resamples": RESAMPLES, "level": LEVEL, "results": dict(schedule.trials) | {BASE: [schedule.base]}}
    return {**facts, **how, "notes": proof.notes, "arms": arms, "held_out": rows}
