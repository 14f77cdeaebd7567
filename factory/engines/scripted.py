"""An engine that answers from a function: for tests, docs and dry runs."""

from collections.abc import Callable

from tuneworks.factory.engine import Completion, Engine, Request, Usage


class Scripted(Engine):
    """Answers with what `reply` returns; a plain string becomes a finished completion.

    Counts its calls in `calls`, so that a test can say how often a model was asked.
    """

    def __init__(
        self, reply: Callable[[Request], str | Completion], name: str = "scripted", structured: bool = False
    ) -> None:
        self.name = name
        self.structured = structured
        self.calls: list[Request] = []
        self._reply = reply

    async def complete(self, request: Request) -> Completion:
        self.budget.admit()
        self.calls.append(request)
        reply = self._reply(request)
        if isinstance(reply, Completion):
            return reply
        asked = sum(len(m.content.split()) for m in request.messages)
        return Completion(reply, usage=Usage(asked, len(reply.split())))

    async def close(self) -> None:
        return None
