"""Where a build with a limit stops, and whether the money that it reports is what the journal and the server counted.

    python benchmarks/budget.py [--trials 20] [--seed 0]

`tuneworks build` asks a server that answers everything after 50 ms, 68 tokens a call, at a price from a file. Each
trial draws a limit of tokens or of money and how many requests may be under way; then a second build goes on with twice
the limit. Exit status 1 if a build ends over its limit by more than the calls in flight, if what it reports is not the
journal's sum, or if the server answered another number of calls than the journal holds.
"""

import argparse
import json
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from loopback_server import MODEL, REPLY, seen_at, served
from measuring import table

DELAY, ROWS = 0.05, 3000
PRICE = {"prompt": 400.0, "completion": 1600.0}
TOKENS = 24 + 44
USD = (24 * PRICE["prompt"] + 44 * PRICE["completion"]) / 1e6
LIMIT_REACHED = 3

RECIPE = """name: limited
engine: {{openai: {{model: {model}, base_url: "{url}", prices: prices.yaml, in_flight: {in_flight}}}}}
sources:
  given: {{file: given.jsonl, stages: [answer]}}
"""


def write(folder: Path, url: str, in_flight: int) -> None:
    rows = [json.dumps({"instruction": f"Question {at}?"}) for at in range(ROWS)]
    (folder / "given.jsonl").write_text("\n".join(rows))
    (folder / "prices.yaml").write_text(json.dumps({"models": {MODEL: PRICE}}))
    (folder / "r.yaml").write_text(RECIPE.format(model=MODEL, url=url, in_flight=in_flight))


def stopped(folder: Path, unit: str, limit: float) -> float:
    """Build until the limit; what the command line says was used."""
    command = [sys.executable, "-m", "tuneworks", "build", "r.yaml", f"--max-{unit}", f"{limit}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    said = re.search(r"is reached, with ([\d.,]+) (?:used|spent)", done.stderr)
    if done.returncode != LIMIT_REACHED or said is None:
        sys.exit(f"the build ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return float(said[1].replace(",", ""))


def held(folder: Path) -> tuple[int, int, float]:
    with sqlite3.connect(folder / "runs/limited/journal.sqlite") as db:
        sums = "count(*), sum(prompt_tokens + completion_tokens), sum(usd)"
        calls, tokens, usd = db.execute(f"SELECT {sums} FROM calls").fetchone()
    return calls, tokens, usd


def trial(url: str, rng: random.Random) -> list[tuple[object, ...]]:
    unit, in_flight = rng.choice(("tokens", "usd")), rng.choice((1, 8, 64, 256))
    per_call = TOKENS if unit == "tokens" else USD
    limit = rng.uniform(20, 1200 if in_flight > 8 else 150) * per_call
    first = int(limit) if unit == "tokens" else round(limit, 4)
    with tempfile.TemporaryDirectory() as name:
        folder, answered, rows = Path(name), 0, list[tuple[object, ...]]()
        write(folder, url, in_flight)
        for most in (first, 2 * first):
            seen_at(url)
            reported = stopped(folder, unit, most)
            answered += int(seen_at(url)["answered"])
            calls, tokens, usd = held(folder)
            total = tokens if unit == "tokens" else usd
            over = (total - most) / per_call
            same = abs(usd - calls * USD) < 1e-9 and answered == calls and abs(reported - total) < 1e-4
            holds = "yes" if 0 <= over <= in_flight and same else "NO"
            paid = (f"{reported:g}", f"{usd:.4f}", f"{answered * USD:.4f}")
            rows.append((unit, most, in_flight, calls, f"{over:.1f}", *paid, holds))
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    assert REPLY["usage"] == {"prompt_tokens": 24, "completion_tokens": 44, "total_tokens": TOKENS}
    rng = random.Random(args.seed)
    with served(DELAY) as url:
        rows = [row for _ in range(args.trials) for row in trial(url, rng)]
    columns = (
        *("limit of", "limit", "in flight", "calls in the journal", "calls over the limit", "reported as used"),
        *("USD in the journal", "USD of what the server answered", "holds"),
    )
    table(f"{args.trials} limited builds, each built on with twice the limit", columns, rows)
    sys.exit(0 if all(row[-1] == "yes" for row in rows) else 1)


if __name__ == "__main__":
    main()
