"""Tally: what went wrong and passed, by kind: how often, and how much time it cost."""

import re

from tuneworks.factory.errors import MayPass

_STATUS = re.compile(r"\bHTTP \d{3}\b")


def kind_of(failure: MayPass) -> str:
    """`HTTP 429`, where the sentence names the status; else which sort of failure it is."""
    sentence = str(failure)
    status = _STATUS.search(sentence)
    if status:
        return status[0]
    if failure.down:
        return "no reply in time" if " in time" in sentence else "no connection"
    return "too busy" if failure.busy else "a broken reply"


class Tally:
    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, float]] = {}

    def add(self, kind: str, seconds: float) -> None:
        times, lost = self._kinds.get(kind, (0, 0.0))
        self._kinds[kind] = times + 1, lost + seconds

    def kinds(self) -> dict[str, tuple[int, float]]:
        """Kind -> times, and seconds lost: of each failed attempt its share of what its server did meanwhile, and all
        the time a server was left alone for it."""
        return {kind: (times, round(lost, 3)) for kind, (times, lost) in sorted(self._kinds.items())}
