"""What a build shows while it works: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from tuneworks.factory.engine import Completion
from tuneworks.pipelines.stages import Counts

PLAIN_EVERY = 30.0
"""Seconds between two lines where nobody watches live."""

KNOWN_SHARE = 0.05
"""Share of a stage's work that must be done before the time left is guessed."""


class Watching:
    """Draws kept and rejected, tokens per second and time left, stage by stage."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._title = ""
        self._total = self._replies = self._replayed = self._tokens = self._measured = 0
        self._kept = self._rejected = 0
        self._usd = 0.0
        self._waits = self._waited = self._layouts = ""
        self._began = self._spoke = time.monotonic()

    def __enter__(self) -> "Watching":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, title: str, total: int) -> None:
        self._title, self._total = title, total
        self._kept = self._rejected = self._replies = self._replayed = self._tokens = self._measured = 0
        self._usd = 0.0
        self._began = self._spoke = time.monotonic()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total or None, counts="")

    def read(self, layouts: Mapping[str, int]) -> None:
        some = ", ".join(f"{name} ({rows:,})" for name, rows in layouts.items())
        self._layouts = some if len(layouts) != 1 else next(iter(layouts))

    def item(self, kept: bool) -> None:
        self._kept += kept
        self._rejected += not kept
        self._draw()

    def reply(self, reply: Completion, replayed: bool) -> None:
        self._replies += 1
        self._replayed += replayed
        self._tokens += 0 if replayed else reply.usage.completion_tokens
        self._usd += 0.0 if replayed else reply.usage.usd
        self._draw()

    def measured(self, rows: int) -> None:
        self._measured += rows
        self._draw()

    def waits(self, status: str) -> None:
        """A pause must be seen at once; where nobody watches live it is said when it begins, and no more."""
        self._waits = status
        if self._live:
            self._draw()
        elif status and not self._waited:
            self._console.print(f"  {self._title}: {status}", highlight=False, markup=False)
        self._waited = status

    def done(self, title: str, counts: Counts, reused: bool) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        how = "already made" if reused else f"{counts.seconds:.0f} s"
        aside = f", {counts.aside} replies set aside" if counts.aside else ""
        read = f", read as {self._layouts}" if self._layouts else ""
        text = f"{title}: {counts.kept} kept, {counts.rejected} rejected{aside}{read} ({how})"
        self._layouts = ""
        self._console.print(text, style="dim" if reused else None, highlight=False)

    def _draw(self) -> None:
        now = time.monotonic()
        if self._live and self._task is not None:
            self._progress.update(self._task, completed=self._replies + self._measured, counts=self._counts(now))
        elif not self._live and now - self._spoke >= PLAIN_EVERY:
            self._spoke = now
            self._console.print(f"  {self._title}: {self._counts(now)}", highlight=False)

    def _counts(self, now: float) -> str:
        if self._measured:
            return ", ".join(
                [f"{self._measured} of {self._total} measured", *self._left(now, self._measured, self._measured)]
            )
        parts = [f"{self._kept} kept", f"{self._rejected} rejected"]
        if self._tokens:
            parts.append(f"{self._tokens / max(1.0, now - self._began):.0f} tokens/s")
        if self._usd:
            parts.append(f"{self._usd:.2f} USD")
        if self._waits:
            return ", ".join([*parts, self._waits])
        return ", ".join([*parts, *self._left(now, self._replies, self._replies - self._replayed)])

    def _left(self, now: float, done: int, worked: int) -> list[str]:
        """The time left, where it can be guessed: `worked` of those that are `done` took the time so far."""
        missing = self._total - done
        if worked < KNOWN_SHARE * self._total or not worked or missing <= 0:
            return []
        left = (now - self._began) / worked * missing
        return [f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left"]
