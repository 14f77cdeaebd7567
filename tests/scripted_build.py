"""Engines of a plugin package, so that the command line itself builds with them and says what its model did.

`noted` is the embedded model or, with `scripted: true`, the scripted one behind a queue with delays. Every request that
reaches the model and every reply that leaves it is a line in a file at once, so that a SIGKILL hides none of them.
"""

import asyncio
import os
import random
from pathlib import Path
from typing import ClassVar

import scripted_line

from tuneworks.factory.engine import Around, Completion, Engine, EngineOptions, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.journal import key_of

NOTES = "notes.txt"
"""In the folder that the build is called in."""

AT_A_TIME, SHORTEST, LONGEST = 8, 0.05, 0.5
"""The scripted model's queue: so many replies at a time, each after so many seconds, differently in every build."""

RECIPE = """name: small
seed: 3
engine: {noted: {scripted: true}}
sources:
  made:
    seeds: builtin
    stages:
      - self_instruct: {target: 80}
      - length: {min_words: 4, max_words: 150}
      - rules
      - rouge
      - best_of_n: {n: 4}
mix: {cap: 60}
stages:
  - exact_duplicates
holdout: 0.2
"""


class Noted(EngineOptions):
    """A model whose requests and replies are noted in a file."""

    kind: ClassVar[str] = "noted"

    scripted: bool = False
    """The scripted model with delays, instead of the embedded one."""

    def open(self) -> "NotedEngine":
        return NotedEngine(Delayed() if self.scripted else Transformers().open())


class Delayed(Scripted):
    """Replies come after a while and in no order of their own."""

    def __init__(self) -> None:
        super().__init__(scripted_line.reply)
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._delays = random.Random()

    async def complete(self, request: Request) -> Completion:
        async with self._slots:
            await asyncio.sleep(self._delays.uniform(SHORTEST, LONGEST))
            return await super().complete(request)


class NotedEngine(Around):
    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self._notes = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def complete(self, request: Request) -> Completion:
        key = key_of(self.name, request)
        self._note("asked", key)
        reply = await self._inner.complete(request)
        self._note("given", key)
        return reply

    def _note(self, what: str, key: str) -> None:
        os.write(self._notes, f"{what} {key}\n".encode())


def install(place: Path) -> None:
    """Lay the package out as pip would, its code being this folder; `place` then belongs into PYTHONPATH."""
    about = place / "noted-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: noted\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[tuneworks.engines]\nnoted = scripted_build:Noted\n")
    os.environ["PYTHONPATH"] = os.pathsep.join((str(place), str(Path(__file__).parent)))


def noted(folder: Path, what: str) -> int:
    """How often something ("asked", "given") was noted, in all builds."""
    path = folder / NOTES
    return path.read_text().count(f"{what} ") if path.is_file() else 0


def unanswered(folder: Path) -> int:
    """Requests that reached the model and were never answered there, in all builds."""
    return noted(folder, "asked") - noted(folder, "given")
