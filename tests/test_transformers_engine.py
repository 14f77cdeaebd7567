"""The engine over a model in this process: which requests share a batch, and how it ends."""

import asyncio
import gc
import json
import random
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_model import build_tiny_model

from tuneworks.factory.budget import Budget
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.engines import decoding
from tuneworks.factory.engines.likelihood import Given, Likelihood, likelihood
from tuneworks.factory.engines.scoring_packs import Pack
from tuneworks.factory.engines.transformers import Transformers, TransformersEngine, Waiting
from tuneworks.factory.errors import BudgetReached, EngineError, EngineUnavailable, MissingExtra
from tuneworks.factory.flight import in_order
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.judge import Judge
from tuneworks.factory.record import Answer, Message, Record, to_table
from tuneworks.filters.perplexity import Perplexity


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """It knows no end of a reply, so that each is as long as it may be."""
    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    for name in ("config.json", "generation_config.json"):
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**settings, "eos_token_id": None}))
    return str(folder)


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "device_and_dtype", lambda: ("cpu", torch.float32))
        yield


def mixed(count: int = 22) -> list[Request]:
    """Of several lengths, some scoring, some beginning alike."""
    rng = random.Random(0)
    made = []
    for number in range(count):
        words = " ".join(rng.choices(["carp", "trout", "pike", "a", "the", "sees"], k=rng.randint(1, 12)))
        opening = "Example: a carp is a fish. " * 3 if number % 3 == 0 else ""
        candidates = ("1", "2") if number % 4 == 0 else ()
        made.append(
            Request(
                (Message("user", f"{words}?"),),
                opening=opening,
                max_tokens=rng.choice([4, 8]),
                temperature=rng.choice([0.0, 0.9]),
                seed=number,
                candidates=candidates,
            )
        )
    return made


async def ask_all(engine: Engine, requests: Sequence[Request], pauses: Sequence[int] = ()) -> list[Completion]:
    """Ask all at once, each after some turns of the event loop."""

    async def ask(request: Request, pause: int) -> Completion:
        for _ in range(pause):
            await asyncio.sleep(0)
        return await engine.complete(request)

    waits = list(pauses) or [0] * len(requests)
    try:
        return await asyncio.gather(*map(ask, requests, waits))
    finally:
        await engine.close()


class Batches:
    """Says after each reply how many were in the journal by then: a batch's replies come together."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.made: list[list[str]] = []
        self._held = journal.counts().calls

    def seen(self, reply: Completion, replayed: bool) -> None:
        held = self._journal.counts().calls
        if not replayed:
            if held > self._held:
                self.made.append([])
                self._held = held
            self.made[-1].append(f"{reply.text}{reply.log_probs}")


def run(
    tiny: str, path: Path, requests: Sequence[Request], pauses: Sequence[int] = (), batch: int = 4
) -> tuple[list[Completion], list[list[str]]]:
    journal = Journal(path)
    batches = Batches(journal)
    engine = Journaled(Transformers(model=tiny, batch=batch).open(), journal, batches.seen)
    replies = asyncio.run(ask_all(engine, requests, pauses))
    journal.close()
    return replies, [sorted(batch) for batch in batches.made]


def test_batches_are_those_of_the_waiting_requests_not_of_their_arrival(tiny: str, tmp_path: Path) -> None:
    requests = mixed()
    replies, batches = run(tiny, tmp_path / "first", requests)
    assert sum(map(len, batches)) == len(requests)
    assert max(map(len, batches)) == 4
    order = list(range(len(requests)))
    for attempt in range(3):
        rng = random.Random(attempt)
        rng.shuffle(order)
        pauses = [rng.choice([0, 5, 11]) for _ in order]
        again, same = run(tiny, tmp_path / str(attempt), [requests[n] for n in order], pauses)
        assert same == batches
        assert again == [replies[n] for n in order]


def test_scoring_and_generating_do_not_share_a_batch(tiny: str, tmp_path: Path) -> None:
    requests = mixed()
    _, batches = run(tiny, tmp_path / "journal", requests, batch=8)
    scored = [[reply.endswith("{}") for reply in batch] for batch in batches]
    assert all(len(set(batch)) == 1 for batch in scored)
    assert {batch[0] for batch in scored} == {True, False}


@pytest.mark.parametrize("whole", [1, 3])
def test_a_resumed_run_forms_the_batches_that_were_left(whole: int, tiny: str, tmp_path: Path) -> None:
    """Cut off after so many batches: what is left is asked in the batches of the run that was not cut off."""
    requests = mixed()
    replies, batches = run(tiny, tmp_path / "whole", requests)

    class Enough(Exception):
        pass

    journal = Journal(tmp_path / "cut")
    seen = Batches(journal)

    def stop_after(reply: Completion, replayed: bool) -> None:
        seen.seen(reply, replayed)
        if len(seen.made) == whole and len(seen.made[-1]) == 4:
            raise Enough

    async def cut_off() -> None:
        engine = Journaled(Transformers(model=tiny, batch=4).open(), journal, stop_after)
        await ask_all(engine, requests)

    with pytest.raises(Enough):
        asyncio.run(cut_off())
    assert journal.counts().calls == 4 * whole
    journal.close()
    again, left = run(tiny, tmp_path / "cut", requests)
    assert left == batches[whole:]
    assert again == replies


def test_a_queue_that_is_fed_as_it_empties_is_the_same_every_time(tiny: str, tmp_path: Path) -> None:
    async def stream(path: Path) -> list[str]:
        journal = Journal(path)
        engine = Journaled(Transformers(model=tiny, batch=3).open(), journal)

        def chain(number: int) -> Iterator[Request]:
            for step in range(3):
                yield replace(mixed(1)[0], candidates=(), seed=10 * number + step, max_tokens=4)

        async def ask(number: int) -> str:
            said = [(await engine.complete(request)).text for request in chain(number)]
            return "|".join(said)

        made = [text async for text in in_order((partial(ask, n) for n in range(7)), limit=5)]
        await engine.close()
        journal.close()
        return made

    first = asyncio.run(stream(tmp_path / "a"))
    assert first == asyncio.run(stream(tmp_path / "b")) == asyncio.run(stream(tmp_path / "a"))
    assert len(set(first)) == 7


def test_a_request_that_cannot_be_asked_does_not_harm_its_neighbours(tiny: str) -> None:
    async def ask() -> list[Completion | BaseException]:
        engine = Transformers(model=tiny).open()
        good, bad = (Request((Message("user", "Hi"),), candidates=c) for c in (("1", "2"), ("1", "10")))
        made = await asyncio.gather(engine.complete(good), engine.complete(bad), return_exceptions=True)
        await engine.close()
        return list(made)

    fine, wrong = asyncio.run(ask())
    assert isinstance(fine, Completion)
    assert isinstance(wrong, EngineError)
    assert "begin with the same token" in str(wrong)


def test_a_batch_that_fails_says_so(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Completion]:
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(decoding.Model, "answer", broken)
    with pytest.raises(EngineError, match=r"failed on a batch of 1: not enough memory"):
        asyncio.run(ask_all(Transformers(model=tiny).open(), mixed(1)))


TRIED = 1
"""Packs that a model is tried on when it is to score."""


def given(count: int) -> list[Request]:
    """Replies that are there already, every other one to be read after no prompt."""
    asked = [(Message("user", f"Name fish {n % 5}."),) if n % 2 else () for n in range(count)]
    return [
        Request(prompt, given=f"Fish {n} is a carp, {'a pike, ' * (n % 4)}a trout.") for n, prompt in enumerate(asked)
    ]


def test_what_is_given_is_scored_as_perplexity_scores_it(tiny: str, tmp_path: Path) -> None:
    requests = given(30)
    replies = asyncio.run(ask_all(Transformers(model=tiny).open(), requests))
    scorer = likelihood(tiny)
    rows = [scorer.readable(r.messages, r.given) for r in requests]
    assert [reply.loss for reply in replies] == scorer.losses(rows)
    assert [reply.usage.prompt_tokens for reply in replies] == [len(row) for row in rows]
    assert all(reply.text == "" and reply.usage.completion_tokens == 0 for reply in replies)


def test_three_sorts_of_requests_never_share_a_batch(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[int]] = []
    inner = TransformersEngine._replies

    def watched(self: TransformersEngine, batch: list[Waiting]) -> list[Completion]:
        batches.append([w.sort for w in batch])
        return inner(self, batch)

    monkeypatch.setattr(TransformersEngine, "_replies", watched)
    asyncio.run(ask_all(Transformers(model=tiny, batch=4).open(), [*given(9), *mixed()]))
    assert [sorted(set(batch)) for batch in batches] == [[0]] * 4 + [[1]] * 2 + [[2]]
    assert len(batches[-1]) == 9, "what is given is scored many at a time"


def test_a_given_reply_that_cannot_be_read_does_not_harm_its_neighbours(tiny: str) -> None:
    async def ask() -> list[Completion | BaseException]:
        engine = Transformers(model=tiny).open()
        requests = [*given(2), replace(given(1)[0], given="x" * 2000)]
        made = await asyncio.gather(*map(engine.complete, requests), return_exceptions=True)
        await engine.close()
        return list(made)

    fine, other, wrong = asyncio.run(ask())
    assert isinstance(fine, Completion) and isinstance(other, Completion)
    assert isinstance(wrong, EngineError) and "longer than the 1024 tokens the model reads" in str(wrong)


def test_the_model_is_loaded_once_and_freed_when_nobody_holds_it(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[weakref.ref[decoding.Model]] = []
    inner = decoding.Model.__init__

    def counted(self: decoding.Model, name: str) -> None:
        loads.append(weakref.ref(self))
        inner(self, name)

    async def ask() -> None:
        first, second = Transformers(model=tiny).open(), Transformers(model=tiny, batch=2).open()
        await asyncio.gather(first.complete(mixed(2)[1]), second.complete(mixed(2)[1]), second.complete(given(1)[0]))
        table = to_table([Record.born("Name a fish.", answers=[Answer("a carp")])])
        assert Perplexity(model=tiny).measure(table)["perplexity"].null_count() == 0
        assert len(loads) == 1
        await first.close()
        await second.close()
        assert loads[0]() is not None, "perplexity holds it from slice to slice"
        Perplexity(model=tiny).let_go()

    gc.collect()
    monkeypatch.setattr(decoding.Model, "__init__", counted)
    asyncio.run(ask())
    assert [load() for load in loads] == [None]


def test_a_budget_that_is_spent_is_said_to_all_who_wait(tiny: str) -> None:
    """The batch under way is still answered; whoever asks later is told, too."""

    async def ask() -> list[Completion | BaseException]:
        engine = Transformers(model=tiny, batch=4).open()
        engine.budget = Budget(max_tokens=1)
        asking = [asyncio.create_task(engine.complete(request)) for request in mixed(6)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        engine.budget.spend(1, 0.0)
        made = await asyncio.gather(*asking, return_exceptions=True)
        late = await asyncio.gather(engine.complete(mixed(1)[0]), return_exceptions=True)
        await engine.close()
        return [*made, *late]

    replies = asyncio.run(ask())
    answered = [reply for reply in replies if isinstance(reply, Completion)]
    assert len(answered) == 4
    assert [type(reply) for reply in replies if reply not in answered] == [BudgetReached] * 3


LONG = Request((Message("user", "Hi"),), max_tokens=900, temperature=1.0)


def test_closing_ends_a_long_batch_soon_and_delivers_nothing_broken_off(tiny: str, tmp_path: Path) -> None:
    async def ask() -> tuple[list[object], float]:
        engine = Transformers(model=tiny, batch=2).open()
        asking = asyncio.gather(*(engine.complete(replace(LONG, seed=n)) for n in range(5)), return_exceptions=True)
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await engine.close()
        return list(await asyncio.wait_for(asking, 5)), time.monotonic() - began

    replies, seconds = asyncio.run(ask())
    assert seconds < 3
    assert all(isinstance(reply, EngineUnavailable) for reply in replies), replies


def test_closing_ends_scoring_soon(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Transformers(model=tiny).open()
    assert isinstance(engine, TransformersEngine)
    inner, packs = Likelihood._of_pack, list[int]()

    def stopped_meanwhile(self: Likelihood, pack: Pack, rows: Sequence[Given]) -> list[float]:
        packs.append(len(rows))
        if len(packs) == 2 + TRIED:
            engine._stop.set()
        return inner(self, pack, rows)

    async def ask() -> list[object]:
        return list(await asyncio.gather(*map(engine.complete, given(120)), return_exceptions=True))

    monkeypatch.setattr(Likelihood, "_of_pack", stopped_meanwhile)
    replies = asyncio.run(ask())
    assert all(isinstance(reply, EngineUnavailable) for reply in replies)
    assert sum(packs[TRIED:]) < 120, "what was left is not scored"


def test_nothing_broken_off_gets_into_the_journal(tiny: str, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")

    async def ask() -> None:
        engine = Journaled(Transformers(model=tiny).open(), journal)
        asking = asyncio.create_task(engine.complete(LONG))
        await asyncio.sleep(0.3)
        await engine.close()
        with pytest.raises(EngineUnavailable, match="was stopped"):
            await asking

    asyncio.run(ask())
    assert (journal.counts().calls, journal.counts().failures) == (0, 0)


def test_a_closed_engine_answers_no_more(tiny: str) -> None:
    async def ask() -> None:
        engine = Transformers(model=tiny).open()
        await engine.close()
        await asyncio.wait_for(engine.complete(LONG), 5)

    with pytest.raises(EngineUnavailable, match="was stopped"):
        asyncio.run(ask())


def test_who_no_longer_waits_is_not_answered(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    inner = decoding.Model.answer

    def watched(
        self: decoding.Model, requests: Sequence[Request], tokens: Sequence[list[int]], stop: threading.Event
    ) -> list[Completion]:
        sizes.append(len(requests))
        return inner(self, requests, tokens, stop)

    async def ask() -> None:
        engine = Transformers(model=tiny).open()
        first, second = (asyncio.create_task(engine.complete(replace(LONG, max_tokens=3, seed=n))) for n in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        await engine.close()

    monkeypatch.setattr(decoding.Model, "answer", watched)
    asyncio.run(ask())
    assert sizes == [1]


def test_a_model_that_cannot_be_loaded_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for model in (str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(EngineUnavailable):
            asyncio.run(ask_all(Transformers(model=model).open(), [LONG]))


def test_check_loads_nothing(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Transformers(model=tiny).check()
    with pytest.raises(EngineUnavailable, match="there is no model"):
        Transformers(model=str(tmp_path / "nowhere")).check()
    monkeypatch.setattr("tuneworks.factory.engines.transformers.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtra, match=r"needs the package torch; install it with: pip install .tuneworks\[local\]"
    ):
        Transformers(model=tiny).check()


@pytest.mark.real
def test_smollm2_answers_and_judges() -> None:
    prompts = ["Name one fish.", "What is the capital of France?", "Write one word that means big.", "What is 2 + 2?"]
    requests = [Request((Message("user", p),), max_tokens=24, temperature=0.0) for p in prompts]
    asked = Record.born("What is the capital of France?")

    async def ask() -> tuple[list[Completion], list[float]]:
        engine = Transformers().open()
        assert isinstance(engine, TransformersEngine)
        replies = await asyncio.gather(*map(engine.complete, requests))
        answers = [Answer("The capital of France is Paris."), Answer("fish fish fish")]
        marks = await asyncio.gather(*(Judge().score(asked, a, engine) for a in answers))
        await engine.close()
        return replies, list(marks)

    replies, marks = asyncio.run(ask())
    assert "Paris" in replies[1].text
    assert all(reply.text.strip() and reply.usage.completion_tokens <= 24 for reply in replies)
    assert all(1 <= mark <= 5 for mark in marks)
    assert marks[0] != marks[1]
