"""Commits: what must be durable gathers while one commit is under way, and then shares the next."""

import asyncio
from functools import partial

from tuneworks.factory.journal.call import Call, Failure
from tuneworks.factory.journal.schema import unwritable
from tuneworks.factory.journal.store import Journal


class Commits:
    """One at a time, in the journal's thread; the event loop goes on meanwhile.

    Replies of one batch resume their callers in one pass of the loop. A commit takes what gathered by the pass after
    that, so they are never torn apart.
    """

    def __init__(self, journal: Journal, at_once: bool) -> None:
        """`at_once`: nothing goes on before a commit is done, so that what is asked next never hangs on how long that
        took."""
        self._journal = journal
        self._at_once = at_once
        self._gathered: list[Call | Failure] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._due = False
        """Whether what gathered is taken by itself: in the next pass, or when the commit under way ends."""

    def kept(self, one: Call | Failure) -> "asyncio.Future[None]":
        """Done when it is durable; fails with InputError when it cannot be written."""
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        self._gathered.append(one)
        self._waiting.append(durable)
        if not self._due:
            self._due = True
            loop.call_soon(self._commit)
        return durable

    def write_rest(self) -> None:
        """Write what gathered and no commit has taken, here and now: the loop may not go on."""
        gathered, waiting = self._taken()
        if not gathered:
            return
        try:
            self._journal.write(gathered)
        except Exception as error:
            _tell(waiting, error)
        else:
            _tell(waiting, None)

    def _commit(self) -> None:
        if self._at_once:
            self._due = False
            self.write_rest()
            return
        gathered, waiting = self._taken()
        if not gathered:  # written by `write_rest`
            self._due = False
            return
        loop = asyncio.get_running_loop()
        try:
            commit = loop.run_in_executor(self._journal.thread, self._journal.write, gathered)
        except RuntimeError as closed:  # the journal is, under the feet of a build that is torn down
            _tell(waiting, closed)
        else:
            commit.add_done_callback(partial(self._committed, waiting))

    def _committed(self, waiting: "list[asyncio.Future[None]]", commit: "asyncio.Future[None]") -> None:
        _tell(waiting, commit.exception())
        if self._gathered:
            # Some of a batch may have come in this very pass: the next one has them all.
            asyncio.get_running_loop().call_soon(self._commit)
        else:
            self._due = False

    def _taken(self) -> "tuple[list[Call | Failure], list[asyncio.Future[None]]]":
        taken = self._gathered, self._waiting
        self._gathered, self._waiting = [], []
        return taken


def _tell(waiting: "list[asyncio.Future[None]]", error: BaseException | None) -> None:
    for durable in waiting:
        if durable.done():
            continue
        if error is None:
            durable.set_result(None)
        else:  # whatever it is, those who wait must hear of it
            durable.set_exception(unwritable(error))
