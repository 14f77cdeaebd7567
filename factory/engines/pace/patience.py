"""Patience: since when no server has answered, and when that has lasted too long."""

from math import inf


class Patience:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self.tried = False
        """Requests were given up on suspicion, and none was answered since."""

    def answered(self) -> None:
        self._since, self.tried = None, False

    def failed(self, now: float) -> None:
        """An attempt failed. The silence counts from here, not from when it was sent: one that got no reply in time
        has taken longer than patience lasts, and shall be made again."""
        if self._since is None:
            self._since = now

    def began(self) -> float:
        """When the silence began; infinity while there is none."""
        return inf if self._since is None else self._since

    def ends(self) -> float:
        return self.began() + self._seconds

    def again(self) -> None:
        """Give the servers as long once more."""
        self._since, self.tried = None, True
