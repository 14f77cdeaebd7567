"""The engine of whoever has none: rewards that compute by themselves are handed one and never ask it."""

from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.errors import EngineUnavailable


class Unasked(Engine):
    name = "none"

    async def complete(self, request: Request) -> Completion:
        raise EngineUnavailable("there is no model to ask here; name a reward that computes by itself")

    async def close(self) -> None:
        pass
