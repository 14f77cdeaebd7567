"""Reading a run: its funnel, its dataset, and the whole life of one record."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import SCHEMA, Record, from_table
from tuneworks.pipelines.dataset import read_manifest
from tuneworks.pipelines.run_folder import DATASET, MODELS, RECIPE
from tuneworks.pipelines.stages import DONE, MEASURES, RECORDS, REJECTED, VERDICTS, Counts


@dataclass(frozen=True, slots=True)
class Made:
    """One whole step of a run."""

    folder: Path
    title: str
    counts: Counts
    takes: tuple[Path, ...]
    """Folders of the steps whose records it took."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a record in one step: the record as it left, or why it went; and what was measured."""

    step: str
    record: Record
    part: str
    reason: str | None
    measures: dict[str, Any]


def run_folder(run: str, runs: Path) -> Path:
    """The folder of a run given by its name or its path."""
    for folder in (Path(run), runs / run):
        if (folder / RECIPE).is_file():
            return folder
    known = sorted(p.parent.name for p in runs.glob(f"*/{RECIPE}"))
    there = f"there are: {', '.join(known)}" if known else "make one with: tuneworks build quickstart"
    raise InputError(f"there is no run {run!r} in {runs}; {there}")


def steps_made(folder: Path) -> list[Made]:
    made = []
    for marker in sorted(folder.glob(f"*/{DONE}")):
        if marker.parent.parent == folder and marker.parent.name[:2].isdigit():
            done = json.loads(marker.read_text(encoding="utf-8"))
            takes = tuple(folder / name for name in done["takes"])
            made.append(Made(marker.parent, done["step"], Counts(**done["counts"]), takes))
    return made


def dataset_rows(folder: Path) -> dict[str, dict[str, int]]:
    """Rows by configuration and split; empty while there is no dataset."""
    manifest = read_manifest(folder / DATASET)
    rows: dict[str, dict[str, int]] = manifest["rows"] if manifest is not None else {}
    return rows


def models_trained(folder: Path) -> list[Path]:
    return sorted(marker.parent for marker in (folder / MODELS).glob(f"*/{DONE}"))


def reasons(made: Made) -> list[tuple[str, int]]:
    """Why records and replies went, the most frequent first; ids, numbers and quotations folded together."""
    table = pl.read_parquet(made.folder / REJECTED, columns=["reason"])
    quoted = table["reason"].str.replace_all(r'"[^"]*"', '"..."').str.replace_all(r"\b[0-9a-f]{16}\b", "#")
    folded = quoted.str.replace_all(r"\d+(\.\d+)?", "#")
    counted = folded.alias("reason").value_counts(sort=True)
    return list(counted.iter_rows())


@dataclass(frozen=True, slots=True)
class Survival:
    """How many texts one operator made in one round of a step, and how many of them stayed."""

    operator: str
    round: int
    made: int
    kept: int


def survivals(made: Made) -> list[Survival]:
    """By operator and round, for a step that made records by several operators; else nothing.

    What the step made are the records it did not take, and the replies from which no record came.
    """
    taken = {row for before in made.takes for row in pl.read_parquet(before / RECORDS, columns=["id"])["id"]}
    kept = pl.read_parquet(made.folder / RECORDS, columns=["id", "meta"]).filter(~pl.col("id").is_in(list(taken)))
    gone = pl.read_parquet(made.folder / REJECTED).filter(pl.col("part") == "reply").select("id", "meta")
    both = pl.concat([kept.with_columns(stays=True), gone.with_columns(stays=False)])
    facts = both.select(
        operator=pl.col("meta").str.json_path_match("$.operator"),
        round=pl.col("meta").str.json_path_match("$.round").cast(pl.Int64, strict=False),
        stays="stays",
    ).drop_nulls()
    if facts["operator"].n_unique() < 2:
        return []
    counted = facts.group_by("operator", "round").agg(made=pl.len(), kept=pl.col("stays").sum())
    return [Survival(*row) for row in counted.sort("round", "operator").iter_rows()]


def life(folder: Path, record_id: str) -> list[Verdict]:
    """Every step the record went through, in order; `record_id` may be the beginning of an id."""
    found = list(_verdicts(folder, record_id))
    ids = {v.record.id for v in found}
    if not found:
        raise InputError(
            f"no record of {folder} has an id that begins with {record_id!r}; see ids with: tuneworks look"
        )
    if len(ids) > 1:
        some = ", ".join(sorted(ids)[:4])
        raise InputError(f"{len(ids)} records begin with {record_id!r} ({some} ...); write more of the id")
    return found


def _verdicts(folder: Path, record_id: str) -> Iterator[Verdict]:
    for made in steps_made(folder):
        for name in (RECORDS, REJECTED):
            table = pl.scan_parquet(made.folder / name).filter(pl.col("id").str.starts_with(record_id)).collect()
            for record, row in zip(from_table(table), table.iter_rows(named=True), strict=True):
                part, reason = row.get("part", "record"), row.get("reason")
                yield Verdict(made.title, record, part, reason, _measures(made.folder, record.id))


def _measures(folder: Path, record_id: str) -> dict[str, Any]:
    """What was measured of a record and with whom it was compared; embeddings say nothing to a reader."""
    found: dict[str, Any] = {}
    for name in (MEASURES, VERDICTS):
        if (folder / name).is_file():
            table = pl.scan_parquet(folder / name).filter(pl.col("id") == record_id)
            rows = table.drop("id", cs.array(), cs.by_name("reason", require_all=False)).collect().to_dicts()
            found |= rows[0] if rows else {}
    return {name: value for name, value in found.items() if value not in (None, [])}


def parents(folder: Path, record: Record) -> list[Record]:
    """The records it was made from, as far as the run holds them. A made task is also found by its instances."""
    wanted = pl.Series(record.parents, dtype=pl.String).implode()
    named = pl.col("id").is_in(wanted) | pl.col("meta").str.json_path_match("$.task").is_in(wanted)
    found: dict[str, Record] = {}
    for made in steps_made(folder) if record.parents else ():
        for name in (RECORDS, REJECTED):
            for candidate in from_table(
                pl.scan_parquet(made.folder / name).filter(named).select(list(SCHEMA)).collect()
            ):
                for known in (candidate.id, str(candidate.meta.get("task", ""))):
                    found.setdefault(known, candidate)
    return [found[p] for p in record.parents if p in found]
