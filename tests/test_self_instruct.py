"""Self-Instruct from end to end over a scripted model."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Record, Rejected, from_table, to_table
from tuneworks.factory.rouge import rouge_l, unicode_tokens
from tuneworks.factory.seeds import read_seeds
from tuneworks.factory.self_instruct import SelfInstruct
from tuneworks.factory.self_instruct.prompts import CHINESE, ENGLISH, Prompts

DICE = Dice(5, "made.self_instruct")
SEEDS = read_seeds("builtin", "made")


def tasks_of(seed: int) -> list[str]:
    """Eight tasks, every other one classification, whose words are their own; one is too like another."""
    rng = random.Random(seed)

    def word() -> str:
        return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6))

    asks = [f"Decide whether {word()} {word()} {word()} is right." for _ in range(4)]
    orders = [f"Describe the {word()} of {word()} and {word()}." for _ in range(3)]
    return [*asks, *orders, orders[0]]


def obliging(prompts: Prompts = ENGLISH) -> Callable[[Request], str | Completion]:
    """A model that goes on with lists, sorts tasks by their first word, and writes instances."""

    def reply(request: Request) -> str | Completion:
        if request.candidates:
            yes, no = request.candidates
            asked = request.opening.rsplit(prompts.task, 1)[1]
            return Completion("", log_probs={yes: -0.1 if "Decide" in asked else -3.0, no: -1.0})
        if request.opening.endswith(prompts.label):
            return f" yes\n{prompts.given} Case {request.seed} is clear."
        if request.opening:
            first, *rest = tasks_of(request.seed)
            number = int(request.opening.rsplit("\n", 1)[1].rstrip("."))
            return f" {first}\n" + "".join(f"{n}. {task}\n" for n, task in enumerate(rest, number + 1))
        return f"Answer {request.seed}."

    return reply


class Slow(Scripted):
    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(random.uniform(0, 0.004))
        return await super().complete(request)


def run(engine: Engine, generator: SelfInstruct, seeds: Sequence[Record] = SEEDS) -> list[Record | Rejected]:
    async def collect() -> list[Record | Rejected]:
        return [item async for item in generator.generate(seeds, engine, DICE)]

    return asyncio.run(collect())


def split(items: list[Record | Rejected]) -> tuple[list[Record], list[Rejected]]:
    return [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Rejected)]


def test_from_seeds_to_instances() -> None:
    made, gone = split(run(Scripted(obliging()), SelfInstruct(target=60)))
    assert len(made) == 60
    assert len({r.id for r in made}) == 60
    assert all(r.answers and r.answers[0].by == "scripted" for r in made)
    assert {r.source for r in made} == {"made"}
    labels = Counter(bool(r.meta["is_classification"]) for r in made)
    assert min(labels.values()) > 15
    for record in made:
        is_label = str(record.meta["instruction"]).startswith("Decide")
        assert bool(record.meta["is_classification"]) == is_label
        assert (record.answers[0].text == "yes") == is_label
    assert {r.part for r in gone} == {"reply"}
    assert all(r.reason.startswith("ROUGE-L 1.000") for r in gone)


def test_new_tasks_are_new() -> None:
    made, _ = split(run(Scripted(obliging()), SelfInstruct(target=40, max_similarity=0.6)))
    texts = [unicode_tokens(str(r.meta["instruction"])) for r in [*SEEDS, *made]]
    for number in range(len(SEEDS), len(texts)):
        assert all(rouge_l(texts[number], earlier) <= 0.6 for earlier in texts[:number])


def test_the_result_does_not_hang_on_which_reply_came_first() -> None:
    options = SelfInstruct(target=25, instances=2)
    expected = run(Scripted(obliging()), options)
    assert run(Slow(obliging()), options) == run(Slow(obliging()), options) == expected


def test_another_seed_makes_other_tasks() -> None:
    async def collect(seed: int) -> list[str]:
        made = SelfInstruct(target=5).generate(SEEDS, Scripted(obliging()), Dice(seed, "s"))
        return [item.prompt_text async for item in made if isinstance(item, Record)]

    assert set(asyncio.run(collect(1))).isdisjoint(asyncio.run(collect(2)))


def test_a_run_from_the_journal_asks_nothing(tmp_path: Path) -> None:
    def once() -> tuple[list[Record | Rejected], int]:
        journal, inner = Journal(tmp_path / "journal.sqlite"), Scripted(obliging())
        items = run(Journaled(inner, journal), SelfInstruct(target=10))
        journal.close()
        return items, len(inner.calls)

    first, second = once(), once()
    assert first[0] == second[0]
    assert first[1] > 0
    assert second[1] == 0


def test_a_run_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path) -> None:
    expected = run(Scripted(obliging()), SelfInstruct(target=20))
    asked: list[int] = []
    for allowed in (5, 60, 10**6):
        left = allowed

        def reply(request: Request) -> str | Completion:
            nonlocal left
            left -= 1
            if left < 0:
                raise EngineUnavailable("the server went away")
            return obliging()(request)

        journal, inner = Journal(tmp_path / "journal.sqlite"), Scripted(reply)
        try:
            items = run(Journaled(inner, journal), SelfInstruct(target=20))
        except EngineUnavailable:
            items = []
        asked.append(journal.counts().calls)
        assert journal.counts().repeated == 0
        journal.close()
    assert items == expected
    assert asked == sorted(set(asked))


def test_an_engine_that_always_fails_ends_with_every_failure_said() -> None:
    def reply(_: Request) -> str:
        raise EngineError("out of memory")

    made, gone = split(run(Scripted(reply), SelfInstruct(target=30)))
    assert made == []
    assert gone
    assert {r.reason for r in gone} == {"out of memory"}


def test_a_model_that_cannot_sort_sets_every_task_aside() -> None:
    def reply(request: Request) -> str | Completion:
        if request.candidates:
            raise EngineError("the server gave no log-probabilities")
        return obliging()(request)

    made, gone = split(run(Scripted(reply), SelfInstruct(target=6)))
    assert made == []
    assert len([r for r in gone if "log-probabilities" in r.reason and r.part == "record"]) == 6


@pytest.mark.parametrize("candidates", [False, True])
def test_an_engine_that_is_gone_stops_the_run(candidates: bool) -> None:
    def reply(request: Request) -> str | Completion:
        if bool(request.candidates) == candidates:
            raise EngineUnavailable("no server")
        return obliging()(request)

    with pytest.raises(EngineUnavailable, match="no server"):
        run(Scripted(reply), SelfInstruct(target=6))


def test_chinese_seeds_are_asked_in_chinese() -> None:
    engine = Scripted(obliging(CHINESE))
    made, _ = split(run(engine, SelfInstruct(target=3), read_seeds("builtin-zh", "made")))
    assert len(made) == 3
    assert all(CHINESE.task in call.opening for call in engine.calls if call.candidates)


def test_records_come_through_a_table() -> None:
    """A stage gets its records from a table, and Self-Instruct hands on what the next one needs."""
    made, _ = split(run(Scripted(obliging()), SelfInstruct(target=4), from_table(to_table(SEEDS))))
    assert made == split(run(Scripted(obliging()), SelfInstruct(target=4)))[0]


def test_seeds_may_say_no_more_than_their_instruction() -> None:
    seeds = [Record.born(f"Name fish {n}.", meta={"instruction": f"Name fish {n}."}) for n in range(3)]
    made, _ = split(run(Scripted(obliging()), SelfInstruct(target=4), seeds))
    assert len(made) == 4


@pytest.mark.parametrize("seeds", [[], [Record.born("A fish?")]])
def test_records_that_are_no_seeds(seeds: list[Record]) -> None:
    with pytest.raises(InputError, match="none is a task with an instruction; start its source from seeds"):
        run(Scripted(obliging()), SelfInstruct(), seeds)


def test_more_tasks_and_more_instances_take_more_calls() -> None:
    engine = Scripted(obliging())
    run(engine, SelfInstruct(target=40))
    assert len(engine.calls) / 2 < SelfInstruct(target=40).calls(len(SEEDS)) < len(engine.calls) * 2
    assert SelfInstruct(target=40, instances=3).calls(175) > SelfInstruct(target=40).calls(175)
