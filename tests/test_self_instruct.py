"""Self-Instruct from end to end over a scripted model."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Record, Rejected, fingerprint, from_table, to_table
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


def published(request: Request) -> str | Completion:
    """Goes on with lists, says Yes or No of tasks, and writes two instances of each."""
    number = request.opening.rsplit("\n", 1)[1]
    if number.rstrip(".").isdigit():
        return obliging()(request)
    asked = request.opening.rsplit(ENGLISH.task, 1)[1]
    if request.opening.endswith(ENGLISH.classification_answer):
        return " Yes" if "Decide" in asked else " No"
    if "Decide" in asked:
        return "Label: yes\nInput: It rains.\nLabel: no\nInput: It shines.\n"
    return "Example 1\nInput: Rain.\nOutput: Wet.\nExample 2\nInput: Sun.\nOutput: Dry.\n"


def test_the_papers_preset() -> None:
    generator = SelfInstruct.model_validate({"preset": "paper", "target": 12})
    assert (generator.instances, generator.rules, generator.prompting) == (5, "published", "few_shot")
    engine = Scripted(published, structured=True)
    made, gone = split(run(engine, generator))
    assert len(made) == 24 and not [g for g in gone if g.part != "reply"]
    assert len({r.meta["task"] for r in made}) == 12
    assert {r.answers[0].text for r in made} == {"yes", "no", "Wet.", "Dry."}
    assert not any(call.candidates or call.schema for call in engine.calls)
    assert len(engine.calls) / 2 < generator.calls(175) < len(engine.calls) * 2
    prompts = {r.prompt_text.replace(str(r.meta["instruction"]), "") for r in made if r.meta["input"] == "Rain."}
    assert len(prompts) > 1, "layouts vary"
    assert run(Slow(published, structured=True), generator) == run(engine, generator)


def test_with_a_schema_no_call_continues_a_reply() -> None:
    def reply(request: Request) -> str | Completion:
        if not request.schema:
            return obliging()(request)
        names = json.loads(request.schema)["required"]
        if names == ["tasks"]:
            return json.dumps({"tasks": tasks_of(request.seed)})
        return json.dumps({name: f"The {name} of {request.seed}" for name in names})

    engine = Scripted(reply, structured=True)
    made, _ = split(run(engine, SelfInstruct(target=20)))
    assert len(made) == 20
    assert not any(call.opening for call in engine.calls if not call.candidates)


def test_ones_own_prompts(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text('en:\n  list_tasks: "{count} riddles, please"\n')
    generator = SelfInstruct(target=2, prompts=str(path))
    generator.check()
    assert generator.reads() == (str(path),)
    engine = Scripted(obliging())
    run(engine, generator)
    assert engine.calls[0].messages[-1].content == "16 riddles, please"
    path.write_text("en:\n  list_taks: riddles")
    with pytest.raises(InputError, match="did you mean 'list_tasks'"):
        generator.check()


def test_tasks_know_their_nearest() -> None:
    made, _ = split(run(Scripted(obliging()), SelfInstruct(target=10)))
    assert all(0 <= float(r.meta["nearest_score"]) <= 0.7 and r.meta["nearest"] for r in made)


class Batching(Engine):
    """Answers eight waiting requests together, and what it says depends on which eight; goes away after `allowed`."""

    name, batches, size = "batching", True, 8

    def __init__(self, allowed: int) -> None:
        self._left = allowed
        self._waiting: list[tuple[str, Request, asyncio.Future[Completion]]] = []
        self._arrivals = 0
        self._worker: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Completion:
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((fingerprint(asdict(request)), request, future))
        self._arrivals += 1
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        return None

    async def _work(self) -> None:
        while True:
            seen, calm = -1, 0
            while calm < 24:
                await asyncio.sleep(0)
                calm, seen = calm + 1 if seen == self._arrivals else 0, self._arrivals
            self._waiting = sorted((w for w in self._waiting if not w[2].done()), key=lambda w: w[0])
            if not self._waiting:
                return
            batch, self._waiting = self._waiting[: self.size], self._waiting[self.size :]
            self._left -= 1
            for key, request, future in batch:
                if self._left < 0:
                    future.set_exception(EngineUnavailable("the server went away"))
                    continue
                seed = int(fingerprint([key, [k for k, _, _ in batch]])[:7], 16)
                said = obliging()(replace(request, seed=seed))
                future.set_result(said if isinstance(said, Completion) else Completion(said))


def test_killed_among_batches_it_ends_in_the_same_batches(tmp_path: Path) -> None:
    def once(name: str, allowed: int) -> tuple[list[Record | Rejected], int]:
        journal = Journal(tmp_path / f"{name}.sqlite")
        try:
            items = run(Journaled(Batching(allowed), journal), SelfInstruct(target=90))
        except EngineUnavailable:
            items = []
        counts = journal.counts()
        assert counts.repeated == 0
        journal.close()
        return items, counts.calls

    whole = once("whole", 10**6)
    assert len(split(whole[0])[0]) == 90
    for allowed in (1, 1, 2, 3, 3, 2, 1, 20, 10**6):
        killed = once("killed", allowed)
    assert killed == whole
