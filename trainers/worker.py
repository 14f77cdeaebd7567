"""The process that trains: `python -m tuneworks.trainers.worker FOLDER` trains by the plan in FOLDER.

What it writes to standard output is for whoever started it to show; the cause of a failure goes to
failure.txt, the traceback and what libraries say to standard error.
"""

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

KINDS: Mapping[str, type[FineTuning]] = {
    kind.kind: kind for kind in (Sft, Dpo, Kto, Contrast, Quality, Reward, Process, RejectionSampling, Grpo, Rloo)
}


def main(folder: str, stopping: Stopping) -> int:
    into, options = Path(folder), dict[str, Any]()
    try:
        plan = Plan.read(into)
        options |= plan.options
        work(plan, into, stopping)
    except KeyboardInterrupt:
        return STOPPED
    except Exception as error:
        traceback.print_exc()
        (into / FAILURE).write_text(cause(error, into / LOG, smaller(options)), encoding="utf-8")
        return 1
    return 0


def work(plan: Plan, into: Path, stopping: Stopping) -> None:
    KINDS[plan.kind](**unpacked(plan.options)).work(plan, into, say, stopping)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    end_when_orphaned()
    asked = Stopping()
    asked.listen()
    sys.exit(main(sys.argv[1], asked))
