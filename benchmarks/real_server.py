"""Replies per second through vLLM's own server: Tuneworks beside vLLM's own benchmark client.

    python benchmarks/real_server.py [--rows 256] [--tokens 64] [--rounds 3]

One server on this processor with the embedded model, both clients turn about, the one that begins changing each round.
Tuneworks asks as a build does, every reply durable in a journal. The other is `vllm bench serve` with all requests sent
at once, the same sampling, and a seed, as ours have one. Prompts differ in their first words in every round and for
each side, so that the server's prefix cache favours nobody, and are of one length. Exit status 1 if Tuneworks is below
95%, by the median of the rounds, or a reply is missing.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from measuring import table
from vllm_server import vllm_server

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.flight import in_order
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.factory.record import Message
from tuneworks.factory.weights import prepare

GOAL = 0.95
TEMPERATURE, TOP_P = 1.0, 0.95

# `vllm bench serve` itself asks for the version of a package called vllm; the build for processors has another name.
BENCH_SERVE = """
from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = FlexibleArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""


@dataclass(frozen=True, slots=True)
class Got:
    rows: int
    tokens: int
    seconds: float


def prompts(batch: int, rows: int) -> list[str]:
    """Of one length, and unlike those of any other batch from the first word on."""
    return [f"{batch:03d}{n:04d} is a small town. Write a long story about its people, its river and its old mill."
            for n in range(rows)]  # fmt: skip


def ours(url: str, place: Path, asked: list[str], tokens: int) -> Got:
    return asyncio.run(_ours(url, place / "journal.sqlite", asked, tokens))


async def _ours(url: str, path: Path, asked: list[str], tokens: int) -> Got:
    journal = Journal(path)
    engine = Journaled(OpenAI(model="smollm2", base_url=url).open(), journal)
    requests = (
        Request((Message("user", text),), max_tokens=tokens, temperature=TEMPERATURE, top_p=TOP_P, seed=n)
        for n, text in enumerate(asked)
    )
    rows = written = 0
    began = time.perf_counter()
    async for reply in in_order((partial(engine.complete, request) for request in requests), engine.room):
        rows, written = rows + 1, written + reply.usage.completion_tokens
    seconds = time.perf_counter() - began
    await engine.close()
    journal.close()
    return Got(rows, written, seconds)


def theirs(url: str, place: Path, asked: list[str], tokens: int) -> Got:
    data, result = place / "prompts.jsonl", place / "result.json"
    data.write_text("\n".join(json.dumps({"prompt": text}) for text in asked))
    command = [
        *(sys.executable, "-c", BENCH_SERVE, "--backend", "openai-chat"),
        *("--base-url", url.removesuffix("/v1"), "--endpoint", "/v1/chat/completions"),
        *("--model", "smollm2", "--tokenizer", prepare("smollm2")),
        *("--dataset-name", "custom", "--dataset-path", str(data), "--skip-chat-template", "--disable-shuffle"),
        *("--num-prompts", str(len(asked)), "--custom-output-len", str(tokens)),
        *("--temperature", str(TEMPERATURE), "--top-p", str(TOP_P), "--extra-body", json.dumps({"seed": 1})),
        *("--disable-tqdm", "--save-result", "--result-dir", str(place), "--result-filename", result.name),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"vLLM's benchmark client ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    said = json.loads(result.read_text())
    return Got(said["completed"], said["total_output_tokens"], said["duration"])


Client = Callable[[str, Path, list[str], int], Got]
CLIENTS: dict[str, Client] = {"vllm bench serve": theirs, "Tuneworks, journal on": ours}


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("rows", 256), ("tokens", 64), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    got: dict[str, list[Got]] = {name: [] for name in CLIENTS}
    batch = 0
    with tempfile.TemporaryDirectory() as folder, vllm_server(Path(folder) / "vllm.txt") as url:
        for number in range(args.rounds + 1):
            for name in (list(CLIENTS), list(reversed(CLIENTS)))[number % 2]:
                batch += 1
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    rows = args.rows if number else args.rows // 8  # the first round only warms up
                    got[name].append(CLIENTS[name](url, Path(place), prompts(batch, rows), args.tokens))
    report(args, {name: rounds[1:] for name, rounds in got.items()})


def report(args: argparse.Namespace, got: dict[str, list[Got]]) -> None:
    peer = got["vllm bench serve"]
    lines: list[tuple[object, ...]] = []
    for name, rounds in got.items():
        speed = statistics.median(g.rows / g.seconds for g in rounds)
        ratios = [(a.rows / a.seconds) / (b.rows / b.seconds) for a, b in zip(rounds, peer, strict=True)]
        by_round = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        per_row = sum(g.tokens for g in rounds) / sum(g.rows for g in rounds)
        missing = sum(args.rows - g.rows for g in rounds)
        lines.append((name, f"{speed:.2f}", f"{statistics.median(ratios):.3f}", by_round, f"{per_row:.1f}", missing))
    columns = ("client", "rows/s", "of vllm bench serve", "by round", "tokens a row", "rows missing")
    table(f"{args.rows} rows of at most {args.tokens} tokens, {args.rounds} rounds", columns, lines)
    sys.exit(0 if float(str(lines[-1][2])) >= GOAL and all(line[-1] == 0 for line in lines) else 1)


if __name__ == "__main__":
    main()
