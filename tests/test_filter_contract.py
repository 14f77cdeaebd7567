"""What every built-in filter promises: rows are measured each by itself, and thresholds change no measurement."""

import asyncio
from typing import Any

import polars as pl
import pytest

from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.filters.filter import Filter
from tuneworks.pipelines import catalog

OPTIONS: dict[str, dict[str, Any]] = {
    "decontaminate": {"against": ["builtin"]},
    "listed_words": {"words": ["river"]},
    "language": {"keep": ["en", "zh"]},
    "cap": {"most": 2, "per": "verb"},
    "perplexity": {"by": "zlib"},
}
"""Options of kinds that need some, or would load a model."""

WITH_MODEL = {"diversity", "semantic_duplicates"}

TEXTS = [
    ("Name three rivers.", "The Danube, the Elbe and the Oder."),
    ("Name three rivers.", "The Danube."),
    ("Write a short poem about a lake in winter.", "Ice lies over the lake,\nand no bird sings.\n" * 12),
    ("写一首关于大海的诗。", "抱歉，我无法提供这首诗。"),
    ("Explain how bees find the hive, and", "As an AI language model, I cannot"),
    ("", ""),
    ("\ud800 a lone surrogate", "\udfff"),
    ("Call me at +1 415 823 4567 or mail jo.smith@mail-house.org", "My key is sk-abcdefghijklmnopqrstuvwxyz123456"),
    ("word " * 3_000, "word " * 3_000),
]


def table() -> pl.DataFrame:
    records = [
        Record.born(clean(prompt), answers=[Answer(clean(answer))], source=str(at))
        for at, (prompt, answer) in enumerate(TEXTS)
    ]
    talk = [
        Message("system", "Be brief."),
        Message("user", "Hello."),
        Message("assistant", "Hi."),
        Message("user", "Go on."),
    ]
    return to_table(
        [*records, Record.born(talk), Record.born("No answer yet.", meta={"instruction": "No answer yet."})]
    )


def clean(text: str) -> str:
    """A table holds no lone surrogates: they cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()


def built(kind: str) -> Filter:
    plugin = catalog.build(("filters",), {kind: OPTIONS.get(kind, {})}, ())
    assert isinstance(plugin, Filter)
    return plugin


KINDS = sorted(set(catalog.family("filters")) - WITH_MODEL)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_measured_by_itself(kind: str) -> None:
    work, rows = built(kind), table()
    whole = work.measure(rows)
    assert whole.height == rows.height
    for size in (1, 4):
        parts = [work.measure(rows.slice(at, size)) for at in range(0, rows.height, size)]
        assert pl.concat(parts, how="vertical_relaxed").equals(whole)
    assert not work.asks_model()


@pytest.mark.parametrize("kind", KINDS)
def test_a_filter_that_asks_no_engine_measures_the_same_with_one_at_hand(kind: str) -> None:
    work, engine = built(kind), Scripted(lambda request: "never asked")
    assert not work.asks_engine()
    assert asyncio.run(work.ask(table(), engine)).equals(work.measure(table()))
    assert engine.calls == []


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_are_reasons_for_every_row_also_of_none(kind: str) -> None:
    work = built(kind)
    for rows in (table(), table().clear()):
        measures = work.measure(rows)
        measures = measures if "id" in measures.columns else measures.with_columns(rows["id"])
        verdicts = work.verdicts(measures)
        assert verdicts.height == rows.height
        assert verdicts["reason"].dtype == pl.String
        assert verdicts["reason"].to_list() == work.reject(measures).to_list()


@pytest.mark.parametrize("kind", KINDS)
def test_measurements_hang_on_no_other_option_than_the_filter_says(kind: str) -> None:
    work = built(kind)
    defaults = {n: f.get_default() for n, f in type(work).model_fields.items() if not f.is_required()}
    for name, value in defaults.items():
        other = _another(value)
        if other is None:
            continue
        changed = work.model_copy(update={name: other})
        if changed.measured_options() == work.measured_options():
            assert changed.measure(table()).equals(work.measure(table())), f"{kind}.{name}"


def _another(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1 if isinstance(value, int) else value / 2
    return None


def test_the_kinds_left_out_are_those_that_run_a_model() -> None:
    for kind in WITH_MODEL & set(catalog.family("filters")):
        options = {"records": 5} if kind == "diversity" else {}
        plugin = catalog.build(("filters",), {kind: options}, ())
        assert isinstance(plugin, Filter) and plugin.asks_model()
