"""Evol-Instruct from end to end over a scripted model."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.evol_instruct import EvolInstruct
from tuneworks.factory.evol_instruct.equality import EQUALS
from tuneworks.factory.evol_instruct.operators import OPERATORS, survival
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Answer, Message, Record, Rejected, from_table, to_rejected_table, to_table

DICE = Dice(5, "made.evol_instruct")
BIRDS = ("heron", "kestrel", "wren", "plover", "godwit", "siskin", "dunlin", "ouzel")
Reply = Callable[[Request], str | Completion]
Items = list[Record | Rejected]


def seeds(count: int = 8) -> list[Record]:
    return [
        Record.born(f"Write a note about {n} {BIRDS[n % 8]} eggs.", answers=[Answer("Old.")], source="made")
        for n in range(count)
    ]


def words(seed: int) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnoprstuvwz", k=6)) for _ in range(4))


def obliging(request: Request) -> str | Completion:
    """A model that tells requests apart, goes on where a reply is begun, and answers in one sentence."""
    if request.candidates:
        equal = any(all(text in request.messages[-1].content for text in pair) for pair in EQUALS["en"] + EQUALS["zh"])
        return Completion(
            "", log_probs=dict(zip(request.candidates, (-0.1, -3.0) if equal else (-3.0, -0.1), strict=True))
        )
    if len(request.messages) < 3:
        return f"The eggs of {words(request.seed)} are blue."
    if request.opening.endswith("|"):
        return f" bird | eggs |\n|---|---|\n| {words(request.seed)} | 2 |"
    if "```" in request.opening:
        return f"{words(request.seed)}\n"
    if request.opening == "Write a":  # longer than the parent
        parent = request.messages[-1].content.rsplit("it.\n\n", 1)[1].split()
        return " note about " + " and ".join(words(request.seed + n) for n in range(len(parent) // 4 + 1)) + "."
    if request.opening:
        return f" write of {words(request.seed)} there."
    whole = f"Write a note about the eggs of {words(request.seed)} in a table.\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    return json.dumps({"request": whole}) if request.schema else whole


class Slow(Scripted):
    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(random.uniform(0, 0.004))
        return await super().complete(request)


def run(engine: Engine, generator: EvolInstruct, records: Sequence[Record]) -> Items:
    async def collect() -> Items:
        return [item async for item in generator.generate(records, engine, DICE)]

    return asyncio.run(collect())


def made_of(items: Items) -> list[Record]:
    return [i for i in items if isinstance(i, Record) and "depth" in i.meta]


def gone_of(items: Items) -> list[Rejected]:
    return [i for i in items if isinstance(i, Rejected)]


def test_every_instruction_is_evolved_in_every_round() -> None:
    records = seeds()
    items = run(Scripted(obliging), EvolInstruct(rounds=3), records)
    assert gone_of(items) == []
    assert [i for i in items if isinstance(i, Record) and "depth" not in i.meta] == records
    made = made_of(items)
    assert len(made) == len({r.id for r in made}) == 24
    by_id = {r.id: r for r in [*records, *made]}
    for at, record in enumerate(made):
        assert record.meta["round"] == record.meta["depth"] == at % 3 + 1
        assert record.meta["operator"] in OPERATORS and record.source == "made"
        (parent,) = (by_id[p] for p in record.parents)
        assert parent.meta.get("depth", 0) == at % 3
        assert [a.by for a in record.answers] == ["scripted"] and record.answers[0].text.startswith("The eggs")
        whole = "\n\n".join(str(record.meta[n]) for n in ("instruction", "input") if record.meta[n])
        assert record.prompt_text == whole
    assert len({r.meta["operator"] for r in made}) == 6


@pytest.mark.parametrize("structured", [False, True])
def test_without_leads_or_with_a_schema_the_model_writes_the_whole(structured: bool) -> None:
    engine = Scripted(obliging, structured=structured)
    made = made_of(run(engine, EvolInstruct(rounds=1, leads=structured), seeds()))
    assert len(made) == 8 and not any(call.opening for call in engine.calls)
    assert any(call.schema for call in engine.calls) is structured
    assert {r.meta["input"] for r in made} == {"| a | b |\n|---|---|\n| 1 | 2 |"}


@pytest.mark.parametrize("retire_below", [0.0, 0.2])
def test_the_result_does_not_hang_on_which_reply_came_first(retire_below: float) -> None:
    options = EvolInstruct(rounds=3, retire_below=retire_below)
    expected = run(Scripted(obliging), options, seeds(20))
    assert run(Slow(obliging), options, seeds(20)) == run(Slow(obliging), options, seeds(20)) == expected


def test_a_run_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path) -> None:
    options = EvolInstruct(rounds=2)
    expected = run(Scripted(obliging), options, seeds())
    for allowed in (5, 80, 10**6):
        left = allowed

        def reply(request: Request) -> str | Completion:
            nonlocal left
            left -= 1
            if left < 0:
                raise EngineUnavailable("the server went away")
            return obliging(request)

        journal, inner = Journal(tmp_path / "journal.sqlite"), Scripted(reply)
        try:
            items = run(Journaled(inner, journal), options, seeds())
        except EngineUnavailable:
            items = []
        assert journal.counts().repeated == 0
        journal.close()
    assert items == expected


@pytest.mark.parametrize("originals", [False, True])
def test_an_engine_that_always_fails_ends_and_every_record_is_rejected_whole(originals: bool) -> None:
    def fails(_: Request) -> str:
        raise EngineError("out of memory")

    items = run(Scripted(fails), EvolInstruct(rounds=3, originals=originals), seeds())
    assert not any(isinstance(i, Record) for i in items)
    whole = [r for r in gone_of(items) if r.part == "record"]
    assert [r.record for r in whole] == seeds()
    assert {r.reason for r in whole} == {"could not be evolved in 3 rounds: out of memory"}
    assert Counter(r.record.meta.get("round") for r in gone_of(items) if r.part == "reply") == {1: 8, 2: 8, 3: 8}


@pytest.mark.parametrize("candidates", [False, True])
def test_an_engine_that_is_gone_stops_the_run(candidates: bool) -> None:
    def reply(request: Request) -> str | Completion:
        if bool(request.candidates) == candidates:
            raise EngineUnavailable("no server")
        return obliging(request)

    with pytest.raises(EngineUnavailable, match="no server"):
        run(Scripted(reply), EvolInstruct(), seeds())


def test_a_failed_evolution_is_tried_again_from_where_it_was() -> None:
    refused: set[str] = set()

    def reply(request: Request) -> str | Completion:
        parent = request.messages[-1].content.rsplit("\n\n", 1)[1]
        if len(request.messages) >= 3 and parent not in refused:
            refused.add(parent)
            return parent
        return obliging(request)

    items = run(Scripted(reply), EvolInstruct(rounds=2, leads=False), seeds())
    gone, made = gone_of(items), made_of(items)
    assert {r.reason for r in gone} == {"the same words as before"} and len(gone) == 8
    assert {(r.part, r.record.meta["round"]) for r in gone} == {("reply", 1)}
    assert {(r.meta["round"], r.meta["depth"]) for r in made} == {(2, 1)}
    assert [r.parents for r in made] == [(s.id,) for s in seeds()] == [r.record.parents for r in gone]
    first = [r.record.meta["operator"] for r in gone]
    assert first != [r.meta["operator"] for r in made]


def test_what_is_never_evolved_stays_as_an_original_or_goes_whole() -> None:
    same = "New request: Write a note about 0 heron eggs."

    def echoes(request: Request) -> str | Completion:
        return same if len(request.messages) >= 3 else obliging(request)

    items = run(Scripted(echoes), EvolInstruct(leads=False), seeds(1))
    assert items[0] == seeds(1)[0] and [r.part for r in gone_of(items)] == ["reply", "reply"]
    items = run(Scripted(echoes), EvolInstruct(leads=False, originals=False), seeds(1))
    assert [r.part for r in gone_of(items)] == ["reply", "reply", "record"] and len(items) == 3
    assert gone_of(items)[-1].reason == "could not be evolved in 2 rounds: the same words as before"
    assert gone_of(items)[0].record.answers[0].text == same


def test_without_originals_only_evolutions_are_handed_on() -> None:
    items = run(Scripted(obliging), EvolInstruct(originals=False), seeds())
    assert items == made_of(items) and len(items) == 16


def test_an_operator_that_does_not_survive_is_retired_between_rounds() -> None:
    def reply(request: Request) -> str | Completion:
        copies = "same kind" in request.messages[-1].content
        return "the given prompt is here" if copies else obliging(request)

    options = EvolInstruct(rounds=3, operators={"breadth": 1, "deepen": 1}, retire_below=0.5, rules=("copied",))
    items = run(Scripted(reply), options, seeds(60))
    rounds = [survival(i for i in items if _round(i) == n) for n in (1, 2, 3)]
    assert rounds[0]["breadth"][0] == 0 and rounds[0]["breadth"][1] >= 20
    assert rounds[1] == rounds[2] == {"deepen": (60, 60)}
    kept = EvolInstruct(rounds=3, operators={"breadth": 1, "deepen": 1}, rules=("copied",))
    assert any(_round(i) == 3 and i.part == "reply" for i in gone_of(run(Scripted(reply), kept, seeds(60))))


def _round(item: Record | Rejected) -> object:
    return (item if isinstance(item, Record) else item.record).meta.get("round")


def test_operators_have_weights() -> None:
    made = made_of(run(Scripted(obliging), EvolInstruct(operators={"deepen": 3, "breadth": 1}), seeds(40)))
    counts = Counter(r.meta["operator"] for r in made)
    assert set(counts) == {"deepen", "breadth"} and counts["deepen"] > 2 * counts["breadth"] - 10


@pytest.mark.parametrize("operators", [{}, {"deepen": 0}, {"deepen": -1}, {"depen": 1}])
def test_operators_that_cannot_be_drawn(operators: object) -> None:
    with pytest.raises(ValidationError):
        EvolInstruct.model_validate({"operators": operators})


def test_rules_that_are_off_ask_nothing() -> None:
    engine = Scripted(obliging)
    made = made_of(run(engine, EvolInstruct(rounds=1, rules=("copied",)), seeds()))
    assert len(engine.calls) == len(made) == 8 and not any(r.answers for r in made)


@pytest.mark.parametrize("rules", [("copied",), ("no_gain",), ("sorry",), ("no_gain", "sorry", "blank", "copied")])
def test_the_estimate_of_calls(rules: tuple[str, ...]) -> None:
    engine, options = Scripted(obliging), EvolInstruct.model_validate({"rounds": 3, "rules": rules})
    run(engine, options, seeds(10))
    assert options.calls(10) == len(engine.calls)


def test_the_papers_preset() -> None:
    options = EvolInstruct.model_validate({"preset": "paper", "rounds": 2})
    assert (options.rounds, options.temperature, options.top_p, options.max_tokens) == (2, 1.0, 0.95, 2048)
    assert EvolInstruct.model_validate({"preset": "paper"}).rounds == 4
    assert set(options.operators.values()) == {1.0} and set(options.operators) == set(OPERATORS)
    assert "cheap" not in options.rules and len(options.rules) == 4 and not options.leads
    assert EvolInstruct.model_validate(options.written()["evol_instruct"]) == options


def test_what_stands_before_the_request_stays_and_what_follows_goes() -> None:
    record = Record.born(
        [Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hello."),
         Message("user", "Write a note about eggs."), Message("assistant", "Eggs.")]
    )  # fmt: skip
    (made,) = made_of(run(Scripted(obliging), EvolInstruct(rounds=1, operators={"deepen": 1}), [record]))
    assert [m.role for m in made.prompt] == ["system", "user", "assistant", "user"]
    assert made.prompt[:3] == record.prompt[:3] and made.prompt_text.startswith("Write a note about eggs.")


def test_a_record_that_asks_nothing_is_set_aside() -> None:
    record = Record.born([Message("system", "Be brief.")])
    (gone,) = gone_of(run(Scripted(obliging), EvolInstruct(), [record]))
    assert gone.part == "record" and gone.reason == "could not be evolved in 2 rounds: it has no user message"


def test_depth_goes_on_over_two_stages_and_records_come_through_a_table() -> None:
    first = made_of(run(Scripted(obliging), EvolInstruct(rounds=1), from_table(to_table(seeds()))))
    assert first == made_of(run(Scripted(obliging), EvolInstruct(rounds=1), seeds()))
    again = run(Scripted(obliging), EvolInstruct(rounds=1, originals=False), first)
    assert {r.meta["depth"] for r in made_of(again)} == {2}


def test_chinese_requests_are_asked_in_chinese() -> None:
    def reply(request: Request) -> str | Completion:
        if len(request.messages) < 3:
            return obliging(request) if request.candidates else "春天的鸟蛋是蓝色的。"
        return f"数一数第{'一二三四五六七八九'[request.seed % 9]}只鸟的蛋。"

    records = [Record.born(f"写一段关于{bird}的话。") for bird in ("白鹭", "红隼", "鹪鹩", "喜鹊")]
    engine = Scripted(reply)
    made = made_of(run(engine, EvolInstruct(rounds=1, rules=("no_gain", "sorry", "copied")), records))
    assert len(made) == 4
    assert all("请" in c.messages[-1].content for c in engine.calls if len(c.messages) > 1 or c.candidates)


def test_prompts_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "prompts.yaml"
    file.write_text("deepen: 'Dig into {prompt} now'\n")
    options = EvolInstruct(rounds=1, operators={"deepen": 1}, prompts=str(file))
    options.check()
    assert options.reads() == (str(file),)
    engine = Scripted(obliging)
    run(engine, options, seeds(1))
    assert any(c.messages[-1].content == "Dig into Write a note about 0 heron eggs. now" for c in engine.calls)
    file.write_text("deepen: Dig\n")
    with pytest.raises(InputError, match=r"lacks \{prompt\}"):
        options.check()


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["", "\x00\x1b[2J", "1. a\n2. b\n1. a", '{"request": "', '{"request": ["x"]}', "\ud83d", "\u202e\u05d0" * 40,
         "a " * 5000, "```json\n", "New request:", "|", EvolInstruct.__doc__ or ""]
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_whatever_a_model_replies_nothing_disappears(replies: list[str], structured: bool, leads: bool) -> None:
    def reply(request: Request) -> str | Completion:
        return obliging(request) if request.candidates else replies[request.seed % len(replies)]

    records = [*seeds(2), Record.born("写一段关于白鹭的话。")]
    items = run(Scripted(reply, structured=structured), EvolInstruct(leads=leads), records)
    replies_gone = [r for r in gone_of(items) if r.part == "reply"]
    tries = Counter([*map(_round, made_of(items)), *map(_round, replies_gone)])
    assert tries == {1: 3, 2: 3}
    assert [i for i in items if i in records] == records
    to_table(made_of(items))
    to_rejected_table(gone_of(items))
