"""The process that trains: `python -m tuneworks.trainers.worker FOLDER` trains by the plan in FOLDER.

What it writes to standard output is for whoever started it to show; the cause of a failure goes to
failure.txt, the traceback and what libraries say to standard error.
"""

import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneworks.trainers.contrast import Contrast
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.failures import cause, smaller
from tuneworks.trainers.finetuning import FineTuning
from tuneworks.trainers.kto import Kto
from tuneworks.trainers.launch import FAILURE, LOG, STOPPED
from tuneworks.trainers.nested import unpacked
from tuneworks.trainers.online import Grpo, Rloo
from tuneworks.trainers.plan import Plan
from tuneworks.trainers.process import Process
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.rejection_sampling import RejectionSampling
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.stopping import Stopping, end_when_orphaned
from tuneworks.trainers.trackers import LOGS
from tuneworks.trainers.trainer import silent

KINDS: Mapping[str, type[FineTuning]] = {
    kind.kind: kind for kind in (Sft, Dpo, Kto, Contrast, Quality, Reward, Process, RejectionSampling, Grpo, Rloo)
}


def main(folder: str, stopping: Stopping) -> int:
    into, options = Path(folder), dict[str, Any]()
    try:
        plan = Plan.read(into)
        options |= plan.options
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(into / LOGS))
        work(plan, into, stopping)
    except KeyboardInterrupt:
        return STOPPED
    except Exception as error:
        traceback.print_exc()
        told(into, cause(error, into / LOG, smaller(options)))
        return 1
    return 0


def work(plan: Plan, into: Path, stopping: Stopping) -> None:
    first = os.environ.get("RANK", "0") == "0"
    KINDS[plan.kind](**unpacked(plan.options)).work(plan, into, say if first else silent, stopping)


def told(into: Path, why: str) -> None:
    """Of several processes the first that fails says why; others fail because of it."""
    try:
        with (into / FAILURE).open("x", encoding="utf-8") as failure:
            failure.write(why)
    except FileExistsError:
        pass


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    end_when_orphaned()
    asked = Stopping()
    asked.listen()
    sys.exit(main(sys.argv[1], asked))
