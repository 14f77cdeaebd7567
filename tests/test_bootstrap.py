"""The growing list of tasks: what is asked, what is read out of a reply, and what the pool lets in."""

import asyncio
import json
from collections.abc import Callable
from functools import partial

import pytest

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.self_instruct.bootstrap import Bootstrap
from tuneworks.factory.self_instruct.growth import BARREN_CALLS, WINDOW
from tuneworks.factory.self_instruct.pool import Gate, Pool
from tuneworks.factory.self_instruct.prompts import CHINESE, ENGLISH, Prompting, Prompts
from tuneworks.factory.self_instruct.text_rules import RuleSet

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
    engine: Scripted,
    target: int = 20,
    most_similar: float = 0.7,
    start: list[Record] | None = None,
    rules: RuleSet = "ours",
    prompting: Prompting = "chat",
    prompts: Prompts = ENGLISH,
) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        pool = Pool(seeds() if start is None else start, DICE.stage, Gate.of(rules, most_similar))
        bootstrap = Bootstrap(pool, engine, DICE, prompts, rules, prompting)
        return [item async for item in bootstrap.tasks(target)]

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
    made = kept(run(Scripted(inventive(per_call=2)), 4 * WINDOW, start=start))
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


def test_nothing_disappears_where_a_reply_holds_no_task() -> None:
    items = gone(run(Scripted(lambda _: "\n\n"), 5))
    assert len(items) == BARREN_CALLS
    assert {(i.reason, i.part) for i in items} == {("the reply holds no task", "reply")}


def test_barren_calls_do_not_end_the_search_too_soon() -> None:
    left = [""] * (BARREN_CALLS - 1)

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

    engine = Scripted(lambda _: f"{tasks[0]}\n4、{tasks[1]}\n5．{tasks[2]}")
    assert [r.prompt_text for r in kept(run(engine, 3, start=start, prompts=CHINESE))] == tasks


def test_a_kept_task_knows_the_nearest_one() -> None:
    seed = seeds()[0].prompt_text
    near = seed.replace("sentences", "lines")
    first, second = kept(run(Scripted(lambda _: listing(near, "Zip zap zig zag zoo?")), 2, most_similar=0.99))
    assert first.meta["nearest"] == seed
    assert 0.7 < float(first.meta["nearest_score"]) < 0.99
    assert (second.meta["nearest"], second.meta["nearest_score"]) == ("", 0.0)


def test_texts_that_are_no_tasks_are_set_aside() -> None:
    items = run(Scripted(lambda r: listing("Describe the fish in this picture.", new_task(r.seed))), 1)
    assert ["needs more than text" in r.reason for r in gone(items)] == [True]


def as_json(*texts: object) -> str:
    return json.dumps({"tasks": texts})


def test_an_engine_with_a_schema_gets_a_list_as_json() -> None:
    engine = Scripted(lambda r: as_json(*(new_task(r.seed % 10**6 * 10 + n) for n in range(8))), structured=True)
    assert len(kept(run(engine, 20))) == 20
    for request in engine.calls:
        (message,) = request.messages
        assert (request.opening, request.stop) == ("", ())
        assert json.loads(request.schema)["required"] == ["tasks"]
        assert [f"{n}. Tell me in" in message.content for n in (1, 8)] == [True, True] or "Explain x" in message.content
    assert all(str(seed.meta["instruction"]) in engine.calls[0].messages[0].content for seed in shown(engine.calls[0]))


def shown(request: Request) -> list[Record]:
    numbered = [line.split(". ", 1)[1] for line in request.messages[0].content.split("\n") if line[:1].isdigit()]
    return [seed for seed in seeds() if seed.prompt_text in numbered]


def test_whole_texts_before_a_cut_are_used() -> None:
    def reply(request: Request) -> Completion:
        return Completion(as_json(new_task(request.seed))[:-2] + ', "Explain to me the', "length")

    first, half, *_ = run(Scripted(reply, structured=True), 2)
    assert isinstance(first, Record) and isinstance(half, Rejected)
    assert (half.record.prompt_text, half.reason) == ("Explain to me the", "cut off by the token limit")


def test_more_or_fewer_texts_than_asked_for_are_used() -> None:
    for count in (1, 30):
        engine = Scripted(lambda r, n=count: as_json(*(new_task(r.seed + i) for i in range(n))), structured=True)
        assert len(kept(run(engine, 20))) == 20


def test_a_reply_that_is_no_list_is_asked_for_again_and_then_kept_raw() -> None:
    engine = Scripted(lambda r: f"I would rather not, {r.seed}.", structured=True)
    items = gone(run(engine, 3))
    assert len(engine.calls) == 3 * len(items)
    assert len({call.seed for call in engine.calls}) == len(engine.calls)
    assert {i.reason for i in items} == {'the reply holds no JSON list "tasks"'}
    assert items[0].record.answers[0].text == f"I would rather not, {engine_seed(engine, items[0])}."


def engine_seed(engine: Scripted, item: Rejected) -> int:
    said = item.record.answers[0].text
    return next(call.seed for call in engine.calls if f" {call.seed}." in said)


def test_the_second_try_is_enough() -> None:
    tried: set[tuple[str, ...]] = set()

    def reply(request: Request) -> str:
        asked = tuple(m.content for m in request.messages)
        if asked in tried:
            return as_json(new_task(request.seed))
        tried.add(asked)
        return "{"

    items = run(Scripted(reply, structured=True), 5)
    assert len(kept(items)) == 5 and not gone(items)


def test_few_shot_goes_on_with_the_list_on_any_engine() -> None:
    engine = Scripted(inventive(per_call=7), structured=True)
    run(engine, 5, prompting="few_shot")
    assert all(call.opening.endswith("\n9.") and not call.schema for call in engine.calls)
    assert {call.stop for call in engine.calls} == {("\n\n", "\n16", "16.", "16 .")}
    assert {(c.temperature, c.top_p, c.presence_penalty, c.max_tokens) for c in engine.calls} == {(0.7, 0.5, 2.0, 1024)}


def test_published_a_list_that_is_cut_off_goes_as_a_whole() -> None:
    def reply(request: Request) -> Completion:
        return Completion(listing(new_task(request.seed), "Explain to me the"), "length")

    items = run(Scripted(reply), 3, rules="published")
    assert not kept(items)
    assert all("dropped whole" in i.reason and i.record.answers for i in gone(items))


def test_published_words_of_other_letters_do_not_count_as_like() -> None:
    tasks = ["Опишите рыбу в реке, please do", "Опишите рыбу в море, please go"]
    start = [Record.born(tasks[0], meta={"instruction": tasks[0], "input": ""})]
    ours = run(Scripted(lambda _: listing(tasks[1])), 1, most_similar=0.5, start=start)
    assert "ROUGE-L 0.667" in gone(ours)[0].reason
    published = run(Scripted(lambda _: listing("Give Опишите рыбу в море")), 1, 0.5, start, rules="published")
    assert kept(published)[0].meta["nearest_score"] == 0.0
