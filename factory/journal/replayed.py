"""An engine without a model: what the journal does not hold is not answered."""

from pathlib import Path

from tuneworks.factory.engine import Around, Completion, Engine, Request
from tuneworks.factory.errors import EngineUnavailable
from tuneworks.factory.quoting import one_line

LONGEST_QUOTE = 60


class Replayed(Around):
    """Stands in for `inner` inside of `Journaled`: of that one only the name is needed, and what it can."""

    def __init__(self, inner: Engine, journal: Path) -> None:
        super().__init__(inner)
        self._journal = journal

    async def complete(self, request: Request) -> Completion:
        raise EngineUnavailable(
            f"the journal {self._journal} holds no reply of {self.name} to the request {first_words(request)}; build "
            "without --replay to ask it"
        )


def first_words(request: Request) -> str:
    said = request.messages[-1].content if request.messages else request.given
    return repr(one_line(said, LONGEST_QUOTE))
