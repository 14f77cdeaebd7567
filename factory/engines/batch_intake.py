"""How much the server takes at a time: learned from the batches it refuses.

OpenAI limits the tokens of all batches that wait, by model and account, and tells only by failing a batch. So a batch
that is too much waits for another of ours to end or, where none is under way, goes up in halves.
"""


class Intake:
    def __init__(self, requests: int) -> None:
        self.requests = requests
        """Most requests that a batch should hold."""
        self.batches: int | None = None
        """Most batches that should be under way; null while no end of it is known."""
        self._most = requests

    def refused(self, requests: int, others: int) -> bool:
        """A batch of so many requests was too much, with `others` of ours under way. Whether there is hope left."""
        if others:
            self.batches = others
        elif requests > 1:
            self.requests = min(self.requests, requests // 2)
        return others > 0 or requests > 1

    def took(self) -> None:
        """A batch was not too much: try for more again."""
        self.requests = min(2 * self.requests, self._most)
        if self.batches is not None:
            self.batches += 1
