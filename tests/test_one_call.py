"""Instruction, input and output in one reply: what is asked, what is kept, and always the same result."""

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.record import Answer, Record, Rejected
from tuneworks.factory.seeds import read_seeds
from tuneworks.factory.self_instruct.growth import BARREN_CALLS
from tuneworks.factory.self_instruct.one_call import EXAMPLES, OneCall

DICE = Dice(5, "made.one_call")
SEEDS = read_seeds("builtin", "made")


def words(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(count)]


def tasks_of(seed: int, count: int) -> list[tuple[str, str, str]]:
    made = []
    for n in range(count):
        a, b, c, d, e = words(seed * 100 + n, 5)
        made.append((f"Explain the {a} of {b} and {c}.", d if n % 2 else "", f"It is {e}."))
    return made


def labelled(tasks: Sequence[tuple[str, str, str]]) -> str:
    return "\n\n".join(f"{n}. Instruction: {a}\nInput: {b or 'none'}\nOutput: {c}" for n, (a, b, c) in enumerate(tasks))


def as_json(tasks: Sequence[tuple[str, str, str]]) -> str:
    return json.dumps({"tasks": [{"instruction": a, "input": b, "output": c} for a, b, c in tasks]})


def obliging(request: Request) -> str:
    tasks = tasks_of(request.seed, 4)
    return as_json(tasks) if request.schema else labelled(tasks)


class Slow(Scripted):
    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(random.uniform(0, 0.004))
        return await super().complete(request)


def run(engine: Engine, generator: OneCall, seeds: Sequence[Record] = SEEDS) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        return [item async for item in generator.generate(seeds, engine, DICE)]

    return asyncio.run(collect())


def split(items: list[Record | Rejected]) -> tuple[list[Record], list[Rejected]]:
    return [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Rejected)]


@pytest.mark.parametrize("structured", [False, True])
def test_from_seeds_to_tasks(structured: bool) -> None:
    engine = Scripted(obliging, structured=structured)
    made, gone = split(run(engine, OneCall(target=30)))
    assert len(made) == len({r.id for r in made}) == 30 and not gone
    ids = {seed.id for seed in SEEDS}
    for record in made:
        assert record.prompt_text == "\n\n".join(t for t in (record.meta["instruction"], record.meta["input"]) if t)
        assert record.answers[0].by == "scripted" and record.source == "made"
        assert (record.meta["operator"], set(record.parents) <= ids) == ("one_call", True)
        assert 0 <= float(record.meta["nearest_score"]) <= 0.7
    assert {bool(r.meta["input"]) for r in made} == {True, False}
    assert all(bool(call.schema) == structured for call in engine.calls)
    assert len(engine.calls) <= 24


@pytest.mark.parametrize(("per_reply", "turns"), [(1, EXAMPLES), (2, 2), (17, 1)])
def test_examples_are_earlier_turns(per_reply: int, turns: int) -> None:
    engine = Scripted(obliging)
    run(engine, OneCall(target=3, per_reply=per_reply))
    for call in engine.calls:
        assert [m.role for m in call.messages] == ["user", "assistant"] * turns + ["user"]
        assert sum(m.content.count("Instruction:") for m in call.messages if m.role == "assistant") == EXAMPLES
        assert str(per_reply) in call.messages[-1].content


def test_with_a_schema_examples_are_json_too() -> None:
    engine = Scripted(obliging, structured=True)
    run(engine, OneCall(target=3))
    (example,) = [json.loads(m.content) for m in engine.calls[0].messages if m.role == "assistant"]
    assert [list(task) for task in example["tasks"]] == [["instruction", "input", "output"]] * EXAMPLES
    item = json.loads(engine.calls[0].schema)["properties"]["tasks"]["items"]
    assert item["required"] == ["instruction", "input", "output"]


def test_made_tasks_are_shown_only_when_asked_for() -> None:
    for examples, shows in (("seeds", False), ("pool", True)):
        made, _ = split(run(Scripted(obliging), OneCall.model_validate({"target": 300, "examples": examples})))
        ids = {r.id for r in made}
        assert any(ids & set(r.parents) for r in made) == shows


def test_the_result_does_not_hang_on_which_reply_came_first() -> None:
    options = OneCall(target=150, examples="pool", layout="varied")
    expected = run(Scripted(obliging), options)
    assert run(Slow(obliging), options) == run(Slow(obliging), options) == expected


def test_of_a_cut_reply_the_last_task_alone_is_set_aside() -> None:
    def reply(request: Request) -> Completion:
        return Completion(labelled(tasks_of(request.seed, 2)), "length")

    made, gone = split(run(Scripted(reply), OneCall(target=2)))
    assert len(made) == 2
    assert {(g.reason, g.part) for g in gone} == {("cut off by the token limit", "reply")}
    assert all(g.record.answers for g in gone)


Task = tuple[str, str, str]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (("Name a fish.", "", "Trout"), "3 words, fewer than 4"),
        (("Tell me the name of a fish.", "Trout", "Trout"), "equals the input"),
        (("Tell me the name of a fish.", "", "Here it is:"), "ends with a colon"),
        (("Tell me the name of a fish.", "", "the carp, " * 60), "repeats"),
        ((str(SEEDS[0].meta["instruction"]), "", "Trout"), "ROUGE-L 1.000"),
        (("Tell me the name of a fish.", "", ""), "no output"),
    ],
)
def test_what_cannot_be_used_is_set_aside(task: Task, words: str) -> None:
    def reply(request: Request) -> str:
        return as_json([task, *tasks_of(request.seed, 1)])

    made, gone = split(run(Scripted(reply), OneCall(target=1)))
    assert len(made) == 1 and words in gone[0].reason
    assert gone[0].record.meta["instruction"] == task[0]


def test_published_rules_are_alpacas() -> None:
    def reply(request: Request) -> str:
        a, b, c = words(request.seed, 3)
        return as_json([(f"Describe the music of {a} {b}", "", c), *tasks_of(request.seed, 1)])

    made, gone = split(run(Scripted(reply), OneCall(target=1, rules="published")))
    assert (len(made), gone[0].reason) == (1, 'holds the word "music"')


def never_json(request: Request) -> str:
    return f"I would rather not, {request.seed}."


@pytest.mark.parametrize("structured", [False, True])
def test_a_model_that_writes_no_tasks_ends_the_search(structured: bool) -> None:
    engine = Scripted(never_json, structured=structured)
    made, gone = split(run(engine, OneCall(target=500)))
    assert not made and len(gone) == BARREN_CALLS
    assert len(engine.calls) == BARREN_CALLS * (3 if structured else 1)
    assert all(g.part == "reply" and g.record.answers[0].text.startswith("I would") for g in gone)


def test_an_engine_that_always_fails_ends_and_one_that_is_gone_stops() -> None:
    def fails(_: Request) -> str:
        raise EngineError("too long")

    def gone(_: Request) -> str:
        raise EngineUnavailable("no server")

    made, lost = split(run(Scripted(fails), OneCall(target=500)))
    assert not made and {g.reason for g in lost} == {"too long"}
    with pytest.raises(EngineUnavailable):
        run(Scripted(gone), OneCall())


def test_chinese_seeds_are_asked_in_chinese() -> None:
    def reply(request: Request) -> str:
        a = "".join(random.Random(request.seed).choices("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏", k=12))
        return f"指令：请解释{a}。\n输入：无\n输出：{a[::-1]}"

    engine = Scripted(reply)
    made, _ = split(run(engine, OneCall(target=3), read_seeds("builtin-zh", "made")))
    assert len(made) == 3 and all(r.meta["input"] == "" for r in made)
    assert all("指令：" in m.content for call in engine.calls for m in call.messages if m.role == "assistant")


def test_seeds_without_answers_are_no_examples() -> None:
    seeds = [Record.born(f"Name fish {n}.", meta={"instruction": f"Name fish {n}."}) for n in range(3)]
    engine = Scripted(obliging)
    assert len(split(run(engine, OneCall(target=4), seeds))[0]) == 4
    assert all(len(call.messages) == 1 for call in engine.calls)
    answered = [seeds[0], seeds[1].with_answers([Answer("Carp")])]
    run(engine := Scripted(obliging), OneCall(target=1), answered)
    assert "Carp" in engine.calls[0].messages[1].content


def test_ones_own_prompts(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text('en:\n  ask: "{count} riddles, please"\n')
    generator = OneCall(target=1, prompts=str(path))
    generator.check()
    assert generator.reads() == (str(path),)
    run(engine := Scripted(obliging), generator)
    assert engine.calls[0].messages[-1].content == "4 riddles, please"
    path.write_text("en:\n  ask: riddles")
    with pytest.raises(InputError, match=r"lacks \{count\}"):
        generator.check()


def test_the_preset() -> None:
    alpaca = OneCall.model_validate({"preset": "alpaca", "target": 5})
    assert (alpaca.per_reply, alpaca.rules, alpaca.max_tokens, alpaca.target) == (17, "published", 3072, 5)
    with pytest.raises(ValidationError, match="has no preset"):
        OneCall.model_validate({"preset": "alpacca"})
    assert OneCall(target=100, per_reply=1).calls(9) > OneCall(target=100).calls(9) > 0
