"""The growing list of tasks: what is asked, what is read out of a reply, and what the pool lets in."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.self_instruct.bootstrap import BARREN_ROUNDS, bootstrap, split_tasks, text_rule
from tuneworks.factory.self_instruct.prompts import CHINESE, ENGLISH

DICE = Dice(5, "made.self_instruct")
FISH = ["carp", "trout", "salmon", "perch", "bream", "pike", "zander", "tench", "roach", "eel"]
VERBS = ["cook", "catch", "draw", "describe", "sell", "name", "photograph", "study", "feed", "compare"]


def seeds(count: int = 12) -> list[Record]:
    tasks = [f"Tell me in {n + 2} sentences why people {VERBS[n % 10]} the {FISH[n * 3 % 10]}." for n in range(count)]
    return [Record.born(task, source="made", meta={"instruction": task, "input": ""}) for task in tasks]


def new_task(number: int) -> str:
    """Tasks that share few words."""
    a, b, c = (f"{letter}{number}" for letter in "xyz")
    return f"Explain {a} {b} {c} to {a[::-1]} {b[::-1]}."


def listing(*tasks: str, first: int = 9) -> str:
    """A reply that goes on after "9."."""
    return "".join(f" {task}\n" if at == 0 else f"{first + at}. {task}\n" for at, task in enumerate(tasks))


def inventive(per_call: int = 8) -> Callable[[Request], str]:
    """A model that always has something new to say, chosen by the request's seed."""
    return lambda request: listing(*(new_task(request.seed % 10**6 * 10 + n) for n in range(per_call)))


def run(
    engine: Scripted, target: int = 20, most_similar: float = 0.7, start: list[Record] | None = None
) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        made = bootstrap(seeds() if start is None else start, engine, DICE, ENGLISH, target, most_similar)
        return [item async for item in made]

    return asyncio.run(collect())


def kept(items: list[Record | Rejected]) -> list[Record]:
    return [item for item in items if isinstance(item, Record)]


def gone(items: list[Record | Rejected]) -> list[Rejected]:
    return [item for item in items if isinstance(item, Rejected)]


@pytest.mark.parametrize("target", [1, 3, 8, 50])
def test_exactly_as_many_as_wanted(target: int) -> None:
    items = run(Scripted(inventive()), target)
    assert len(kept(items)) == target
    assert len({r.prompt_text for r in kept(items)}) == target


def test_a_task_knows_where_it_came_from() -> None:
    start = seeds()
    made = kept(run(Scripted(inventive(per_call=2)), 60, start=start))
    ids = {r.id for r in start} | {r.id for r in made}
    assert {r.source for r in made} == {"made"}
    assert all(r.meta["instruction"] == r.prompt_text and r.meta["input"] == "" for r in made)
    assert all(r.parents and set(r.parents) <= ids for r in made)
    assert all(len(set(r.parents)) == len(r.parents) for r in made)
    by_round = [set(r.parents) & {m.id for m in made} for r in made if r.meta["round"] != 0]
    assert any(by_round), "later rounds show tasks of earlier ones"
    assert {bool(set(r.parents) - {s.id for s in start}) for r in made if r.meta["round"] == 0} == {False}


def test_the_examples_are_numbered_and_the_list_is_left_open() -> None:
    engine = Scripted(inventive())
    run(engine, 5)
    for request in engine.calls:
        lines = request.opening.split("\n")
        assert [line.split(".")[0] for line in lines] == [str(n + 1) for n in range(len(lines))]
        assert lines[-1] == f"{len(lines)}."
        assert all(len(line.split()) > 3 for line in lines[:-1])
    assert len({request.seed for request in engine.calls}) == len(engine.calls)


def test_few_seeds_are_enough() -> None:
    assert len(kept(run(Scripted(inventive()), 20, start=seeds(1)))) == 20


def test_the_same_choices_every_time() -> None:
    assert run(Scripted(inventive()), 30) == run(Scripted(inventive()), 30)


def test_an_old_idea_is_set_aside_with_its_likeness() -> None:
    seed = seeds()[0].prompt_text
    near = seed.replace("sentences", "lines")
    engine = Scripted(lambda r: listing(near, new_task(r.seed), new_task(r.seed)))
    items = run(engine, 1)
    first, second = items
    assert isinstance(first, Rejected)
    assert (first.record.prompt_text, first.part, first.stage) == (near, "reply", DICE.stage)
    assert first.reason.startswith("ROUGE-L 0.")
    assert seed in first.reason
    assert isinstance(second, Record)


def test_the_pool_holds_what_was_made() -> None:
    items = run(Scripted(lambda _: listing(*map(new_task, range(4)))), 50)
    assert len(kept(items)) == 4
    assert all("ROUGE-L 1.000" in r.reason for r in gone(items))


def test_the_limit_of_likeness_is_the_users() -> None:
    near = seeds()[0].prompt_text.replace("sentences", "lines")
    assert len(kept(run(Scripted(lambda _: listing(near)), 1, most_similar=0.99))) == 1


def test_an_exact_repeat_passes_only_a_limit_of_one() -> None:
    seed = seeds()[0].prompt_text
    assert len(kept(run(Scripted(lambda _: listing(seed)), 1, most_similar=1.0))) == 1


def test_the_last_task_of_a_reply_that_was_cut_off_is_not_used() -> None:
    def reply(request: Request) -> Completion:
        return Completion(listing(new_task(request.seed), "Explain to me the"), "length")

    items = run(Scripted(reply), 1)
    assert len(kept(items)) == 1
    cut = gone(run(Scripted(reply), 3))
    assert cut
    assert {(r.reason, r.record.prompt_text) for r in cut} == {("cut off by the token limit", "Explain to me the")}


def silent(said: str, _: Request) -> str:
    return said


def test_a_model_with_nothing_new_ends_the_search() -> None:
    for said in ("", "\n\n", "9.", "Fish!"):
        engine = Scripted(partial(silent, said))
        assert kept(run(engine, 100)) == []
        assert 0 < len(engine.calls) < 400


def test_a_few_barren_rounds_do_not_end_the_search() -> None:
    left = [""] * (BARREN_ROUNDS - 1)

    def reply(_: Request) -> str:
        return left.pop() if left else listing(new_task(1))

    assert len(kept(run(Scripted(reply), 1))) == 1


def test_an_engine_that_always_fails_ends_with_every_failure_said() -> None:
    def reply(_: Request) -> str:
        raise EngineError("out of memory")

    engine = Scripted(reply)
    items = run(engine, 30)
    assert kept(items) == []
    assert len(items) == len(engine.calls) < 400
    assert {(r.reason, r.part, r.stage) for r in gone(items)} == {("out of memory", "reply", DICE.stage)}
    assert {r.record.source for r in gone(items)} == {"made"}


def test_a_failure_now_and_then_costs_one_call() -> None:
    def reply(request: Request) -> str:
        if request.seed % 3 == 0:
            raise EngineError("too long")
        return inventive()(request)

    items = run(Scripted(reply), 60)
    assert len(kept(items)) == 60
    assert "too long" in {r.reason for r in gone(items)}


def test_an_engine_that_is_gone_stops_the_search() -> None:
    def reply(_: Request) -> str:
        raise EngineUnavailable("no server")

    with pytest.raises(EngineUnavailable, match="no server"):
        run(Scripted(reply))


def test_chinese() -> None:
    tasks = ["请介绍一下鲤鱼的生活习性。", "写一首关于春天的短诗。", "怎样才能学好数学？"]
    start = [Record.born(t, meta={"instruction": t, "input": ""}) for t in ["说出三种鱼。", "把这句话翻译成英文。"]]

    async def collect() -> list[Record | Rejected]:
        engine = Scripted(lambda _: f"{tasks[0]}\n4、{tasks[1]}\n5．{tasks[2]}")
        return [item async for item in bootstrap(start, engine, DICE, CHINESE, 3, 0.7)]

    assert [r.prompt_text for r in kept(asyncio.run(collect()))] == tasks


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("Name a fish.", "fewer than"),
        ("Name a fish that " + "swims and " * 200, "more than"),
        ("- Name a fish that swims fast.", "begins with '-'"),
        ("Write a program that sorts a list of fish.", "begins with"),
        ("Describe the fish in this picture.", "needs more than text"),
        ("The fish was in the water, and it was cold.", "asks for nothing"),
    ],
)
def test_texts_that_are_no_tasks(task: str, reason: str) -> None:
    said = text_rule(task)
    assert said is not None
    assert reason in said
    items = run(Scripted(lambda r: listing(task, new_task(r.seed))), 1)
    assert [r.reason for r in gone(items)] == [said]


@pytest.mark.parametrize(
    "task",
    ["Name three fish that swim fast.", '"Carp": is that a fish?', "说出三种鱼。", "Écrivez un poème sur la mer."],
)
def test_texts_that_are_tasks(task: str) -> None:
    assert text_rule(task) is None


words = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=8)
tasks = st.lists(words, min_size=1, max_size=9).map(" ".join)


@given(st.lists(tasks, min_size=1, max_size=12), st.sampled_from([". ", ") ", "、", "．", ".  ", ": "]), st.booleans())
def test_a_numbered_list_comes_apart_again(items: list[str], mark: str, lone: bool) -> None:
    text = "".join(f"{item}\n{' ' * lone}{at}{mark}" for at, item in enumerate(items, 10))
    assert split_tasks(text) == [" ".join(item.split()) for item in items]


@given(st.text())
def test_any_text_gives_tidy_tasks(text: str) -> None:
    for task in split_tasks(text):
        assert task == " ".join(task.split()) != ""
        assert not task.endswith((":", "："))


@given(st.text(st.sampled_from("1. \n:：、abä)"), max_size=30))
def test_nothing_but_white_space_numbers_and_colons_is_lost(text: str) -> None:
    def letters(value: str) -> list[str]:
        return [c for c in value if c.isalpha()]

    assert letters("".join(split_tasks(text))) == letters(text)


def test_a_number_inside_a_task_does_not_split_it() -> None:
    assert split_tasks("Round 3.14 to 1. place\n10. Say 5: why?") == ["Round 3.14 to 1. place", "Say 5: why?"]
