"""The pace in virtual time: whatever servers do, each request is answered or refused in one sentence."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from virtual_time import run

from tuneworks.factory.budget import Budget
from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.engines.pace.paced import Pace, Paced
from tuneworks.factory.engines.pace.server import Attempt, Server
from tuneworks.factory.engines.pace.window import FIRST
from tuneworks.factory.errors import BudgetReached, EngineError, EngineUnavailable, MayPass
from tuneworks.factory.record import Message

Reply = Callable[["Desk", int], Awaitable[Attempt]]

DOWN = MayPass("no server answers at there", down=True)
BUSY = MayPass("the server is busy (HTTP 429): slow down", busy=True)
BROKEN = MayPass("the server failed (HTTP 500): no reason")


class Desk(Server):
    """A server that a function plays: it is told which request comes, and may look at what was asked before."""

    def __init__(self, reply: Reply, place: str = "there") -> None:
        self.place = place
        self.sent: list[tuple[float, int]] = []
        """When which request came."""
        self.at_once = self.most = 0
        self.closed = False
        self._reply = reply

    async def attempt(self, request: Request) -> Attempt:
        self.sent.append((now(), request.seed))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0.002)  # no server refuses in no time at all
            return await self._reply(self, request.seed)
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        self.closed = True

    def times(self, seed: int) -> int:
        return sum(number == seed for _, number in self.sent)


def now() -> float:
    return asyncio.get_running_loop().time()


def attempt(seed: int, pause: float = 0.0) -> Attempt:
    return Attempt(Completion(f"reply {seed}", usage=Usage(10, 10)), pause)


async def answers(desk: Desk, seed: int) -> Attempt:
    await asyncio.sleep(1.0)
    return attempt(seed)


def request(seed: int) -> Request:
    return Request((Message("user", "ask"),), seed=seed)


def asked(engine: Paced, count: int) -> list[Completion | BaseException]:
    """All at once; then the engine is closed."""

    async def all_of_them() -> list[Completion | BaseException]:
        try:
            return await asyncio.gather(*(engine.complete(request(s)) for s in range(count)), return_exceptions=True)
        finally:
            await engine.close()

    return run(all_of_them())


def paced(*desks: Desk, pace: Pace | None = None) -> Paced:
    return Paced("desk", desks, pace or Pace(), structured=False)


def all_answered(found: Sequence[Completion | BaseException]) -> bool:
    return [getattr(one, "text", one) for one in found] == [f"reply {seed}" for seed in range(len(found))]


def reasons(found: Sequence[Completion | BaseException], kind: type[Exception]) -> set[str]:
    assert all(type(one) is kind for one in found), found
    return {str(one) for one in found}


def test_as_many_are_under_way_as_the_server_gives_throughput_for() -> None:
    desk = Desk(answers)
    assert all_answered(asked(paced(desk), 4000))
    assert desk.most == 256
    assert desk.sent[-1][0] < 4000 / 256 + 10
    assert desk.closed


def test_never_more_than_allowed() -> None:
    desk = Desk(answers)
    assert all_answered(asked(paced(desk, pace=Pace(in_flight=7)), 100))
    assert desk.most == 7


def test_a_storm_of_refusals_is_waited_out_as_long_as_the_server_says() -> None:
    async def stormy(desk: Desk, seed: int) -> Attempt:
        if now() < 90:
            raise MayPass(str(BUSY), wait=20.0, busy=True)
        return await answers(desk, seed)

    desk = Desk(stormy)
    engine = paced(desk)
    assert all_answered(asked(engine, 300))
    assert len(desk.sent) < 300 + 6 * FIRST
    assert engine.retries()["HTTP 429"][1] >= 80


def test_refusals_without_a_word_make_the_breaks_longer() -> None:
    async def stormy(desk: Desk, seed: int) -> Attempt:
        if now() < 120:
            raise BUSY
        return await answers(desk, seed)

    desk = Desk(stormy)
    assert all_answered(asked(paced(desk), 200))
    assert len(desk.sent) < 500


def test_a_server_that_takes_only_so_many_is_given_about_as_many() -> None:
    async def small(desk: Desk, seed: int) -> Attempt:
        if desk.at_once > 50:
            raise BUSY
        return await answers(desk, seed)

    desk = Desk(small)
    assert all_answered(asked(paced(desk), 3000))
    assert len(desk.sent) < 3000 * 1.1
    assert desk.sent[-1][0] < 3000 / 50 * 1.3


def test_a_server_that_dies_and_comes_back_loses_nothing() -> None:
    async def dying(desk: Desk, seed: int) -> Attempt:
        if 5 < now() < 200:
            raise DOWN
        return await answers(desk, seed)

    desk = Desk(dying)
    engine = paced(desk)
    assert all_answered(asked(engine, 2000))
    during = [at for at, _ in desk.sent if 10 < at < 200]
    assert len(during) < 60  # one at a time, after longer and longer breaks
    assert desk.sent[-1][0] < 200 + 30 + 30
    assert "no connection" in engine.retries()


def test_when_no_server_answers_for_too_long_all_are_refused_in_one_sentence() -> None:
    async def dead(desk: Desk, seed: int) -> Attempt:
        raise DOWN

    desk = Desk(dead)
    found = asked(paced(desk, pace=Pace(patience=100)), 500)
    (said,) = reasons(found, EngineUnavailable)
    assert said == (
        "no server answers at there; nothing was answered for 100 s: see to it, then build again (all answers are kept)"
    )
    assert 60 < desk.sent[-1][0] <= 100
    assert len(desk.sent) < 100


def test_a_reply_that_did_not_come_in_time_is_asked_again_though_that_took_longer_than_patience() -> None:
    async def hung(desk: Desk, seed: int) -> Attempt:
        if now() < 500:
            await asyncio.sleep(600)
            raise MayPass("the server did not answer in time (600 s)", down=True)
        return await answers(desk, seed)

    assert all_answered(asked(paced(Desk(hung), pace=Pace(patience=300)), 40))


def test_a_server_that_never_replies_ends_the_run() -> None:
    async def silent(desk: Desk, seed: int) -> Attempt:
        await asyncio.sleep(60)
        raise MayPass("the server did not answer in time (60 s)", down=True)

    desk = Desk(silent)
    (said,) = reasons(asked(paced(desk, pace=Pace(patience=300)), 10), EngineUnavailable)
    assert "did not answer in time (60 s); nothing was answered for 300 s" in said
    assert desk.sent[-1][0] <= 360


def test_one_request_that_always_fails_is_set_aside_and_the_others_are_answered() -> None:
    async def one_bad(desk: Desk, seed: int) -> Attempt:
        if seed == 13:
            raise BROKEN
        return await answers(desk, seed)

    desk = Desk(one_bad)
    found = asked(paced(desk), 2000)
    bad = found.pop(13)
    assert type(bad) is EngineError and "HTTP 500" in str(bad) and "times while others were answered" in str(bad)
    assert 12 <= desk.times(13) <= 14
    assert all(isinstance(one, Completion) for one in found)


def test_the_last_request_is_set_aside_too_if_it_is_the_only_one_that_fails() -> None:
    async def last_bad(desk: Desk, seed: int) -> Attempt:
        if seed == 99:
            raise BROKEN
        return await answers(desk, seed)

    found = asked(paced(Desk(last_bad), pace=Pace(in_flight=4)), 100)
    assert type(found[99]) is EngineError
    assert all(isinstance(one, Completion) for one in found[:99])


def test_three_failures_in_ten_set_nothing_aside() -> None:
    async def shaky(desk: Desk, seed: int) -> Attempt:
        await asyncio.sleep(1.0)
        if (len(desk.sent) * 7919 + seed) % 10 < 3:
            raise BROKEN
        return attempt(seed)

    assert all_answered(asked(paced(Desk(shaky)), 2000))


def test_what_cannot_be_answered_is_told_at_once_and_not_asked_again() -> None:
    async def picky(desk: Desk, seed: int) -> Attempt:
        if seed % 5 == 0:
            raise EngineError(f"request {seed} is too long")
        return await answers(desk, seed)

    desk = Desk(picky)
    found = asked(paced(desk), 50)
    assert [str(one) for one in found[::5]] == [f"request {seed} is too long" for seed in range(0, 50, 5)]
    assert len(desk.sent) == 50


def test_a_refused_key_stops_everything_and_nothing_more_is_sent() -> None:
    async def refusing(desk: Desk, seed: int) -> Attempt:
        if now() > 3:
            raise EngineUnavailable("the server refused the key; put the right one in KEY")
        return await answers(desk, seed)

    desk = Desk(refusing)
    found = asked(paced(desk, pace=Pace(in_flight=10)), 500)
    answered = [one for one in found if isinstance(one, Completion)]
    assert 30 <= len(answered) <= 40
    assert len(desk.sent) <= len(answered) + 20
    assert reasons([one for one in found if one not in answered], EngineUnavailable) == {
        "the server refused the key; put the right one in KEY"
    }


def test_a_dead_server_is_left_out_and_used_again_when_it_is_back() -> None:
    async def away(desk: Desk, seed: int) -> Attempt:
        if now() < 40:
            raise DOWN
        return await answers(desk, seed)

    good, dead = Desk(answers, "good"), Desk(away, "dead")
    assert all_answered(asked(paced(good, dead, pace=Pace(in_flight=64)), 6000))
    assert sum(at < 40 for at, _ in dead.sent) < 60
    assert sum(at > 75 for at, _ in dead.sent) > 500


def test_a_server_without_the_model_is_left_out_for_good() -> None:
    async def other(desk: Desk, seed: int) -> Attempt:
        raise EngineUnavailable("the server has no model 'm'")

    good, wrong = Desk(answers, "good"), Desk(other, "wrong")
    assert all_answered(asked(paced(good, wrong), 500))
    assert len(wrong.sent) <= FIRST


def test_servers_share_the_work_by_how_fast_they_are() -> None:
    async def slow(desk: Desk, seed: int) -> Attempt:
        await asyncio.sleep(4.0)
        return attempt(seed)

    fast, other = Desk(answers, "fast"), Desk(slow, "slow")
    assert all_answered(asked(paced(fast, other, pace=Pace(in_flight=32)), 2000))
    assert len(fast.sent) > 2.5 * len(other.sent) > 500


def test_requests_per_minute_hold_in_every_minute() -> None:
    desk = Desk(answers)
    assert all_answered(asked(paced(desk, pace=Pace(requests_per_minute=60)), 300))
    times = [at for at, _ in desk.sent]
    assert max(sum(begin <= at < begin + 60 for at in times) for begin in times) <= 60
    assert times[-1] < 303


def test_a_pause_that_headers_ask_for_is_kept() -> None:
    async def counting(desk: Desk, seed: int) -> Attempt:
        await asyncio.sleep(0.1)
        return attempt(seed, 30.0 if len(desk.sent) == 64 else 0.0)

    desk = Desk(counting)
    engine = paced(desk, pace=Pace(in_flight=1))
    assert all_answered(asked(engine, 100))
    assert desk.sent[64][0] - desk.sent[63][0] >= 30
    assert engine.retries() == {"a pause asked for": (1, 30.0)}


def test_a_budget_that_is_reached_sends_nothing_more_and_answers_what_is_under_way() -> None:
    desk = Desk(answers)
    engine = paced(desk, pace=Pace(in_flight=8))
    budget = engine.budget = Budget(None, 5.0, None, 0, 0.0, 0.0)

    async def paid(seed: int) -> Completion:
        reply = await engine.complete(request(seed))
        budget.spend(20, 0.5)
        return reply

    async def all_of_them() -> list[Completion | BaseException]:
        found = await asyncio.gather(*map(paid, range(100)), return_exceptions=True)
        await engine.close()
        return found

    found = run(all_of_them())
    answered = [one for one in found if isinstance(one, Completion)]
    assert len(answered) == len(desk.sent) == 16  # two rounds of eight: the first costs 4 USD
    assert all(isinstance(one, BudgetReached) for one in found if one not in answered)


def test_one_at_a_time_a_budget_is_met_to_the_call() -> None:
    desk = Desk(answers)
    engine = paced(desk, pace=Pace(in_flight=1))
    budget = engine.budget = Budget(60, None, None, 0, 0.0, 0.0)

    async def paid(seed: int) -> None:
        await engine.complete(request(seed))
        budget.spend(20, 0.0)

    async def all_of_them() -> None:
        await asyncio.gather(*map(paid, range(10)), return_exceptions=True)
        await engine.close()

    run(all_of_them())
    assert len(desk.sent) == 3


def test_closing_waits_for_what_is_under_way_and_refuses_the_rest() -> None:
    desk = Desk(answers)
    engine = paced(desk, pace=Pace(in_flight=5))

    async def stopped() -> list[Completion | BaseException]:
        asking = [asyncio.create_task(engine.complete(request(seed))) for seed in range(20)]
        await asyncio.sleep(0.5)
        await engine.close()
        return await asyncio.gather(*asking, return_exceptions=True)

    found = run(stopped())
    assert all_answered(found[:5])
    assert reasons(found[5:], EngineUnavailable) == {"the engine desk was stopped; build again to go on"}


def test_closing_cuts_what_takes_too_long() -> None:
    async def endless(desk: Desk, seed: int) -> Attempt:
        await asyncio.sleep(1e6)
        return attempt(seed)

    async def stopped() -> tuple[float, list[Completion | BaseException]]:
        asking = [asyncio.create_task(engine.complete(request(seed))) for seed in range(3)]
        await asyncio.sleep(1)
        await engine.close()
        return now(), await asyncio.gather(*asking, return_exceptions=True)

    engine = paced(Desk(endless))
    at, found = run(stopped())
    assert at < 60
    reasons(found, EngineUnavailable)


def test_who_goes_away_gives_the_place_to_another() -> None:
    async def endless_at_first(desk: Desk, seed: int) -> Attempt:
        await asyncio.sleep(1e6 if seed == 0 else 1)
        return attempt(seed)

    async def some_leave() -> list[Completion | BaseException]:
        first = asyncio.create_task(engine.complete(request(0)))
        waiting = asyncio.create_task(engine.complete(request(1)))
        rest = [asyncio.create_task(engine.complete(request(seed))) for seed in (2, 3)]
        await asyncio.sleep(5)
        waiting.cancel()
        first.cancel()
        found = await asyncio.gather(*rest, return_exceptions=True)
        await engine.close()
        return found

    desk = Desk(endless_at_first)
    engine = paced(desk, pace=Pace(in_flight=1))
    assert [getattr(one, "text", one) for one in run(some_leave())] == ["reply 2", "reply 3"]
    assert desk.times(1) == 0
    assert engine.in_flight == 0


def test_a_pause_is_said_while_it_lasts() -> None:
    async def stormy(desk: Desk, seed: int) -> Attempt:
        if now() < 10:
            raise MayPass("the server is busy", wait=60.0, busy=True)
        return await answers(desk, seed)

    async def looked_at() -> list[str]:
        asking = asyncio.create_task(engine.complete(request(0)))
        said = []
        for _ in range(3):
            await asyncio.sleep(25)
            said.append(engine.status)
        assert (await asking).text == "reply 0"
        await engine.close()
        return said

    engine = paced(Desk(stormy))
    assert run(looked_at()) == ["the server is busy; next try in 35 s", "the server is busy; next try in 10 s", ""]


@pytest.mark.parametrize("count", [1, 5])
def test_a_wait_longer_than_patience_stops_the_run_at_once(count: int) -> None:
    async def tomorrow(desk: Desk, seed: int) -> Attempt:
        raise MayPass("the day's limit is reached", wait=40_000.0, busy=True)

    desk = Desk(tomorrow)
    (said,) = reasons(asked(paced(desk), count), EngineUnavailable)
    assert said.startswith("the day's limit is reached; it can be asked again only in 40000 s: see to it")
    assert desk.sent[-1][0] < 5
