"""Kills one build again and again with SIGKILL, lets it end, and looks at what it ends in.

    python benchmarks/kill_sweep.py [--kills 20] [--seed 0] [--over scripted,embedded,vllm]

The moments are random, one in each equal part of the time that the build takes when it is left alone. Over the scripted
model (with delays, its replies in another order each time) and over the embedded one, the dataset must have the bytes
of a build that was left alone. Over a vLLM server, whose sampling nobody can repeat, it must have the bytes of a
dataset rebuilt from the journal alone, with the server off. No call that was answered may be made twice: the journal
counts. What the model still had at a kill, or had given and was not yet in the journal, is no repeat; both are said.
"""

import argparse
import contextlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import scripted_build
import small_line
from measuring import table
from vllm_server import vllm_server

COLUMNS = (
    *("over", "kills", "calls in the journal at each", "requests the model had at each", "given, not yet kept"),
    *("calls in the end", "of the build left alone", "repeated", "same bytes as", "same"),
)
Row = tuple[object, ...]

LOOK_SECONDS = 0.02
EARLY = 0.9
SAME_REPLIES, OTHER_REPLIES = 1.0, 0.85
"""Up to which share of the build kills come; where replies differ the killed build may need fewer calls."""


@dataclass(slots=True)
class Sweep:
    """What the kills met."""

    landed: int = 0
    kept: list[int] = field(default_factory=list)
    under_way: list[int] = field(default_factory=list)


Busy = Callable[[int], int]
"""How many requests the model has right now, told how many the earlier kills left without a reply."""


Timeline = list[tuple[float, int]]
"""Seconds since a build began, and the calls in its journal from then on; the last entry is its end."""


def left_alone(folder: Path) -> Timeline:
    """Build without a kill."""
    began, worker, timeline = time.monotonic(), small_line.start(folder), [(0.0, 0)]
    while worker.poll() is None:
        calls = small_line.calls(folder)[0]
        if calls != timeline[-1][1]:
            timeline.append((time.monotonic() - began, calls))
        time.sleep(LOOK_SECONDS)
    assert worker.returncode == 0, (folder / "log.txt").read_text()[-2000:]
    return [*timeline, (time.monotonic() - began, timeline[-1][1])]


def moment(timeline: Timeline, share: float) -> tuple[int, float]:
    """Where a build is after this share of its time: calls in the journal, and seconds since there are so many."""
    seconds = share * timeline[-1][0]
    began, calls = next(entry for entry in reversed(timeline) if entry[0] <= seconds)
    return calls, seconds - began


def swept(folder: Path, kills: int, timeline: Timeline, until: float, seed: int, busy: Busy) -> Sweep:
    """Kill the build so many times, up to this share of it."""
    rng, sweep = random.Random(seed), Sweep()
    for number in range(kills):
        calls, later = moment(timeline, (number + rng.random()) / kills * until)
        worker = small_line.start(folder)
        while worker.poll() is None and small_line.calls(folder)[0] < calls:
            time.sleep(LOOK_SECONDS)
        # A little early: what was slow when the build was left alone may be faster now, and the build then over.
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(EARLY * later)
        sweep.under_way.append(busy(sum(sweep.under_way)))
        worker.send_signal(signal.SIGKILL)
        sweep.landed += worker.wait() == -signal.SIGKILL
        sweep.kept.append(small_line.calls(folder)[0])
    return sweep


def row(over: str, kills: int, sweep: Sweep, folder: Path, alone: int, not_kept: object, other: str, same: bool) -> Row:
    calls, repeated = small_line.calls(folder)
    kept, under_way = (", ".join(map(str, values)) for values in (sweep.kept, sweep.under_way))
    landed = f"{sweep.landed} of {kills}"
    return over, landed, kept, under_way, not_kept, calls, alone, repeated, other, "yes" if same else "NO"


def in_process(over: str, write: Callable[[Path], None], place: Path, kills: int, seed: int) -> Row:
    """Over a model that gives the same reply to the same request."""
    whole, broken = place / f"{over}-whole", place / f"{over}-broken"
    for folder in (whole, broken):
        write(folder)
    timeline = left_alone(whole)

    def busy(earlier: int) -> int:
        return scripted_build.unanswered(broken) - earlier

    sweep = swept(broken, kills, timeline, SAME_REPLIES, seed, busy)
    small_line.build(broken)
    not_kept = scripted_build.noted(broken, "given") - small_line.calls(broken)[0]
    same = small_line.dataset(whole) == small_line.dataset(broken)
    return row(over, kills, sweep, broken, timeline[-1][1], not_kept, "the build left alone", same)


def scripted(place: Path, kills: int, seed: int) -> Row:
    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "small.yaml").write_text(scripted_build.RECIPE)

    return in_process("scripted", write, place, kills, seed)


def embedded(place: Path, kills: int, seed: int) -> Row:
    return in_process("embedded", lambda folder: small_line.write_recipe(folder, "engine: noted\n"), place, kills, seed)


def vllm(place: Path, kills: int, seed: int) -> Row:
    whole, broken = place / "vllm-whole", place / "vllm-broken"
    with vllm_server(place / "vllm.txt") as url:
        for folder in (whole, broken):
            small_line.write_recipe(folder, f'engine: {{openai: {{model: smollm2, base_url: "{url}"}}}}\n')
        timeline = left_alone(whole)
        sweep = swept(broken, kills, timeline, OTHER_REPLIES, seed, lambda _: at_work(url))
        small_line.build(broken)
    small_line.build(broken, "--runs", "again", "--journal", "runs/small/journal.sqlite", "--replay")
    same = small_line.dataset(broken) == small_line.dataset(broken, "again")
    return row("vllm", kills, sweep, broken, timeline[-1][1], "-", "its journal alone, server off", same)


def at_work(url: str) -> int:
    """Requests that the server is working on or has waiting."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=10) as reply:
        gauges = re.findall(r"^vllm:num_requests_(?:running|waiting)\{.*\} (\S+)$", reply.read().decode(), re.MULTILINE)
    return int(sum(map(float, gauges)))


SWEEPS = {"scripted": scripted, "embedded": embedded, "vllm": vllm}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--over", default=",".join(SWEEPS))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        scripted_build.install(place / "package")
        rows = [SWEEPS[over](place, args.kills, args.seed) for over in args.over.split(",")]
    table(f"{args.kills} kills of one build", COLUMNS, rows)
    sys.exit(0 if all(r[-1] == "yes" and r[-3] == 0 and r[1] == f"{args.kills} of {args.kills}" for r in rows) else 1)


if __name__ == "__main__":
    main()
