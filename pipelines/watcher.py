"""Who is told how a build goes on."""

from collections.abc import Mapping
from typing import Protocol

from tuneworks.factory.engine import Completion
from tuneworks.pipelines.stages import Counts


class Watcher(Protocol):
    """Told how a build goes on; the command line draws it."""

    def step(self, title: str, total: int) -> None: ...

    def read(self, layouts: Mapping[str, int]) -> None:
        """In which layouts a source's rows were recognised, and how many in each."""

    def item(self, kept: bool) -> None: ...

    def reply(self, reply: Completion, replayed: bool) -> None: ...

    def measured(self, rows: int) -> None: ...

    def waits(self, status: str) -> None:
        """What the models are waited for, once a second; empty while all goes well."""

    def done(self, title: str, counts: Counts, reused: bool) -> None: ...
