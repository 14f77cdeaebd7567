"""What a build says while it works."""

import io

import pytest
from rich.console import Console

from tuneworks.factory.engine import Completion, Usage
from tuneworks.pipelines import watching
from tuneworks.pipelines.stages import Counts
from tuneworks.pipelines.watching import Watching


def watched(terminal: bool) -> tuple[io.StringIO, Watching]:
    out = io.StringIO()
    return out, Watching(Console(file=out, force_terminal=terminal, width=200))


def work(watcher: Watching) -> None:
    with watcher:
        watcher.step("made.answer", 4)
        for kept in (True, False):
            watcher.reply(Completion("x", usage=Usage(5, 90)), replayed=False)
            watcher.item(kept)
        watcher.done("made.answer", Counts(4, 1, 1, 2, 3.2), reused=False)


def test_plain_lines_say_counts_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PLAIN_EVERY", 0.0)
    out, watcher = watched(terminal=False)
    work(watcher)
    lines = out.getvalue().splitlines()
    assert any("1 kept, 1 rejected" in line and "tokens/s" in line and "left" in line for line in lines)
    assert lines[-1] == "made.answer: 1 kept, 1 rejected, 2 replies set aside (3 s)"


def test_nobody_is_flooded_without_a_terminal() -> None:
    out, watcher = watched(terminal=False)
    work(watcher)
    assert len(out.getvalue().splitlines()) == 1


def test_a_terminal_gets_a_live_line_and_the_result() -> None:
    out, watcher = watched(terminal=True)
    work(watcher)
    assert "made.answer: 1 kept, 1 rejected" in out.getvalue()
    assert "\x1b[" in out.getvalue()
