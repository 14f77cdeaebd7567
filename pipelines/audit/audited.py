"""Audits of the records at the end of a run, of a run's folder, and of any preference file."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import REJECTED_SCHEMA, SCHEMA, Record, Rejected, from_table
from tuneworks.pipelines.audit.findings import Audit
from tuneworks.pipelines.audit.measures import MEASURES, measured
from tuneworks.pipelines.audit.pairs import Pair, batches, file_pairs, record_pairs, rejected_pairs
from tuneworks.pipelines.audit.statistics import audit
from tuneworks.pipelines.reading import steps_made
from tuneworks.pipelines.run_folder import RECIPE
from tuneworks.pipelines.stages import RECORDS, REJECTED, slices


def audited_records(records: Iterable[Record], set_aside: Iterable[Rejected] = ()) -> Audit:
    """The pairs that the preference view gives of these records; `set_aside` is what their sources could not use."""
    return _audited(chain(record_pairs(records), rejected_pairs(set_aside)))


def audited_run(folder: Path, last: Path | None = None) -> Audit:
    """The pairs at the end of a run, and what its source files held that was no use. `last` is the folder of the step
    that the pairs are made of; left out, that of the last whole one."""
    made = steps_made(folder)
    if not made:
        raise InputError(f"the run {folder} has no whole step yet; go on with: tuneworks build {folder / RECIPE}")
    return audited_records(_records(last or made[-1].folder), set_aside_by_sources(folder))


def audited_file(path: Path | str) -> Audit:
    """The pairs of a preference file of any layout that sources read; examples are numbers of rows."""
    return _audited(file_pairs(Path(path).expanduser()))


def set_aside_by_sources(folder: Path) -> Iterator[Rejected]:
    """What the steps that read the sources' files set aside."""
    for made in steps_made(folder):
        if not made.takes:
            for table in slices([made.folder / REJECTED], list(REJECTED_SCHEMA)):
                verdicts = table.select("stage", "reason", "part").iter_rows()
                for record, (stage, reason, part) in zip(from_table(table), verdicts, strict=True):
                    yield Rejected(record, stage, reason, part)


def _audited(pairs: Iterable[Pair]) -> Audit:
    return audit(pl.concat([MEASURES.to_frame(), *(measured(batch) for batch in batches(pairs))]))


def _records(step: Path) -> Iterator[Record]:
    for table in slices([step / RECORDS], list(SCHEMA)):
        yield from from_table(table)
