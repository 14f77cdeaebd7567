"""Exports: a run's dataset in the files that other trainers read, each with what that trainer needs beside them.

A row that a trainer would refuse, drop or bend is set aside with the reason, and counted. The folder appears whole or
not at all.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.weights import SMOLLM2_ON_HUB
from tuneworks.pipelines.dataset.pretraining import PRETRAINING
from tuneworks.pipelines.exports import alpaca, axolotl, llamafactory, openai, sharegpt, trl
from tuneworks.pipelines.exports.target import EVALUATION, Exported, Form, Target
from tuneworks.trainers.rows import VIEWS, Row

__all__ = ["TARGETS", "Exported", "export"]

ALPACA: Mapping[str, Form] = {
    **{"sft": alpaca.answered, "quality": alpaca.answered},
    **{"preference": alpaca.paired, "unpaired": llamafactory.labelled(alpaca.answered)},
}
SHAREGPT: Mapping[str, Form] = {
    **{"sft": sharegpt.answered, "quality": sharegpt.answered},
    **{"preference": sharegpt.paired, "unpaired": llamafactory.labelled(sharegpt.answered)},
}
AXOLOTL: Mapping[str, Form] = {
    **{"sft": axolotl.answered, "quality": axolotl.answered},
    **{"preference": axolotl.paired, "unpaired": axolotl.labelled},
}
OPENAI: Mapping[str, Form] = {"sft": openai.answered, "quality": openai.answered, "preference": openai.paired}

TARGETS: Mapping[str, Target] = {
    "alpaca": Target(".json", ALPACA, llamafactory.alpaca_registry),
    "sharegpt": Target(".json", SHAREGPT, llamafactory.sharegpt_registry),
    "llamafactory": Target(".json", SHAREGPT, llamafactory.trainings, llamafactory.STARTS),
    "axolotl": Target(".jsonl", AXOLOTL, axolotl.trainings, axolotl.STARTS),
    "openai": Target(".jsonl", OPENAI, openai.nothing, least=openai.LEAST),
    "trl": Target(".parquet", dict.fromkeys((*VIEWS, PRETRAINING), trl.as_it_is), trl.trainings, trl.STARTS),
}

SLICE = 10_000
"""Rows that are Python objects at a time."""

MANIFEST = "export.json"
"""What the folder holds, and the sign that an export wrote it."""


def export(folder: Path, to: str, into: Path, model: str = SMOLLM2_ON_HUB) -> list[Exported]:
    """Write the dataset in `folder` (configuration/split.parquet) for the target `to`, all configurations it has forms
    for; `model` is what the trainer's configuration names. An earlier export in `into` is replaced.

    Raises InputError for an unknown target, a folder that is no dataset, an `into` that holds other things, and where
    no row at all could be written."""
    if to not in TARGETS:
        raise InputError(f"there is no export to {to!r}; write one of {', '.join(TARGETS)}")
    tables, into = _tables(folder), into.resolve()
    _check_room(folder, into)
    half = into.with_name(f"{into.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    try:
        half.mkdir(parents=True)
        written = _write(TARGETS[to], to, tables, half, model)
        shutil.rmtree(into, ignore_errors=True)
        half.rename(into)
    except OSError as error:
        raise InputError(f"{into} cannot be written ({error.strerror or error}); give another folder") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return [replace(one, path=into / one.path.relative_to(half) if one.path else None) for one in written]


def _write(target: Target, to: str, tables: Sequence[Path], half: Path, model: str) -> list[Exported]:
    written = [_written(target, to, table, half) for table in tables]
    if not any(one.path for one in written):
        reasons = Counter[str]()
        for one in written:
            reasons.update(one.set_aside)
        said = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
        raise InputError(f"nothing could be written for {to} ({said}); export to another target or build another view")
    for name, text in target.beside(written, model).items():
        (half / name).write_text(text, encoding="utf-8")
    names = sorted(str(path.relative_to(half)) for path in half.rglob("*") if path.is_file())
    rows = [
        {"configuration": o.configuration, "split": o.split, "rows": o.rows, "set_aside": o.set_aside} for o in written
    ]
    manifest = {"to": to, "model": model, "rows": rows, "files": names}
    (half / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return written


def _written(target: Target, to: str, table: Path, half: Path) -> Exported:
    """One file, or why there is none."""
    one = Exported(table.parent.name, table.stem, None, 0)
    form, rows = target.forms.get(one.configuration), _read(table, one.configuration)
    if form is None:
        height = int(rows.select(pl.len()).collect().item())
        return replace(one, set_aside={f"{to} has no form for {one.configuration}": height})
    path = half / f"{one.configuration}_{one.split}{target.ending}"
    if target.ending == ".parquet":
        path = half / trl.FOLDER / one.configuration / table.name
        path.parent.mkdir(parents=True, exist_ok=True)
    set_aside: Counter[str] = Counter()
    count = _fill(path, table, _formed(rows, form, set_aside))
    if one.training and 0 < count < target.least:
        set_aside[f"{to} takes no training file of under {target.least} rows, and this has {count}"] = count
        count = 0
    if count == 0:
        path.unlink()
        return replace(one, set_aside=set_aside)
    start = target.starts.get(one.configuration, "") if one.training else ""
    return replace(one, path=path, rows=count, set_aside=set_aside, start=start.format(training=one.training))


def _formed(rows: pl.LazyFrame, form: Form, set_aside: Counter[str]) -> Iterator[Row]:
    """Slice by slice: the rows are never in memory whole."""
    for at in range(0, int(rows.select(pl.len()).collect().item()), SLICE):
        for row in rows.slice(at, SLICE).collect().iter_rows(named=True):
            formed = form(row)
            if isinstance(formed, str):
                set_aside[formed] += 1
            else:
                yield formed


def _fill(path: Path, table: Path, rows: Iterator[Row]) -> int:
    """Rows written."""
    if path.suffix == ".parquet":
        shutil.copyfile(table, path)
        return sum(1 for _ in rows)
    count, lines = 0, path.suffix == ".jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("" if lines else "[")
        for row in rows:
            text = json.dumps(row, ensure_ascii=False, allow_nan=False)
            file.write(f"{text}\n" if lines else f"{',' if count else ''}\n{text}")
            count += 1
        file.write("" if lines else "\n]\n")
    return count


def _tables(folder: Path) -> list[Path]:
    """The dataset's files, configurations in their usual order, of each what is trained on first."""
    found = sorted(folder.glob("*/*.parquet"))
    if not found:
        raise InputError(f"{folder} holds no configuration/split.parquet; give the folder `dataset` of a finished run")
    configurations, last = list(VIEWS), [*EVALUATION]

    def place(path: Path) -> tuple[int, int, str]:
        named, split = path.parent.name, path.stem
        usual = configurations.index(named) if named in configurations else len(configurations)
        return usual, last.index(split) + 1 if split in last else 0, split

    return sorted(found, key=place)


def _read(table: Path, configuration: str) -> pl.LazyFrame:
    try:
        rows = pl.scan_parquet(table)
        found = rows.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the file {table} cannot be read ({reason}); build the run's dataset again") from error
    schema = VIEWS[configuration].schema if configuration in VIEWS else {}
    odd = [name for name, kind in schema.items() if found.get(name) != kind]
    if odd:
        raise InputError(f"{table} is no {configuration}: look at its {', '.join(odd)}; build the run's dataset again")
    return rows


def _check_room(folder: Path, into: Path) -> None:
    """Only an empty folder, or one that holds an export and nothing else, is written to."""
    if folder.resolve() in (into, *into.parents):
        raise InputError(f"{into} lies in the dataset itself; give a folder outside of {folder}")
    if into.exists() and not into.is_dir():
        raise InputError(f"{into} is a file; give a new folder")
    held = {str(path.relative_to(into)) for path in into.rglob("*") if not path.is_dir()} if into.exists() else set()
    try:
        ours = {MANIFEST, *json.loads((into / MANIFEST).read_text(encoding="utf-8"))["files"]} if held else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    if foreign := sorted(held - ours):
        others = f" and {len(foreign) - 1} other files" if len(foreign) > 1 else ""
        raise InputError(f"{into} holds {foreign[0]}{others}, which no export wrote; give a new folder")
