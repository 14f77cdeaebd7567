"""The process that trains: `python -m tuneworks.trainers.worker FOLDER` trains by the plan in FOLDER.

What it writes to standard output is for whoever started it to show; the cause of a failure goes to
failure.txt, the traceback and what libraries say to standard error.
"""

import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.launch import FAILURE, LOG
from tuneworks.trainers.plan import Plan
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trl_trainer import TrlTrainer

KINDS: Mapping[str, type[TrlTrainer]] = {kind.kind: kind for kind in (Sft, Dpo, Quality)}

SMALLER = "under args lower per_device_train_batch_size or max_length, or set gradient_checkpointing to true"

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def main(folder: str) -> int:
    into = Path(folder)
    try:
        work(into)
    except Exception as error:
        traceback.print_exc()
        (into / FAILURE).write_text(cause(error, into), encoding="utf-8")
        return 1
    return 0


def work(into: Path) -> None:
    plan = Plan.read(into)
    from tuneworks.trainers.session import train

    train(KINDS[plan.kind](**plan.options), plan, into, say)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def cause(error: Exception, into: Path, smaller: str = SMALLER) -> str:
    """One sentence that ends in what to do; `smaller` is what to do where memory ran out."""
    if isinstance(error, TuneworksError):
        return str(error)
    if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
        return f"memory ran out while training; {smaller}"
    first = (str(error).strip().splitlines() or ["no reason given"])[0]
    return f"the training stopped with {type(error).__name__}: {first} (the whole story is in {into / LOG})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
