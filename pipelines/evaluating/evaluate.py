"""`tuneworks evaluate`: what a training changed, measured on held-out rows against the model it began from."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.constraints import CONSTRAINTS, Asked, constrained
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.engines.unasked import Unasked
from tuneworks.factory.errors import InputError
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.reward import Reward
from tuneworks.pipelines.evaluating import measures
from tuneworks.pipelines.evaluating.asking import Questions, Told, asked
from tuneworks.pipelines.evaluating.contestants import Contestant, contestants
from tuneworks.pipelines.evaluating.differences import Line, at_equal_length, paired
from tuneworks.pipelines.evaluating.held_out import HeldRow, graded, held_rows, sources_of
from tuneworks.pipelines.evaluating.wins import Pair, by_reward, judged, rewarded, win_line
from tuneworks.pipelines.proving.intervals import LEVEL, RESAMPLES
from tuneworks.trainers.computed_rewards import judges
from tuneworks.trainers.trials.plan import write_json

EVALUATIONS, JOURNAL, RESULT, ANSWERS = "evaluations", "journal.sqlite", "evaluation.json", "answers.parquet"

SPOKEN = 0.1
"""Share of the held-out prompts from which on constraints are asked for in a language as well."""

FEW = 30
"""Held-out rows below which intervals are wide."""

Counted = Callable[[str, int], Callable[[], None]]
"""Given what is asked and how many calls it takes, gives what is told of each."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for."""

    model: str
    run: Path | None
    dataset: Path
    into: Path
    """The folder of all evaluations; this one's is named by the model."""
    against: str | None = None
    reward: Reward | None = None
    judge: EngineOptions | None = None
    rows: int = 200
    """Most held-out rows that are scored."""
    prompts: int = 64
    """Most held-out prompts that are answered."""
    times: int = 4
    """How often each constraint is asked for, in each language."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    model: str
    base: str
    folder: Path
    lines: list[Line]
    pairs: list[Pair]
    notes: list[str] = field(default_factory=list)


def evaluate(wanted: Wanted, counted: Counted) -> Evaluation:
    """Ask both models what was not asked before, and leave evaluation.json and answers.parquet."""
    require_torch("evaluating a model")
    for plugin in (wanted.reward, wanted.judge):
        if plugin is not None:
            plugin.check()
    if wanted.reward is not None and wanted.judge is None and any(one.engine is None for one in judges(wanted.reward)):
        raise InputError(
            f"the reward {wanted.reward.kind} asks a model, and none is named; name one with --judge, or a reward that "
            "computes by itself"
        )
    model, base = contestants(wanted.model, wanted.against, wanted.run)
    questions = questions_of(wanted, model)
    journal = Journal(_made(wanted.into) / JOURNAL, model.name)
    try:
        told = asyncio.run(_told(wanted, model, base, questions, journal, counted))
    finally:
        journal.close()
    return _written(wanted, model, base, questions, told)


def questions_of(wanted: Wanted, model: Contestant) -> Questions:
    rows = held_rows(wanted.dataset, sources_of(wanted.run), wanted.rows, wanted.seed)
    dice = Dice(wanted.seed, "evaluate")
    at = sorted(dice.random("prompts").sample(range(len(rows)), min(wanted.prompts, len(rows))))
    prompts = [rows[place] for place in at]
    asking = [one for language in spoken(rows) for one in _constraints(language, wanted.times, dice.random(language))]
    steered = graded(wanted.dataset, wanted.prompts, wanted.seed) if model.controls else []
    return Questions(rows, prompts, asking, steered)


def _constraints(language: Language, times: int, dice: random.Random) -> list[Asked]:
    return list(constrained(CONSTRAINTS, language, times, dice))


def spoken(rows: Sequence[HeldRow]) -> list[Language]:
    """The languages of the held-out prompts."""
    found = [language_of(row.prompt[-1].content) for row in rows]
    every: tuple[Language, ...] = ("en", "zh")
    return [language for language in every if found.count(language) >= SPOKEN * len(found)]


@dataclass(frozen=True, slots=True)
class _Told:
    model: Told
    base: Told
    pairs: list[Pair]
    rewards: list[tuple[float, float] | None] | None
    wins: list[float | None] | None


async def _told(
    wanted: Wanted, model: Contestant, base: Contestant, questions: Questions, journal: Journal, counted: Counted
) -> _Told:
    # The base first: what it gave serves the evaluations of other models as well.
    its = await asked(base, questions, journal, counted(base.name, questions.calls(base)))
    mine = await asked(model, questions, journal, counted(model.name, questions.calls(model)))
    pairs = [
        Pair(row, one, other)
        for row in questions.prompts
        if (one := mine.answers[row.id]) is not None and (other := its.answers[row.id]) is not None
    ]
    rewards = wins = None
    if wanted.judge is None:
        if wanted.reward is not None:
            counted(wanted.reward.kind, len(pairs))
            rewards = await rewarded(pairs, wanted.reward, Unasked())
        return _Told(mine, its, pairs, rewards, wins)
    seen = counted("the judge", 2 * len(pairs))
    judge = Journaled(wanted.judge.open(), journal, lambda reply, replayed: seen())
    try:
        wins = await judged(pairs, judge)
        if wanted.reward is not None:
            rewards = await rewarded(pairs, wanted.reward, judge)
    finally:
        await judge.close()
    return _Told(mine, its, pairs, rewards, wins)


def _lines(model: Contestant, questions: Questions, told: _Told, reward: Reward | None) -> list[Line]:
    lines = [*measures.loss_lines(questions.rows, told.model, told.base)]
    if told.rewards is not None and reward is not None:
        lines += _reward_lines(told.pairs, told.rewards, reward.kind)
    if told.wins is not None and (wins := [win for win in told.wins if win is not None]):
        lines.append(win_line(wins, "the judge, in both orders"))
    lines += measures.answer_lines(told.pairs)
    lines += measures.control_lines(model, questions.graded, told.model)
    return [*lines, *measures.constraint_lines(questions.constrained, told.model, told.base)]


def _reward_lines(pairs: Sequence[Pair], rewards: Sequence[tuple[float, float] | None], kind: str) -> list[Line]:
    known = [(pair, found) for pair, found in zip(pairs, rewards, strict=True) if found is not None]
    if not known:
        return []
    scores = [found for _, found in known]
    lines = [paired(measures.REWARD, f"by {kind}", "reward", scores, "higher")]
    longer = [float(len(pair.model.text) - len(pair.base.text)) for pair, _ in known]
    level = at_equal_length([one - other for one, other in scores], longer)
    if level is not None:
        name = "where answers are equally long"
        lines.append(Line(measures.REWARD, name, "reward", None, None, level, len(known), "higher"))
    return [*lines, win_line(by_reward(scores), kind)]


def _notes(wanted: Wanted, questions: Questions, told: _Told) -> list[str]:
    notes = []
    if wanted.reward is None and wanted.judge is None:
        notes.append(
            "Which answers are better is not measured: name a reward model with --reward FOLDER, or a judge with "
            "--judge MODEL."
        )
    unread = sum(loss is None for loss in told.model.losses.values())
    if unread:
        notes.append(f"{unread} held-out rows are longer than the model reads, and are left out.")
    for found, what in ((told.rewards, "The reward scored"), (told.wins, "The judge compared")):
        if found is not None and None in found:
            notes.append(f"{what} {sum(one is not None for one in found)} of {len(found)} pairs of answers.")
    if len(questions.rows) < FEW:
        notes.append(f"Only {len(questions.rows)} rows are held out, so the intervals are wide.")
    return notes


def _written(wanted: Wanted, model: Contestant, base: Contestant, questions: Questions, told: _Told) -> Evaluation:
    folder = _made(wanted.into / model.name)
    lines, notes = _lines(model, questions, told, wanted.reward), _notes(wanted, questions, told)
    found = Evaluation(model.name, base.name, folder, lines, told.pairs, notes)
    half = folder / f"{ANSWERS}.part"
    _answers(told).write_parquet(half)
    half.rename(folder / ANSWERS)
    write_json(folder / RESULT, _content(found, wanted, model, base))
    return found


def _answers(told: _Told) -> pl.DataFrame:
    rewards = told.rewards or [None] * len(told.pairs)
    wins = told.wins or [None] * len(told.pairs)
    schema = {
        "id": pl.String, "source": pl.String, "prompt": pl.String,
        "model_answer": pl.String, "base_answer": pl.String, "model_finish": pl.String, "base_finish": pl.String,
        "model_reward": pl.Float64, "base_reward": pl.Float64, "judged": pl.Float64,
    }  # fmt: skip
    rows = [
        (
            *(pair.row.id, pair.row.source, pair.row.prompt[-1].content),
            *(pair.model.text, pair.base.text, pair.model.finish, pair.base.finish),
            *(reward or (None, None)),
            win,
        )
        for pair, reward, win in zip(told.pairs, rewards, wins, strict=True)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _content(found: Evaluation, wanted: Wanted, model: Contestant, base: Contestant) -> Mapping[str, Any]:
    return {
        "model": {"name": model.name, "place": model.place, "weights": model.weights},
        "base": {"name": base.name, "place": base.place, "weights": base.weights},
        "dataset": str(wanted.dataset),
        "seed": wanted.seed,
        "reward": wanted.reward.written() if wanted.reward else None,
        "judge": wanted.judge.written() if wanted.judge else None,
        "resamples": RESAMPLES,
        "level": LEVEL,
        "lines": [asdict(line) | {"verdict": line.verdict} for line in found.lines],
        "notes": found.notes,
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
