"""OpenAI's batch API: the official client, a server on the loopback address, and what happens to both."""

import asyncio
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_line import Desk, FastClock, opened, question
from batch_server import Asked, BatchServer, Ending, echo, fails, says, serving
from pydantic import ValidationError

from tuneworks.factory.budget import Budget
from tuneworks.factory.engine import Completion, Request, Usage
from tuneworks.factory.engines.batch import OpenAIBatch
from tuneworks.factory.engines.batch_engine import BatchEngine
from tuneworks.factory.engines.batch_lines import Limits
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import BudgetReached, EngineError, EngineUnavailable, RecipeError

KEY = "sk-very-secret-0123456789"
LINE = Path(__file__).with_name("batch_line.py")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with serving(BatchServer()) as server:
        yield server


def questions(*numbers: int) -> list[Request]:
    return [question(number) for number in numbers]


def texts(replies: Sequence[Completion | BaseException]) -> list[str]:
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return [reply.text for reply in replies if isinstance(reply, Completion)]


def answers(*numbers: int) -> list[str]:
    return [f"re: question {number}" for number in numbers]


def ask_on(folder: Path, server: BatchServer, *numbers: int, limits: Limits | None = None) -> list[str]:
    return texts(Desk(folder, opened(server.url, limits)).ask(questions(*numbers)))


def submitted(server: BatchServer) -> list[list[str]]:
    """What each batch asked."""
    return [
        [line["body"]["messages"][-1]["content"] for line in server.lines(batch["input_file_id"])]
        for batch in server.batches
    ]


def left_open(folder: Path, server: BatchServer) -> int:
    desk = Desk(folder, opened(server.url))
    try:
        return len(desk.ledger.open(desk.engine.name))
    finally:
        desk.journal.close()


# The whole cycle


def test_requests_go_up_together_and_every_reply_comes_down_to_its_own(server: BatchServer, tmp_path: Path) -> None:
    numbers = range(40)
    desk = Desk(tmp_path, opened(server.url))
    assert texts(desk.ask(questions(*numbers))) == answers(*numbers)
    (batch,) = server.batches
    assert batch["endpoint"] == "/v1/chat/completions"
    assert batch["completion_window"] == "24h"
    assert left_open(tmp_path, server) == 0
    assert ask_on(tmp_path, server, *numbers) == answers(*numbers)
    assert len(server.batches) == 1  # the second time the journal answered


def test_a_line_is_what_openai_asks_for(server: BatchServer, tmp_path: Path) -> None:
    schema = json.dumps({"type": "object"})
    asked = replace(question(1), top_p=0.9, presence_penalty=0.25, stop=("\n",), schema=schema)
    Desk(tmp_path, opened(server.url)).ask([asked])
    (line,) = server.lines(server.batches[0]["input_file_id"])
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert line["body"] == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "question 1"}],
        "max_tokens": 20,
        "temperature": 1.0,
        "top_p": 0.9,
        "presence_penalty": 0.25,
        "seed": 1,
        "stop": ["\n"],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": {"type": "object"}, "strict": True},
        },
    }


def test_candidates_are_weighed(server: BatchServer, tmp_path: Path) -> None:
    server.answer = lambda asked: (200, says("1", {"1": -0.2, " 2": -2.0, "x": -3.0}))
    (reply,) = Desk(tmp_path, opened(server.url)).ask([replace(question(1), candidates=("1", "2"))])
    assert isinstance(reply, Completion)
    assert reply.log_probs == {"1": pytest.approx(-0.2), "2": pytest.approx(-2.0)}
    assert math.isclose(server.lines("file-0")[0]["body"]["top_logprobs"], 20)


def test_a_batch_costs_half(server: BatchServer, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {tiny: {prompt: 2.0, completion: 8.0}}")
    (reply,) = Desk(tmp_path, opened(server.url, prices=str(prices))).ask([question(1)])
    assert isinstance(reply, Completion)
    assert reply.usage == Usage(700, 300, pytest.approx((700 * 2.0 + 300 * 8.0) / 1e6 / 2))


def test_a_limit_on_money_needs_a_price() -> None:
    OpenAIBatch(model="gpt-4o-mini").require_price()
    with pytest.raises(RecipeError, match=r"price of gpt-unheard-of .* is not known"):
        OpenAIBatch(model="gpt-unheard-of").require_price()


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [(Limits(requests=4), [4, 4, 2]), (Limits(size=900), [3, 3, 3, 1]), (Limits(size=20), [1] * 10)],
    ids=["count", "bytes", "lines longer than a batch"],
)
def test_more_than_a_batch_may_hold_is_split(
    server: BatchServer, tmp_path: Path, limits: Limits, sizes: list[int]
) -> None:
    assert ask_on(tmp_path, server, *range(10), limits=limits) == answers(*range(10))
    assert [len(asked) for asked in submitted(server)] == sizes
    if max(sizes) > 1:
        assert max(len(server.files[batch["input_file_id"]]) for batch in server.batches) <= limits.size


def test_a_request_that_fits_in_no_batch_is_set_aside(server: BatchServer, tmp_path: Path) -> None:
    long, short = Desk(tmp_path, opened(server.url, Limits(size=400))).ask(
        [replace(question(1), messages=(replace(question(1).messages[0], content="x" * 500),)), question(2)]
    )
    assert isinstance(long, EngineError)
    assert "larger than the 400 bytes" in str(long)
    assert isinstance(short, Completion)


def test_what_is_waited_for_can_be_seen(server: BatchServer, tmp_path: Path) -> None:
    server.held.clear()
    desk = Desk(tmp_path, opened(server.url, Limits(requests=2)))
    seen: list[str] = []

    async def watch() -> None:
        asking = [asyncio.create_task(desk.journaled.complete(question(i))) for i in range(4)]
        while desk.engine.status != "2 batches: 0 of 4 done":
            seen.append(desk.engine.status)
            await asyncio.sleep(0.002)
        server.held.set()
        await asyncio.gather(*asking)
        assert desk.engine.status == ""
        await desk.journaled.close()

    asyncio.run(asyncio.wait_for(watch(), 30))
    assert "4 requests to submit" in seen
    desk.journal.close()


# A run that ends before its batches


def killed_when(server: BatchServer, folder: Path, happened: Callable[[], bool], count: int) -> None:
    process = subprocess.Popen([sys.executable, LINE, server.url, folder, str(count)], stdout=subprocess.PIPE)
    try:
        until(happened, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def until(happened: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, "the process ended by itself"
        assert time.monotonic() < end, "nothing happened in a minute"
        time.sleep(0.005)


def test_a_killed_run_is_answered_by_the_batches_it_left(server: BatchServer, tmp_path: Path) -> None:
    server.held.clear()
    killed_when(server, tmp_path, lambda: any(b["looks"] for b in server.batches), 30)
    server.held.set()
    assert ask_on(tmp_path, server, *range(30)) == answers(*range(30))
    assert len(server.asked) == len(set(server.asked)) == 30
    assert left_open(tmp_path, server) == 0


def test_death_before_the_id_was_noted(server: BatchServer, tmp_path: Path) -> None:
    """The server made the batch, and its word of that never came."""
    server.stumbles = {"POST /batches": ["done and cut"], "GET /batches": ["cut"] * 1000}
    killed_when(server, tmp_path, lambda: "GET /batches" in server.requests, 30)
    server.stumbles = {}
    assert len(server.batches) == 1
    assert ask_on(tmp_path, server, *range(30)) == answers(*range(30))
    assert len(server.asked) == len(set(server.asked)) == 30


def test_death_before_the_batch_was_made(server: BatchServer, tmp_path: Path) -> None:
    server.stumbles = {"POST /batches": ["cut"] * 1000}
    killed_when(server, tmp_path, lambda: "POST /batches" in server.requests, 30)
    server.stumbles = {}
    assert server.batches == []
    assert ask_on(tmp_path, server, *range(30)) == answers(*range(30))
    assert len(server.asked) == 30
    assert left_open(tmp_path, server) == 0


def test_answers_that_nobody_asks_for_yet_are_not_lost(server: BatchServer, tmp_path: Path) -> None:
    server.held.clear()
    killed_when(server, tmp_path, lambda: any(b["looks"] for b in server.batches), 6)
    server.held.set()
    assert ask_on(tmp_path, server, 0, 1) == answers(0, 1)
    assert left_open(tmp_path, server) == 1
    assert ask_on(tmp_path, server, 0, 1, 4, 5) == answers(0, 1, 4, 5)
    assert ask_on(tmp_path, server, *range(6)) == answers(*range(6))
    assert len(server.asked) == 6
    assert left_open(tmp_path, server) == 0


def test_an_answer_that_came_and_was_not_written_down_is_fetched_again(server: BatchServer, tmp_path: Path) -> None:
    desk = Desk(tmp_path, opened(server.url))

    async def without_the_journal() -> str:
        try:
            return (await desk.engine.complete(question(1))).text
        finally:
            await desk.engine.close()

    assert asyncio.run(without_the_journal()) == "re: question 1"
    desk.journal.close()
    assert left_open(tmp_path, server) == 1
    assert ask_on(tmp_path, server, 1) == answers(1)
    assert len(server.batches) == 1


@pytest.mark.parametrize("status", ["cancelled", "expired", "failed"])
def test_a_batch_that_ended_badly_while_nobody_looked_is_made_good(
    server: BatchServer, tmp_path: Path, status: str
) -> None:
    server.held.clear()
    killed_when(server, tmp_path, lambda: any(b["looks"] for b in server.batches), 4)
    server.held.set()
    server.endings = [Ending(status, answered=1)]
    assert ask_on(tmp_path, server, *range(4)) == answers(*range(4))
    assert [len(asked) for asked in submitted(server)] == [4, 4 if status == "failed" else 3]
    assert left_open(tmp_path, server) == 0


def test_a_stopped_run_leaves_its_batches_and_says_so(server: BatchServer, tmp_path: Path) -> None:
    server.held.clear()
    desk = Desk(tmp_path, opened(server.url, Limits(requests=3)))

    async def stop() -> list[Completion | BaseException]:
        asking = [asyncio.create_task(desk.engine.complete(question(i))) for i in range(6)]
        while not desk.engine.status.startswith("2 batches"):
            await asyncio.sleep(0.002)
        await desk.journaled.close()
        return await asyncio.gather(*asking, return_exceptions=True)

    said = asyncio.run(asyncio.wait_for(stop(), 30))
    desk.journal.close()
    assert {str(one) for one in said} == {
        "6 requests are with the server in 2 batches; build again later to fetch their answers"
    }
    assert all(isinstance(one, EngineUnavailable) for one in said)
    server.held.set()
    assert ask_on(tmp_path, server, *range(6)) == answers(*range(6))
    assert len(server.asked) == 6


def test_a_run_stopped_while_it_submits_ends_at_once(server: BatchServer, tmp_path: Path) -> None:
    server.stumbles = {"POST /files": [503] * 10_000}
    desk = Desk(tmp_path, BatchEngine(OpenAIBatch(model="tiny", base_url=server.url).live(), None, StillClock()))

    async def stop() -> BaseException | None:
        asking = asyncio.create_task(desk.engine.complete(question(1)))
        while "POST /files" not in server.requests:
            await asyncio.sleep(0.002)
        await desk.engine.close()
        return (await asyncio.gather(asking, return_exceptions=True))[0]

    assert str(asyncio.run(asyncio.wait_for(stop(), 30))).endswith("was stopped")
    desk.journal.close()


class StillClock(FastClock):
    """A wait in trouble never ends."""

    async def sleep(self, seconds: float) -> None:
        await (super().sleep(seconds) if seconds < 3 else asyncio.Event().wait())


# Batches that do not end well


def test_an_expired_batch_gives_what_it_has_and_the_rest_is_submitted_again(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [Ending("expired", answered=3)]
    assert ask_on(tmp_path, server, *range(5)) == answers(*range(5))
    assert submitted(server) == [[f"question {i}" for i in range(5)], ["question 3", "question 4"]]


def test_what_expires_again_and_again_stops_the_run(server: BatchServer, tmp_path: Path) -> None:
    server.endings = [Ending("expired", answered=0)] * 4
    (said,) = Desk(tmp_path, opened(server.url)).ask([question(1)])
    assert isinstance(said, EngineUnavailable)
    assert "in a day, 3 times in a row; build again later" in str(said)
    assert len(server.batches) == 3


def test_a_failed_batch_stops_the_run_with_the_servers_reason(server: BatchServer, tmp_path: Path) -> None:
    server.endings = [Ending("failed", errors=(("invalid", "line 1: no such parameter"),))]
    said = Desk(tmp_path, opened(server.url)).ask(questions(1, 2))
    assert all(isinstance(one, EngineUnavailable) for one in said)
    assert "refused the batch batch-0 (line 1: no such parameter)" in str(said[0])
    assert left_open(tmp_path, server) == 0
    assert ask_on(tmp_path, server, 1, 2) == answers(1, 2)


def test_a_batch_that_someone_cancels_stops_the_run_and_its_answers_are_kept(
    server: BatchServer, tmp_path: Path
) -> None:
    server.endings = [Ending("cancelled", answered=2)]
    said = Desk(tmp_path, opened(server.url)).ask(questions(0, 1, 2, 3))
    assert [type(one) for one in said] == [Completion, Completion, EngineUnavailable, EngineUnavailable]
    assert "batch-0 was cancelled" in str(said[2])
    assert ask_on(tmp_path, server, 0, 1, 2, 3) == answers(0, 1, 2, 3)
    assert submitted(server)[1:] == [["question 2", "question 3"]]


def test_single_lines_that_fail(server: BatchServer, tmp_path: Path) -> None:
    again = {"question 1": [fails(500, "oops")], "question 2": [fails(429, "slow down")]}
    never = {"question 3": fails(400, "context too long"), "question 4": fails(500, "broken")}

    def answer(asked: Asked) -> tuple[int, dict[str, Any]]:
        words = asked["messages"][-1]["content"]
        waiting = again.get(words)
        return never[words] if words in never else waiting.pop() if waiting else echo(asked)

    server.answer = answer
    said = Desk(tmp_path, opened(server.url)).ask(questions(0, 1, 2, 3, 4))
    assert texts(said[:3]) == answers(0, 1, 2)
    assert str(said[3]).endswith("could not answer (HTTP 400): context too long")
    assert str(said[4]).endswith("failed (HTTP 500): broken, 3 times in a row")
    assert not any(isinstance(one, EngineUnavailable) for one in said)
    assert [len(asked) for asked in submitted(server)] == [5, 3, 1]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (fails(429, "pay first", "insufficient_quota"), "no money left; add some, then build again (pay first)"),
        (fails(404, "no such model"), "no model 'tiny'"),
        (fails(400, "response_format: bad schema"), "write structured: false among the options of openai_batch"),
    ],
)
def test_lines_that_no_request_survives_stop_the_run(
    server: BatchServer, tmp_path: Path, failure: tuple[int, dict[str, Any]], words: str
) -> None:
    server.answer = lambda asked: failure
    (said,) = Desk(tmp_path, opened(server.url)).ask([replace(question(1), schema="{}")])
    assert isinstance(said, EngineUnavailable)
    assert words in str(said)
    assert len(server.batches) == 1


def test_answers_that_the_server_threw_away_are_asked_for_again(server: BatchServer, tmp_path: Path) -> None:
    server.stumbles = {"GET /files": [404]}
    assert ask_on(tmp_path, server, 1) == answers(1)
    assert len(server.batches) == 2


CROWD = Ending("failed", errors=(("token_limit_exceeded", "Enqueued token limit reached"),))


def test_a_batch_too_large_for_the_account_is_halved(server: BatchServer, tmp_path: Path) -> None:
    server.endings = [CROWD, CROWD, CROWD]
    assert ask_on(tmp_path, server, *range(8)) == answers(*range(8))
    assert [len(asked) for asked in submitted(server)][:4] == [8, 4, 4, 2]
    assert left_open(tmp_path, server) == 0


def test_batches_too_many_for_the_account_wait_for_each_other(server: BatchServer, tmp_path: Path) -> None:
    server.endings = [Ending(), CROWD]
    server.looks = 4
    assert ask_on(tmp_path, server, *range(4), limits=Limits(requests=2)) == answers(*range(4))
    assert sorted(len(asked) for asked in submitted(server)) == [2, 2, 2]


def test_an_account_that_takes_not_even_one_request(server: BatchServer, tmp_path: Path) -> None:
    server.endings = [CROWD] * 9
    (said,) = Desk(tmp_path, opened(server.url)).ask([question(1)])
    assert isinstance(said, EngineUnavailable)
    assert "Enqueued token limit reached" in str(said)


# A server or a network in trouble


@pytest.mark.parametrize("trouble", [429, 500, 503, "cut", "page", "done and cut"])
@pytest.mark.parametrize("request_", ["POST /files", "POST /batches", "GET /batches/", "GET /files/"])
def test_trouble_passes_and_nothing_is_made_twice(
    server: BatchServer, tmp_path: Path, request_: str, trouble: int | str
) -> None:
    server.stumbles = {request_: [trouble, trouble if trouble != "done and cut" else ""]}
    assert ask_on(tmp_path, server, 1, 2) == answers(1, 2)
    assert len(server.batches) == 1


def test_an_hour_of_trouble_stops_the_run_and_loses_nothing(server: BatchServer, tmp_path: Path) -> None:
    server.stumbles = {"GET /batches/": [500] * 10_000}
    desk = Desk(tmp_path, opened(server.url))

    async def ask_twice() -> list[Completion | BaseException]:
        asked = [await asyncio.gather(desk.journaled.complete(question(1)), return_exceptions=True) for _ in range(2)]
        await desk.journaled.close()
        return [one for (one,) in asked]

    said = asyncio.run(ask_twice())
    desk.journal.close()
    assert all(isinstance(one, EngineUnavailable) for one in said)
    assert "and so for an hour" in str(said[0])
    assert len(server.batches) == 1
    server.stumbles = {}
    assert ask_on(tmp_path, server, 1) == answers(1)
    assert len(server.batches) == 1


# Before anything is spent


def check(server: BatchServer, model: str = "tiny") -> None:
    OpenAIBatch(model=model, base_url=server.url).check()


def test_a_good_server_is_good(server: BatchServer) -> None:
    check(server)


def test_a_wrong_key_is_found_at_once(server: BatchServer) -> None:
    server.key = "another"
    with pytest.raises(EngineUnavailable, match="refused the key") as caught:
        check(server)
    assert KEY not in str(caught.value)
    assert not any(request.startswith("POST") for request in server.requests)


def test_a_wrong_model_is_found_at_once(server: BatchServer) -> None:
    with pytest.raises(EngineUnavailable, match="no model 'huge'"):
        check(server, "huge")


def test_a_server_without_batches_is_found_at_once(server: BatchServer) -> None:
    server.has_batches = False
    with pytest.raises(EngineUnavailable, match="no batch API; write openai instead"):
        check(server)


def test_no_key_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(EngineUnavailable, match="OPENAI_API_KEY"):
        OpenAIBatch(model="gpt-4o").check()


def test_a_key_refused_later_stops_the_run_and_is_not_told(server: BatchServer, tmp_path: Path) -> None:
    server.key = "another"
    (said,) = Desk(tmp_path, opened(server.url)).ask([question(1)])
    assert isinstance(said, EngineUnavailable)
    assert "refused the key" in str(said)
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    assert KEY not in str(said)


def test_a_key_that_the_server_repeats_is_not_told(server: BatchServer, tmp_path: Path) -> None:
    server.answer = lambda asked: fails(400, f"not with {KEY}")
    (said,) = Desk(tmp_path, opened(server.url)).ask([question(1)])
    assert str(said).endswith("not with [the key]")
    server.endings = [Ending(), Ending("failed", errors=(("invalid", f"not with {KEY}"),))]
    (said,) = Desk(tmp_path, opened(server.url)).ask([question(2)])
    assert "(not with [the key])" in str(said)


def test_an_address_with_a_password_is_refused() -> None:
    with pytest.raises(ValidationError, match="base_url holds a password or a key"):
        OpenAIBatch(model="tiny", base_url="http://me:secret@localhost:8000/v1")


def test_a_key_from_a_file(server: BatchServer, tmp_path: Path) -> None:
    server.key = "sk-from-a-file"
    (tmp_path / "key").write_text("sk-from-a-file\n")
    OpenAIBatch(model="tiny", base_url=server.url, api_key_file=str(tmp_path / "key")).check()


def test_replies_hold_for_the_live_engine_too() -> None:
    batch, live = OpenAIBatch(model="gpt-4o-mini"), OpenAI(model="gpt-4o-mini")
    assert batch.open().name == live.open().name
    assert batch.decides() == live.decides()


def test_a_budget_that_is_used_up_submits_nothing(server: BatchServer, tmp_path: Path) -> None:
    desk = Desk(tmp_path, opened(server.url))
    desk.engine.budget = Budget(max_tokens=10, tokens=10)
    said = desk.ask(questions(1, 2))
    assert all(isinstance(one, BudgetReached) for one in said)
    assert server.files == {}
    assert left_open(tmp_path, server) == 0


def test_the_key_of_another_project_cannot_see_the_batch(server: BatchServer, tmp_path: Path) -> None:
    server.held.clear()
    killed_when(server, tmp_path, lambda: any(b["looks"] for b in server.batches), 2)
    server.batches.clear()
    (said,) = Desk(tmp_path, opened(server.url)).ask([question(0)])
    assert isinstance(said, EngineUnavailable)
    assert "knows no batch batch-0" in str(said)
    assert server.batches == []


def test_without_a_ledger_it_answers_too(server: BatchServer) -> None:
    async def ask() -> list[Completion]:
        engine = opened(server.url, Limits(requests=3))
        try:
            return await asyncio.gather(*(engine.complete(question(i % 8)) for i in range(16)))
        finally:
            await engine.close()

    assert [reply.text for reply in asyncio.run(ask())] == answers(*range(8)) * 2
    assert len(server.asked) == 8
