"""What becomes of records when servers misbehave: none may be lost.

    python benchmarks/misbehaving.py [--records 300] [--seconds 3]

For each misbehaviour the generator `answer` asks a server on the loopback address through the journal and the pace. A
run that was stopped is followed by a next one on the same journal, once the server is well again. A record is lost if
after that it is neither answered nor set aside. Time wasted is what the run took longer than an undisturbed one.
Exit status 1 if a record is lost.
"""

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from measuring import table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from misbehaving_server import CUT, DRIP, RESET, WEB_PAGE, Act, Rule, Server, fails, says, serving

from tuneworks.factory.answer import AnswerPrompts
from tuneworks.factory.dice import Dice
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import EngineError
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Message, Record

ANSWER = says("A carp.", seconds=0.02)
STUCK = replace(ANSWER, seconds=30.0)
TIMEOUT, PATIENCE = 1.0, 8.0
POISON = "record 7 "


@dataclass(frozen=True)
class Case:
    title: str
    rule: Callable[[Server, float], Rule] = lambda server, seconds: lambda number, path: ANSWER
    """What the server does; `seconds` is how long a storm lasts."""
    away: tuple[float, float | None] | None = None
    """When the first server dies, and when it comes back, in parts of the storm; it may never."""
    servers: int = 1
    dead: int = 0
    """Servers that are named and never there."""


def sometimes(act: Act, share: float) -> Callable[[Server, float], Rule]:
    """For each request by itself, whatever became of the one before."""
    return lambda server, seconds: lambda number, path: act if Random(number).random() < share else ANSWER


def always(act: Act) -> Callable[[Server, float], Rule]:
    return lambda server, seconds: lambda number, path: act


def storm(act: Act) -> Callable[[Server, float], Rule]:
    """Every request is refused, for a while from the first."""

    def rule(server: Server, seconds: float) -> Rule:
        began: list[float] = []

        def one(number: int, path: str) -> Act:
            began.append(time.monotonic())
            return act if began[-1] - began[0] < seconds else ANSWER

        return one

    return rule


def limited(a_second: float, burst: float) -> Callable[[Server, float], Rule]:
    """Refuses what goes beyond a rate, and never says when to come again."""

    def rule(server: Server, seconds: float) -> Rule:
        lock, left, last = threading.Lock(), burst, time.monotonic()

        def one(number: int, path: str) -> Act:
            nonlocal left, last
            with lock:
                now = time.monotonic()
                left, last = min(burst, left + (now - last) * a_second), now
                if left < 1:
                    return fails(429, headers={})
                left -= 1
                return ANSWER

        return one

    return rule


def poisoned(server: Server, seconds: float) -> Rule:
    """One record breaks the server each time it is asked."""

    def one(number: int, path: str) -> Act:
        return fails(500, headers={}) if POISON in str(server.asked[number]) else ANSWER

    return one


CASES = (
    Case("nothing"),
    Case("429 to all for a while, no Retry-After", storm(fails(429, headers={}))),
    Case("429 to all for a while, Retry-After: 1", storm(fails(429, headers={"Retry-After": "1"}))),
    Case("429 beyond 100 requests a second", limited(100.0, 20.0)),
    Case("503 to all for a while", storm(fails(503, headers={}))),
    Case("500 to 3 in 10", sometimes(fails(500, headers={}), 0.3)),
    Case("500 to one record, always", poisoned),
    Case("3 in 10 connections reset", sometimes(RESET, 0.3)),
    Case("3 in 10 bodies truncated", sometimes(CUT, 0.3)),
    Case("HTML for 3 in 10", sometimes(WEB_PAGE, 0.3)),
    Case("HTML for all for a while", storm(WEB_PAGE)),
    Case("1 in 20 drips without end", sometimes(DRIP, 0.05)),
    Case("dies and comes back", away=(0.1, 1.0)),
    Case("two servers, one dies for good", away=(0.1, None), servers=2),
    Case("two servers, one never there", dead=1),
    Case("wrong model", always(fails(404, "no such model"))),
    Case("wrong key", always(fails(401, "wrong key"))),
    Case("no money", always(fails(429, "You exceeded your quota", code="insufficient_quota"))),
    Case("HTML for all, always", always(WEB_PAGE)),
    Case("dies for good", away=(0.1, None)),
    Case("never answers", always(STUCK)),
)


@dataclass
class Outcome:
    answered: set[str] = field(default_factory=set)
    set_aside: set[str] = field(default_factory=set)
    ended: str = "at its end"
    seconds: float = 0.0
    retries: dict[str, tuple[int, float]] = field(default_factory=dict)


def records_of(count: int) -> list[Record]:
    return [Record.born([Message("user", f"This is record {n} of some; name a fish.")]) for n in range(count)]


async def run(options: OpenAI, records: list[Record], journal: Path) -> Outcome:
    """One build's worth of asking, until it ends or is stopped."""
    held, paced = Journal(journal), options.open()
    engine, outcome, began = Journaled(paced, held), Outcome(), time.perf_counter()
    try:
        async for made in AnswerPrompts().generate(records, engine, Dice(0, "answer")):
            if isinstance(made, Record):
                outcome.answered.add(made.prompt_text)
            else:
                outcome.set_aside.add(made.record.prompt_text)
    except EngineError as error:
        outcome.ended = f"stopped: {' '.join(str(error).split())}"
    outcome.seconds = time.perf_counter() - began
    await engine.close()
    outcome.retries = paced.retries()
    held.close()
    return outcome


def play(case: Case, records: list[Record], seconds: float) -> tuple[Outcome, Outcome | None, int]:
    """The run, the next one if it was stopped, and how many requests were made of the servers in the first."""
    with ExitStack() as opened, tempfile.TemporaryDirectory() as folder:
        servers = [opened.enter_context(serving()) for _ in range(case.servers)]
        for server in servers:
            server.rule = case.rule(server, seconds)
        gone = [opened.enter_context(serving()) for _ in range(case.dead)]
        for server in gone:
            server.die()
        options = OpenAI(
            model="tiny", base_url=tuple(s.url for s in (*servers, *gone)), timeout=TIMEOUT, patience=PATIENCE
        )
        timers = away(case, servers[0], seconds)
        first = asyncio.run(run(options, records, Path(folder) / "journal.sqlite"))
        asked = sum(len(server.asked) for server in servers)
        for timer in timers:
            timer.join()
        if first.ended == Outcome.ended:
            return first, None, asked
        if case.away:
            servers[0].live()
        for server in servers:
            server.rule = lambda number, path: ANSWER
        return first, asyncio.run(run(options, records, Path(folder) / "journal.sqlite")), asked


def away(case: Case, server: Server, seconds: float) -> list[threading.Timer]:
    if case.away is None:
        return []
    acts = ((case.away[0], server.die), (case.away[1], server.live))
    timers = [threading.Timer(part * seconds, act) for part, act in acts if part is not None]
    for timer in timers:
        timer.start()
    return timers


def row(case: Case, count: int, quiet: float, played: tuple[Outcome, Outcome | None, int]) -> tuple[object, ...]:
    first, later, asked = played
    done = first.answered | first.set_aside
    if later is not None:
        done |= later.answered | later.set_aside
    lost_time = "; ".join(f"{kind} x {times}: {lost:.1f} s" for kind, (times, lost) in first.retries.items())
    return (case.title, count, len(first.answered), len(first.set_aside),
            "-" if later is None else len(later.answered | later.set_aside), count - len(done), first.ended, asked,
            f"{first.seconds:.1f}", f"{max(0.0, first.seconds - quiet):.1f}", lost_time or "-")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=3.0, help="How long a storm or an absence lasts.")
    args = parser.parse_args()
    records = records_of(args.records)
    rows: list[tuple[object, ...]] = []
    quiet = 0.0
    for case in CASES:
        played = play(case, records, args.seconds)
        quiet = quiet or played[0].seconds
        rows.append(row(case, args.records, quiet, played))
    columns = ("misbehaviour", "records in", "answered", "set aside", "done by the next build", "lost", "how it ended",
               "requests", "seconds", "wasted", "failures and the time they cost")  # fmt: skip
    table(f"{args.records} records, timeout {TIMEOUT:g} s, patience {PATIENCE:g} s", columns, rows)
    sys.exit(0 if all(r[5] == 0 for r in rows) else 1)


if __name__ == "__main__":
    main()
