"""Every generator on an engine that always fails: it ends, and says of every record why nothing came of it."""

import asyncio

import pytest

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError
from tuneworks.factory.generator import Generator
from tuneworks.factory.record import Answer, Record, Rejected
from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines import catalog

MAKES_TASKS = {"self_instruct", "one_call"}
"""Their records are examples, of which nothing is made one by one."""

GENERATORS = {kind: plugin for kind, plugin in catalog.family("generators").items() if issubclass(plugin, Generator)}


def records(kind: str) -> list[Record]:
    if kind == "back_translation":
        return read_seeds("documents", "")[:4]
    seeds = read_seeds("builtin", "")[:12]
    return [s.with_answers([*s.answers, Answer("Another.")]) for s in seeds] if kind == "rlaif" else seeds


def fails(request: Request) -> Completion:
    raise EngineError("it always fails")


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_it_ends_and_every_record_says_why(kind: str, structured: bool) -> None:
    options = {"formats": {"few_shot": 0.0, "reasoning": 1.0}, "best_of_n": {"n": 2}}.get(kind, {})
    generator = GENERATORS[kind].model_validate(options)
    given = records(kind)
    if kind in ("best_of_n", "formats"):  # answers of their own would do
        given = [record.with_answers([]) for record in given]

    async def run() -> list[Record | Rejected]:
        engine = Scripted(fails, structured=structured)
        return [item async for item in generator.generate(given, engine, Dice(0, kind))]

    items = asyncio.run(asyncio.wait_for(run(), 60))
    gone = [item for item in items if isinstance(item, Rejected)]
    assert any("it always fails" in item.reason for item in gone)
    assert all(record.id in {r.id for r in given} for record in items if isinstance(record, Record))
    if kind not in MAKES_TASKS:
        told = {item.record.id for item in gone} | {parent for item in gone for parent in item.record.parents}
        assert told >= {record.id for record in given}
