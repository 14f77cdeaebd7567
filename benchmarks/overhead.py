"""What Tuneworks costs on top of the official client, beside two other data factories, on one server.

    python benchmarks/overhead.py [--calls 10000] [--rounds 3] [--sides tuneworks,distilabel,pipeline,curator]

A server in a process of its own answers every chat completion after 50 ms, any number at a time. It has one core, and
the side that is measured has another. Each side runs in a fresh process, turn about: a bare asyncio loop over the
official client, Tuneworks with a durable journal, and the peers, each from an environment of its own that is made when
missing. Who can be tuned gets the best of a few settings, found with a fifth of the calls. Exit status 1 if Tuneworks
is below 95% of the bare loop, by the median of the rounds, or loses a reply.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

from loopback_server import seen_at, served
from measuring import table

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "overhead_peers"
DELAY, GOAL = 0.05, 0.95
SAMPLE_SECONDS = 0.1

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, SIDE_CORE = CORES[0], CORES[-1]


@dataclass(frozen=True, slots=True)
class Side:
    title: str
    script: str
    settings: tuple[int, ...] = (0,)
    """What it can be tuned by; the best is found before the rounds."""
    environment: str = ""
    """Where its packages are; empty: where Tuneworks is."""
    packages: tuple[str, ...] = ()


# distilabel imports requests without saying so.
DISTILABEL = ("distilabel", ("distilabel[openai]==1.5.3", "requests"))
IN_FLIGHT = (32, 48, 64, 96, 128)
BARE = Side("bare loop over the official client", "bare.py", IN_FLIGHT)
PEERS = {
    "tuneworks": Side("Tuneworks, journal on", "journaled.py"),
    "distilabel": Side("distilabel 1.5.3, model alone", "distilabel_llm.py", (64, 250, 1000), *DISTILABEL),
    "pipeline": Side("distilabel 1.5.3, pipeline", "distilabel_pipeline.py", (250, 1000), *DISTILABEL),
    "curator": Side("curator 0.1.31", "curator_llm.py", IN_FLIGHT, "curator", ("bespokelabs-curator==0.1.31",)),
}


@dataclass(frozen=True, slots=True)
class Cost:
    replies: int
    seconds: float
    cpu: float
    peak_mb: float
    most_in_flight: int


def python_of(side: Side) -> str:
    """The interpreter of a side's environment, which is made if it is not there."""
    if not side.environment:
        return sys.executable
    place = ROOT / f".venv-bench-{side.environment}"
    python, made = place / "bin" / "python", place / "made.txt"
    if not made.is_file() or made.read_text() != "\n".join(side.packages):
        venv.create(place, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *side.packages], check=True
        )
        made.write_text("\n".join(side.packages))
    return str(python)


def surroundings(place: Path) -> dict[str, str]:
    """No telemetry, no downloads, and every cache in a folder that goes away."""
    # litellm, which curator needs, brings the encoding that curator would otherwise download.
    encodings = next(ROOT.glob(".venv-bench-curator/lib/*/site-packages/litellm/litellm_core_utils/tokenizers"), place)
    switches = {
        **{"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TELEMETRY_ENABLED": "0"},
        **{"HOME": str(place), "HF_HOME": str(place / "hf"), "CURATOR_CACHE_DIR": str(place / "curator")},
        **{"CURATOR_DISABLE_CACHE": "1", "CURATOR_DISABLE_RICH_DISPLAY": "1", "DISTILABEL_CACHE_DIR": str(place / "d")},
        **{"TIKTOKEN_CACHE_DIR": str(encodings), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    }
    return {**os.environ, **switches}


def run(side: Side, url: str, calls: int, setting: int) -> Cost:
    """One fresh process on its core, its peak memory watched from outside."""
    seen_at(url)
    # Beside the checkout's runs: a system's folder for temporary files may be memory, where a journal costs nothing.
    (ROOT / "runs").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "runs", prefix="overhead-") as folder:
        place, said = Path(folder), Path(folder) / "said.txt"
        command = [python_of(side), str(SCRIPTS / side.script), "--url", url, "--calls", str(calls)]
        with said.open("w") as into:
            process = subprocess.Popen(
                [*command, "--setting", str(setting)],
                cwd=place, env=surroundings(place), stdout=into, stderr=subprocess.STDOUT,
                preexec_fn=lambda: os.sched_setaffinity(0, {SIDE_CORE}),
            )  # fmt: skip
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, sum(map(shared_out_mb, tree(process.pid))))
            time.sleep(SAMPLE_SECONDS)
        lines = [line for line in said.read_text().splitlines() if line.startswith('{"replies"')]
        if process.returncode or not lines:
            sys.exit(f"{side.title} ended with {process.returncode}:\n{said.read_text()[-3000:]}")
        return Cost(**json.loads(lines[-1]), peak_mb=peak, most_in_flight=int(seen_at(url)["most_in_flight"]))


def tree(pid: int) -> list[int]:
    """The process and all that came from it."""
    found = [pid]
    for parent in found:
        for listed in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(map(int, listed.read_text().split()))
            except OSError:  # ended meanwhile
                continue
    return found


def shared_out_mb(pid: int) -> float:
    """A process's memory, pages that several use divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # ended meanwhile
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def best_setting(side: Side, url: str, calls: int) -> int:
    if len(side.settings) == 1:
        return side.settings[0]
    return min(side.settings, key=lambda setting: run(side, url, calls, setting).seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", default=",".join(PEERS), help="Those measured beside the bare loop.")
    args = parser.parse_args()
    sides = [BARE, *(PEERS[name] for name in args.sides.split(","))]
    for side in sides:
        python_of(side)
    os.sched_setaffinity(0, {SERVER_CORE})
    with served(DELAY, SERVER_CORE) as url:
        settings = [best_setting(side, url, args.calls // 5) for side in sides]
        few = [run(side, url, args.calls // 10, setting) for side, setting in zip(sides, settings, strict=True)]
        costs: list[list[Cost]] = [[] for _ in sides]
        for _ in range(args.rounds):
            for side, setting, own in zip(sides, settings, costs, strict=True):
                own.append(run(side, url, args.calls, setting))
    rows = [
        row(side, setting, small, own, costs[0], args.calls)
        for side, setting, small, own in zip(sides, settings, few, costs, strict=True)
    ]
    columns = (
        *("side", "setting", "most in flight", "calls/s", "of the bare loop", f"peak MB, {args.calls // 10} calls"),
        *(f"peak MB, {args.calls} calls", "MB more per 1,000 calls", "CPU s per 1,000 calls", "replies lost"),
    )
    table(f"{args.calls} calls, each answered after {DELAY * 1000:.0f} ms, {args.rounds} rounds", columns, rows)
    kept = [line for side, line in zip(sides, rows, strict=True) if side is PEERS["tuneworks"]]
    sys.exit(0 if all(float(str(line[4])) >= GOAL and line[-1] == 0 for line in kept) else 1)


def row(side: Side, setting: int, small: Cost, own: list[Cost], bare: list[Cost], calls: int) -> tuple[object, ...]:
    """A side's line: medians over the rounds, the ratio that of each round's pair."""
    ratio = statistics.median(b.seconds / a.seconds for a, b in zip(own, bare, strict=True))
    peak = statistics.median(cost.peak_mb for cost in own)
    seconds, cpu = (statistics.median(getattr(cost, name) for cost in own) for name in ("seconds", "cpu"))
    growth = (peak - small.peak_mb) / (calls * 0.9 / 1000)
    lost = sum(calls - cost.replies for cost in own)
    in_flight = max(cost.most_in_flight for cost in own)
    return (side.title, setting or "-", in_flight, round(calls / seconds), f"{ratio:.3f}", round(small.peak_mb),
            round(peak), f"{growth:.2f}", f"{cpu / calls * 1000:.2f}", lost)  # fmt: skip


if __name__ == "__main__":
    main()
