"""Measurements of a filter's step: made slice by slice, each kept once it is made, and used again while they hold.

A slice looks at its own rows alone, so neither the number of processes nor the place of a cut changes a measurement. A
build that was killed while it measured goes on after the last whole slice; one in which only thresholds changed
measures nothing. A filter may ask the run's engine; all else is the same then.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import InputError
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.stages import MEASURES, Step, rows_in

SLICES = "measuring"
"""The folder that holds whole slices while a step measures."""

PRINT = "tuneworks_print"

ASKED_ROWS = 2_000
"""Rows of a slice that is asked about, at least: the journal keeps every reply, and at the end of a slice an engine has
less and less to do."""

WORTH_STARTING = 9
"""Slices from which on starting processes takes less than they save."""

ONE_THREAD = ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS")

Done = Callable[[int], None]
"""Told how many rows were measured just now."""


def measured(
    work: Filter, records: Path, folder: Path, fingerprint: str, done: Done = lambda rows: None
) -> pl.DataFrame:
    """One row of measurements for each record in the file, in its order. `fingerprint` stands for all that decides
    them; those that lie in `folder` with the same one are taken, and what is made is left there."""
    slices = Slices(folder, fingerprint, range(0, max(rows_in(records), 1), work.slice_rows))
    if (frame := slices.whole()) is not None:
        return frame
    missing = slices.missing()
    try:
        for offset, frame in zip(missing, _made(work, records, missing), strict=True):
            slices.keep(offset, frame)
            done(frame.height)
    finally:
        work.let_go()
    return slices.put_together()


async def measured_asking(
    work: Filter, records: Path, folder: Path, fingerprint: str, engine: Engine, done: Done = lambda rows: None
) -> pl.DataFrame:
    """As `measured`, of a filter that asks the run's engine."""
    rows = max(work.slice_rows, ASKED_ROWS)
    slices = Slices(folder, fingerprint, range(0, max(rows_in(records), 1), rows))
    if (frame := slices.whole()) is not None:
        return frame
    for offset in slices.missing():
        table = pl.scan_parquet(records).slice(offset, rows).collect()
        frame = with_ids(await work.ask(table, engine), table)
        slices.keep(offset, frame)
        done(frame.height)
    return slices.put_together()


@dataclass(frozen=True, slots=True)
class Slices:
    """The measurements of a step on disk: slice by slice while they are made, then in one file."""

    folder: Path
    """Of the step."""
    fingerprint: str
    offsets: range
    """Where the slices begin."""

    def whole(self) -> pl.DataFrame | None:
        """All measurements, where they are made."""
        path = self.folder / MEASURES
        if path.is_file() and pl.read_parquet_metadata(path).get(PRINT) == self.fingerprint:
            return pl.read_parquet(path)
        return None

    def missing(self) -> list[int]:
        """The slices yet to be made."""
        return [offset for offset in self.offsets if not self._path(offset).is_file()]

    def keep(self, offset: int, frame: pl.DataFrame) -> None:
        self._path(offset).parent.mkdir(parents=True, exist_ok=True)
        _write(frame, self._path(offset), self.fingerprint)

    def put_together(self) -> pl.DataFrame:
        frame = pl.concat([pl.read_parquet(self._path(offset)) for offset in self.offsets], how="vertical_relaxed")
        _write(frame, self.folder / MEASURES, self.fingerprint)
        shutil.rmtree(self.folder / SLICES)
        return frame

    def _path(self, offset: int) -> Path:
        return self.folder / SLICES / self.fingerprint / f"{offset:012d}.parquet"


def stored(step: Step, folder: Path, name: str = MEASURES) -> pl.DataFrame:
    """The measurements of a step that a run has made, or another of its files. Raises InputError where it has not."""
    try:
        return pl.read_parquet(folder / step.folder / name)
    except OSError as error:
        raise InputError(f"the step {step.title} of {folder} is not made; make it with: tuneworks build") from error


def decided(work: Filter, measures: pl.DataFrame) -> pl.DataFrame:
    """The verdict on each row: its id, the `reason` or null, and whatever else the filter knows."""
    return work.verdicts(measures).insert_column(0, measures["id"])


def measure_slice(work: Filter, records: Path, offset: int) -> pl.DataFrame:
    """What a filter measures of the rows from `offset` on, with their ids."""
    table = pl.scan_parquet(records).slice(offset, work.slice_rows).collect()
    return with_ids(work.measure(table), table)


def with_ids(measures: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    return measures if "id" in measures.columns else measures.with_columns(table["id"])


def _made(work: Filter, records: Path, offsets: list[int]) -> Iterator[pl.DataFrame]:
    one = partial(measure_slice, work, records)
    workers = min(len(os.sched_getaffinity(0)), len(offsets))
    if not work.by_process or workers < 2 or len(offsets) < WORTH_STARTING:
        yield from map(one, offsets)
        return
    with _one_thread_each(), ProcessPoolExecutor(workers, get_context("spawn"), _leave_stopping_to_parent) as pool:
        try:
            yield from pool.map(one, offsets)
        except BrokenProcessPool as error:
            raise InputError(
                f"a process that measured {work.kind} was ended from outside, perhaps for want of memory; build again"
            ) from error


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside share the cores instead of each starting as many threads as there are cores."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _leave_stopping_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write(frame: pl.DataFrame, path: Path, fingerprint: str) -> None:
    half = path.with_name(f"{path.name}.part")
    frame.write_parquet(half, metadata={PRINT: fingerprint})
    half.rename(path)
