"""Does `tuneworks prove` see that answers were shuffled, and that a filter finds them?

`python benchmarks/prove_corrupted.py --data FILE` takes rows of a file of instructions, gives a third of them each
other's answers, builds a run whose only filter is the instruction following difficulty, and proves it. Of the table the
first part is what the command says. Below it stand the same arms on the held-out rows that have their own answers:
which these are only this script knows.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import table

from tuneworks.pipelines.proving.intervals import interval

RECIPE = """name: corrupted
sources:
  alpaca:
    file: {file}
    stages:
      - perplexity: {{by: ifd, keep: [0, 1], max_ifd: {max_ifd}}}
datasets: [sft]
holdout: 0.25
"""

ARMS = "kept,shuffled,without perplexity"


def corrupted(data: Path, rows: int, longest: int, seed: int) -> list[dict[str, Any]]:
    """So many rows with answers of at most so many words, drawn by the seed; `own` tells whose own answer is there."""
    found = [row for row in json.loads(data.read_text(encoding="utf-8")) if len(row["output"].split()) <= longest]
    dice = random.Random(seed)
    drawn = dice.sample(found, rows)
    taken = dice.sample(range(rows), rows // 3)
    made = [dict(row, own=True) for row in drawn]
    for at, other in zip(taken, [*taken[1:], taken[0]], strict=True):
        made[at] |= {"output": drawn[other]["output"], "own": drawn[at]["output"] == drawn[other]["output"]}
    return made


def tuneworks(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tuneworks", *arguments, "--runs", str(folder / "runs")], check=True)


def own_answers(made: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(asked(row), row["output"]) for row in made if row["own"]}


def asked(row: dict[str, Any]) -> str:
    return f"{row['instruction']}\n\n{row['input']}" if row["input"] else str(row["instruction"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="A JSON list of instruction, input, output.")
    parser.add_argument("--into", type=Path, default=Path("prove_corrupted"), help="The folder to work in.")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--longest", type=int, default=100, help="Most words of an answer.")
    parser.add_argument("--max-ifd", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=4000)
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    made = corrupted(given.data, given.rows, given.longest, 0)
    file = given.into.resolve() / "corrupted.jsonl"
    keys = ("instruction", "input", "output")
    file.write_text("".join(json.dumps({key: row[key] for key in keys}) + "\n" for row in made), encoding="utf-8")
    (given.into / "recipe.yaml").write_text(RECIPE.format(file=file, max_ifd=given.max_ifd), encoding="utf-8")
    tuneworks(given.into, "build", str(given.into / "recipe.yaml"), "--update")
    found(given.into / "runs/corrupted", made)
    began = time.monotonic()
    tuneworks(
        given.into, "prove", "corrupted", "--arms", ARMS, "--seeds", str(given.seeds), "--tokens", str(given.tokens)
    )
    print(f"\nprove took {time.monotonic() - began:.0f} s")
    tell(given.into / "runs/corrupted", made)


def found(run: Path, made: list[dict[str, Any]]) -> None:
    """How many of the shuffled answers the filter found."""
    import polars as pl

    own = own_answers(made)
    counts = {}
    for name in ("records", "rejected"):
        rows = pl.read_parquet(run / "02-alpaca-perplexity" / f"{name}.parquet")
        right = sum((r["prompt"][-1]["content"], r["answers"][0]["text"]) in own for r in rows.iter_rows(named=True))
        counts[name] = (rows.height - right, right)
    columns = ("", "answers of others", "own answers")
    table("What the filter did", columns, [("kept", *counts["records"]), ("rejected", *counts["rejected"])])


def tell(run: Path, made: list[dict[str, Any]]) -> None:
    import polars as pl

    proof = json.loads((run / "prove/prove.json").read_text(encoding="utf-8"))
    rows = {
        row["id"]: (row["prompt"][-1]["content"], row["completion"][0]["content"]) in own_answers(made)
        for row in pl.read_parquet(run / "prove/rows/held-out.parquet").iter_rows(named=True)
    }
    for title, chosen in (
        ("All held-out rows", proof["held_out"]),
        ("Held-out rows with their own answer", [row for row in proof["held_out"] if rows[row["id"]]]),
    ):
        lines = []
        for arm in [line["arm"] for line in proof["arms"]]:
            losses, kept = ([row["losses"][name] for row in chosen] for name in (arm, "kept"))
            seeds = len(kept[0])
            each = [[(own * seeds)[:seeds] for own in losses][at] for at in range(len(chosen))]
            mean = sum(map(sum, each)) / (len(chosen) * seeds)
            apart = [[one[s] - other[s] for one, other in zip(each, kept, strict=True)] for s in range(seeds)]
            told = interval(apart, [row["group"] for row in chosen])
            said = "" if arm == "kept" else f"{told.mean:+.4f} [{told.low:+.4f}, {told.high:+.4f}]"
            lines.append((arm, f"{mean:.4f}", said))
        table(f"{title}: {len(chosen)}", ("arm", "held-out loss", "against kept, 95%"), lines)


if __name__ == "__main__":
    main()
