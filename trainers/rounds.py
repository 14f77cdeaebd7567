"""The rounds of rejection-sampling fine-tuning: write answers, score them, keep the best of all rounds, fine-tune."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl
import torch

from tuneworks.factory.engines.decoding import device_and_dtype
from tuneworks.factory.errors import InputError
from tuneworks.factory.weights import Say
from tuneworks.trainers.job import PROMPTS
from tuneworks.trainers.loading import is_adapter
from tuneworks.trainers.manifest import write_json
from tuneworks.trainers.merged import merged_folder
from tuneworks.trainers.paired import told_rewards
from tuneworks.trainers.plan import DONE, PLAN, Plan, is_trained, mark_done
from tuneworks.trainers.rejection_sampling import RejectionSampling
from tuneworks.trainers.rows import SFT
from tuneworks.trainers.session import train as fine_tune
from tuneworks.trainers.stopping import Stopping
from tuneworks.trainers.trials.plan import read_json
from tuneworks.trainers.written import Writing, Written

ANSWERS = "answers.parquet"

HELD = 32
"""Most held-out prompts that are answered after each round."""

MODEL = "model"
"""The folder, in a round's, of what it trained."""


@dataclass(frozen=True, slots=True)
class Rounds:
    trainer: RejectionSampling
    plan: Plan
    into: Path
    base: str
    """The model that every round begins from."""
    say: Say
    stopping: Stopping

    def folder(self, number: int) -> Path:
        return self.into / f"round-{number}"

    def model(self, number: int) -> str:
        """What the round left; before the first one, what the training begins from."""
        return str(self.folder(number) / MODEL) if number else self.base


def train(trainer: RejectionSampling, plan: Plan, into: Path, say: Say, stopping: Stopping) -> None:
    """Goes on in the round, and inside of it where it was stopped. The last round's model is what is left."""
    rows = pl.read_parquet(plan.train.file).to_dicts()
    rounds = Rounds(trainer, plan, into, _begun_from(trainer, rows, say), say, stopping)
    held = pl.read_parquet(plan.test.file).head(HELD).to_dicts() if plan.test else []
    writing = Writing(trainer, into, plan.seed, say)
    try:
        before = writing.best_guesses(rounds.model(0), held)
        written: list[Written] = []
        told: list[dict[str, Any]] = []
        for number in range(1, trainer.rounds + 1):
            fresh = writing.answers(rounds.model(number - 1), rows, number)
            written += fresh
            kept = best(written, trainer.keep)
            _refuse(fresh, kept, number, trainer)
            _write(rounds, number, written, kept)
            told.append(_facts(number, fresh, kept, say))
            _fine_tune(rounds, number)
            after = writing.best_guesses(rounds.model(number), held)
            told[-1] |= _trained(rounds, number) | {"held_out_reward": told_rewards(before, after, plan.seed, say)}
    finally:
        writing.close()
    _leave(rounds, told)


def _begun_from(trainer: RejectionSampling, rows: Sequence[Mapping[str, Any]], say: Say) -> str:
    """What it follows, an adapter merged into its model; else the model that it names."""
    if trainer.follows is None or not is_adapter(trainer.model):
        return trainer.model
    halves = device_and_dtype()[1] == torch.bfloat16
    return merged_folder(trainer.model, {}, say, [row["prompt"] for row in rows[:PROMPTS]], halves)


def best(written: Sequence[Written], keep: int) -> list[Written]:
    """The usable answers with the highest rewards to each prompt, of equals the earliest, in the order of prompts."""
    by_prompt: dict[str, list[Written]] = {}
    for one in written:
        by_prompt.setdefault(one.id, [])
        if one.why_not is None and one.text not in [other.text for other in by_prompt[one.id]]:
            by_prompt[one.id].append(one)
    return [one for answers in by_prompt.values() for one in sorted(answers, key=lambda a: -(a.reward or 0.0))[:keep]]


def _refuse(fresh: Sequence[Written], kept: Sequence[Written], number: int, trainer: RejectionSampling) -> None:
    if not kept:
        reasons = {one.why_not for one in fresh if one.why_not}
        raise InputError(
            f"none of the {len(fresh)} answers of round {number} can be trained on ({'; '.join(sorted(reasons))}); "
            "raise max_tokens, or see the reward"
        )
    spread = {one.id: set[float]() for one in fresh}
    for one in fresh:
        spread[one.id] |= {one.reward} if one.reward is not None else set()
    if number == 1 and all(len(rewards) < 2 for rewards in spread.values()):
        raise InputError(
            f"the reward {trainer.reward.kind} gives all answers to a prompt the same, so none is better; name another "
            "reward, or raise n or temperature"
        )


def _write(rounds: Rounds, number: int, written: Sequence[Written], kept: Sequence[Written]) -> None:
    """All answers so far with what became of them, and the rows that are trained on."""
    folder = rounds.folder(number)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {id(one) for one in kept}
    rows = [one.row(id(one) in chosen) for one in written]
    _whole(pl.DataFrame(rows, infer_schema_length=None), folder / ANSWERS)
    prompts = {row["id"]: row["prompt"] for row in pl.read_parquet(rounds.plan.train.file).iter_rows(named=True)}
    learned = [
        {"id": one.id, "prompt": prompts[one.id], "completion": [{"role": "assistant", "content": one.text}]}
        for one in kept
    ]
    (folder / "dataset/sft").mkdir(parents=True, exist_ok=True)
    _whole(pl.DataFrame(learned, schema=SFT), folder / "dataset/sft/train.parquet")


def _whole(table: pl.DataFrame, file: Path) -> None:
    half = file.with_name(f"{file.name}.part")
    table.write_parquet(half)
    half.rename(file)


def _facts(number: int, fresh: Sequence[Written], kept: Sequence[Written], say: Say) -> dict[str, Any]:
    known = [one.reward for one in fresh if one.reward is not None]
    new = sum(one.round == number for one in kept) / len(kept)
    mean, top = fmean(known), fmean(one.reward or 0.0 for one in kept)
    say(
        f"round {number}: {len(fresh)} answers with a mean reward of {mean:.3f}; {len(kept)} kept of all rounds with "
        f"{top:.3f}, {new:.0%} of them new"
    )
    return {"round": number, "answers": len(fresh), "mean_reward": mean, "kept": len(kept), "kept_mean_reward": top,
            "new_among_kept": new}  # fmt: skip


def _fine_tune(rounds: Rounds, number: int) -> None:
    folder = rounds.folder(number)
    sft = rounds.trainer.fine_tuning(rounds.base)
    plan = sft.plan(folder / "dataset", rounds.plan.seed)
    into = folder / MODEL
    if is_trained(into, plan):
        return
    into.mkdir(exist_ok=True)
    plan.write(into)
    fine_tune(sft, plan, into, rounds.say, rounds.stopping)


def _trained(rounds: Rounds, number: int) -> dict[str, Any]:
    metrics = read_json(rounds.folder(number) / MODEL / "metrics.json")
    return {name: metrics[name] for name in ("steps", "first_loss", "last_loss", "seconds")}


def _leave(rounds: Rounds, told: Sequence[dict[str, Any]]) -> None:
    """The last round's model as that of the training; earlier ones go, their answers and figures stay."""
    last = rounds.folder(rounds.trainer.rounds) / MODEL
    for file in last.iterdir():
        if file.is_file() and file.name not in (PLAN, DONE, "metrics.json", "manifest.json"):
            _linked(file, rounds.into / file.name)
    metrics = read_json(last / "metrics.json")
    write_json(
        rounds.into / "metrics.json", {**metrics, "rounds": told, "held_out_reward": told[-1]["held_out_reward"]}
    )
    manifest = read_json(last / "manifest.json")
    write_json(rounds.into / "manifest.json", manifest | {"kind": rounds.plan.kind, "plan": rounds.plan.key})
    mark_done(rounds.into, rounds.plan)
    for number in range(1, rounds.trainer.rounds + 1):
        shutil.rmtree(rounds.folder(number) / MODEL, ignore_errors=True)


def _linked(file: Path, place: Path) -> None:
    place.unlink(missing_ok=True)
    try:
        os.link(file, place)
    except OSError:  # a file system without links
        shutil.copy2(file, place)
