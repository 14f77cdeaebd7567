"""What every side of the overhead benchmark is asked to do, and how its cost is said. Only the standard library.

Each side is a script, `SIDE.py --url URL --calls N --setting S`, in an environment of its own. It prints one line of
JSON: what it was given, seconds and CPU seconds from handing over the prompts to holding every reply.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable

MODEL = "loopback"
MAX_TOKENS = 64


def prompt(n: int) -> str:
    return f"Write one or two plain sentences about town number {n}, its river and what its people make there."


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--setting", type=int, default=0, help="What this side can be tuned by; 0: nothing.")
    return parser.parse_args()


def told(work: Callable[[], int]) -> None:
    """Do the work, which returns how many replies it got, and print what it cost."""
    cpu, began = _cpu(), time.perf_counter()
    replies = work()
    print(json.dumps({"replies": replies, "seconds": time.perf_counter() - began, "cpu": _cpu() - cpu}), flush=True)
    os._exit(0)  # what a library does at its end is not in the figure, and must not hold the next side up


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
