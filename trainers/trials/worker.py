"""The process of trials: `python -m tuneworks.trainers.trials.worker FOLDER` does those of the plan in FOLDER that have
no result yet. Each result is kept once it is there, so whatever ends the process costs one trial at most.
"""

import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneworks.factory.weights import prepare
from tuneworks.trainers.failures import cause
from tuneworks.trainers.launch import FAILURE, LOG
from tuneworks.trainers.stopping import end_when_orphaned
from tuneworks.trainers.trials.countdown import Countdown
from tuneworks.trainers.trials.lessons import Encoded, Piece, lessons, tokens_read
from tuneworks.trainers.trials.plan import SMALLER, Schedule, TrialsPlan, result_file, write_json
from tuneworks.trainers.worker import say

if TYPE_CHECKING:
    from tuneworks.trainers.trials.learner import Learner


def main(folder: str) -> int:
    into = Path(folder)
    try:
        work(into)
    except Exception as error:
        traceback.print_exc()
        (into / FAILURE).write_text(cause(error, into / LOG, SMALLER), encoding="utf-8")
        return 1
    return 0


@dataclass(frozen=True, slots=True)
class Trial:
    arm: str
    seed: int
    key: str
    """Names its result."""
    rows: list[Encoded]
    steps: list[list[Piece]]


def work(into: Path) -> None:
    from tuneworks.trainers.loading import load_tokenizer
    from tuneworks.trainers.trials.encoding import encoded
    from tuneworks.trainers.trials.schedule import scheduled

    plan = TrialsPlan.read(into)
    tokenizer = load_tokenizer(prepare(plan.model, say), plan.model)
    arms = {name: encoded(Path(rows.file), tokenizer) for name, rows in plan.arms.items()}
    held_out = encoded(Path(plan.held_out.file), tokenizer)
    schedule = scheduled(plan, arms, held_out)
    schedule.write(into)
    missing = _missing(into, plan, schedule, {name: found.rows for name, found in arms.items()})
    whole = plan.seeds * len(plan.arms)
    if len(missing) < whole:
        say(f"{whole - len(missing)} of {whole} trainings are done already")
    if missing or not result_file(into, schedule.base).is_file():
        _do(into, plan, schedule, missing, held_out.rows)


def _missing(into: Path, plan: TrialsPlan, schedule: Schedule, rows: Mapping[str, list[Encoded]]) -> list[Trial]:
    """Seed after seed, so that a process that is stopped leaves whole comparisons."""
    return [
        Trial(arm, plan.seed + at, key, rows[arm], lessons(rows[arm], schedule.budget, plan.seed + at, found.draw))
        for at in range(plan.seeds)
        for arm, found in plan.arms.items()
        if not result_file(into, key := schedule.trials[arm][at]).is_file()
    ]


def _do(into: Path, plan: TrialsPlan, schedule: Schedule, missing: list[Trial], held_out: list[Encoded]) -> None:
    from tuneworks.trainers.trials.learner import BACKWARD, Learner

    base = result_file(into, schedule.base)
    say(
        f"{len(missing)} trainings, each on {schedule.budget:,} tokens in {schedule.steps} steps and measured on "
        f"{len(held_out)} held-out rows"
    )
    learner = Learner(plan.model, say)
    measured = sum(len(row.tokens) for row in held_out)
    ahead = sum(BACKWARD * tokens_read(trial.steps) + measured for trial in missing)
    countdown = Countdown(ahead + (0 if base.is_file() else measured), say)
    if not base.is_file():
        losses = learner.losses(held_out, countdown.on("base"))
        write_json(base, {"arm": "base", "losses": losses})
        countdown.say(f"base: held-out loss {sum(losses) / len(losses):.4f}")
    for number, trial in enumerate(missing, 1):
        _learned(into, learner, trial, held_out, countdown, f"{number} of {len(missing)}")


def _learned(
    into: Path, learner: "Learner", trial: Trial, held_out: list[Encoded], countdown: Countdown, number: str
) -> None:
    began, name = time.monotonic(), f"{number}: {trial.arm}, seed {trial.seed}"
    learned, losses = learner.trial(trial.rows, trial.steps, held_out, trial.seed, countdown.on(name))
    result = {
        "arm": trial.arm,
        "seed": trial.seed,
        "tokens": sum(piece.end - piece.first for step in trial.steps for piece in step),
        "steps": len(trial.steps),
        "rows": len({piece.row for step in trial.steps for piece in step}),
        "seconds": round(time.monotonic() - began, 1),
        "learned": learned,
        "losses": losses,
    }
    write_json(result_file(into, trial.key), result)
    countdown.say(f"{name}: held-out loss {sum(losses) / len(losses):.4f}")


if __name__ == "__main__":
    end_when_orphaned()
    sys.exit(main(sys.argv[1]))
