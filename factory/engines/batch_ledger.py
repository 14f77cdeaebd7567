"""What the batch engine must find again after a death: which batches are with the server, and which requests are in
them. The journal keeps it (`Journal.batches`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch from which answers may still come."""

    digest: str
    """What the journal knows it by, from before it was submitted."""
    batch_id: str | None
    """What the server calls it; None if the process died before it could be noted."""
    keys: list[str]
    """The journal keys of its requests."""


class Ledger(Protocol):
    """Every method is durable when it returns."""

    def intend(self, engine: str, digest: str, keys: list[str]) -> None:
        """Note a batch that is about to be submitted."""

    def submitted(self, digest: str, batch_id: str) -> None: ...

    def open(self, engine: str) -> Sequence[OpenBatch]:
        """The batches of this engine that were intended and are not finished, the oldest first."""

    def finished(self, digest: str) -> None:
        """Forget it: nothing more is to come from it."""

    def unanswered(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that the journal holds no reply to."""


@dataclass(frozen=True, slots=True)
class NoLedger(Ledger):
    """For an engine without a journal: nothing is found again, and every reply counts as written down."""

    def intend(self, engine: str, digest: str, keys: list[str]) -> None:
        return None

    def submitted(self, digest: str, batch_id: str) -> None:
        return None

    def open(self, engine: str) -> Sequence[OpenBatch]:
        return ()

    def finished(self, digest: str) -> None:
        return None

    def unanswered(self, keys: Sequence[str]) -> list[str]:
        return []
