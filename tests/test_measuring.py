"""Measurements made slice by slice: the same however cut, kept when a build dies, used again while they hold."""

import asyncio
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.filters.exact_duplicates import ExactDuplicates
from tuneworks.filters.filter import Filter
from tuneworks.filters.length import Length
from tuneworks.filters.rules import Rules
from tuneworks.pipelines import measuring
from tuneworks.pipelines.measuring import SLICES, decided, measured, measured_asking
from tuneworks.pipelines.stages import MEASURES

RECORDS = [
    Record.born(f"Name {n % 7} rivers in country {n % 5}.", answers=[Answer(f"I cannot name {n}.")], source=str(n))
    for n in range(25)
]


class Cut3(Length):
    slice_rows: ClassVar[int] = 3


class RulesCut3(Rules):
    by_process: ClassVar[bool] = True
    slice_rows: ClassVar[int] = 3


class Failing(Filter):
    """Measures lengths in slices of four until it comes to a row that kills it."""

    kind: ClassVar[str] = "failing"
    measured_by: ClassVar[tuple[str, ...]] = ()
    slice_rows: ClassVar[int] = 4
    dies_at: str = ""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        if self.dies_at in table["source"].to_list():
            raise EngineUnavailable("the model is gone; start it again")
        return table.select(pl.col("prompt").list.len())

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return pl.Series("reason", [None] * measures.height, dtype=pl.String)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.parquet"
    to_table(RECORDS).write_parquet(path)
    return path


@pytest.mark.parametrize("work", [Cut3(min_words=5), RulesCut3()], ids=["one process", "several processes"])
def test_slices_and_processes_change_nothing(records: Path, tmp_path: Path, work: Filter) -> None:
    whole = work.measure(pl.read_parquet(records))
    done: list[int] = []
    cut = measured(work, records, tmp_path / "step", "print", done.append)
    assert cut.drop("id").equals(whole.drop("id", strict=False))
    assert cut["id"].to_list() == [r.id for r in RECORDS]
    assert done == [3] * 8 + [1]
    assert [p.name for p in (tmp_path / "step").iterdir()] == [MEASURES]


@given(st.integers(1, 30))
@settings(max_examples=10, deadline=None)
def test_what_stays_does_not_hang_on_the_size_of_a_slice(rows: int) -> None:
    work, table = ExactDuplicates(), to_table(RECORDS)
    cut = pl.concat([work.measure(table.slice(at, rows)) for at in range(0, len(RECORDS), rows)])
    assert decided(work, cut).equals(decided(work, work.measure(table)))
    assert decided(work, cut)["reason"].null_count() == len({r.prompt_text for r in RECORDS})


def test_a_build_that_died_measures_only_what_is_missing(records: Path, tmp_path: Path) -> None:
    into = tmp_path / "step"
    with pytest.raises(EngineUnavailable, match="start it again"):
        measured(Failing(dies_at="13"), records, into, "print")
    assert len(list((into / SLICES / "print").glob("*.parquet"))) == 3
    done: list[int] = []
    frame = measured(Failing(dies_at="1"), records, into, "print", done.append)
    assert done == [4, 4, 4, 1], "the first three slices, one of which would kill it, are not measured again"
    assert frame.height == len(RECORDS)


def test_measurements_are_used_again_until_their_print_changes(records: Path, tmp_path: Path) -> None:
    into = tmp_path / "step"
    first = measured(Failing(), records, into, "print")
    assert measured(Failing(dies_at="1"), records, into, "print").equals(first)
    with pytest.raises(EngineUnavailable):
        measured(Failing(dies_at="1"), records, into, "another")


def test_slices_of_another_print_are_not_taken(records: Path, tmp_path: Path) -> None:
    into = tmp_path / "step"
    with pytest.raises(EngineUnavailable):
        measured(Failing(dies_at="13"), records, into, "print")
    done: list[int] = []
    measured(Failing(), records, into, "another", done.append)
    assert sum(done) == len(RECORDS)


class Asking(Failing):
    """Asks an engine how much there is to say of each record."""

    def asks_engine(self) -> bool:
        return True

    async def ask(self, table: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        replies = [await engine.complete(Request((Message("user", text),))) for text in table["source"]]
        return pl.DataFrame({"said": [reply.text for reply in replies]})


def echo(request: Request) -> str:
    return request.messages[0].content


def test_an_engine_is_asked_slice_by_slice(records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "ASKED_ROWS", 10)

    def dies(request: Request) -> str:
        if echo(request) == "13":
            raise EngineUnavailable("the server is gone; start it again")
        return echo(request)

    def ask(engine: Scripted, name: str = "print") -> pl.DataFrame:
        return asyncio.run(measured_asking(Asking(), records, tmp_path / "step", name, engine, done.append))

    done: list[int] = []
    with pytest.raises(EngineUnavailable, match="start it again"):
        ask(Scripted(dies))
    whole = Scripted(echo)
    frame = ask(whole)
    assert done == [10, 10, 5] and len(whole.calls) == 15, "the first slice is not asked again"
    assert frame["said"].to_list() == [str(n) for n in range(25)]
    assert frame["id"].to_list() == [r.id for r in RECORDS]
    again = Scripted(echo)
    assert ask(again).equals(frame) and again.calls == []
    assert ask(again, "another").equals(frame) and len(again.calls) == 25


class Loading(Failing):
    """Says when what it loaded is let go."""

    freed: ClassVar[list[str]] = []

    def let_go(self) -> None:
        self.freed.append(self.dies_at)


def test_what_was_loaded_is_let_go_when_all_is_measured_or_it_failed(records: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        measured(Loading(dies_at="13"), records, tmp_path / "step", "print")
    measured(Loading(), records, tmp_path / "step", "print")
    measured(Loading(dies_at="used again"), records, tmp_path / "step", "print")
    assert Loading.freed == ["13", ""]


def test_an_empty_table_is_measured(tmp_path: Path) -> None:
    to_table([]).write_parquet(tmp_path / "records.parquet")
    frame = measured(Length(), tmp_path / "records.parquet", tmp_path / "step", "print")
    assert frame.height == 0 and "words" in frame.columns
