"""What a piece of work costs: CPU seconds, wall seconds and peak memory, each in a process of its own.

A fresh process keeps one side's imports, caches and memory out of the other's figures. Its own start and the imports it
does before `began()` are not counted; CPU seconds include those of its children.
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_began: list[tuple[float, float]] = []


@dataclass(frozen=True, slots=True)
class Cost:
    cpu: float
    wall: float
    peak_mb: float
    result: Any


def began() -> None:
    """Call inside the measured work when its inputs are there: counting starts here."""
    _began[:] = [(_cpu(), time.perf_counter())]


def cost(work: Callable[..., Any], *args: Any, threads: int = 1, runs: int = 1) -> Cost:
    """Run `work(*args)` in a fresh process with so many threads; what it returns must be small and picklable. Of
    several runs, one after another in that process, the one with the least CPU seconds counts: the first also pays for
    memory that the system hands out page by page."""
    os.environ.update(dict.fromkeys(THREADS, str(threads)), OMP_WAIT_POLICY="PASSIVE", HF_HUB_OFFLINE="1")
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return min((pool.apply(_measured, (work, args)) for _ in range(runs)), key=lambda one: one.cpu)


THREADS = ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
           "RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM")  # fmt: skip


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _measured(work: Callable[..., Any], args: tuple[Any, ...]) -> Cost:
    began()
    result = work(*args)
    cpu, wall = _cpu() - _began[0][0], time.perf_counter() - _began[0][1]
    return Cost(cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, result)


def table(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """One Markdown table under its title."""
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(_cell(value) for value in row)} |")


def _cell(value: object) -> str:
    return (f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}") if isinstance(value, float) else str(value)
