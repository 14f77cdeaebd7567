"""Every method's built-in recipe, built for real: time, calls, and what each step kept and rejected.

    python benchmarks/methods.py                                        # on the embedded model, in this process
    python benchmarks/methods.py --base-url http://127.0.0.1:8000/v1    # on a server, replies held to JSON Schema

Some recipes alone: name them after the options.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tuneworks.pipelines.reading import dataset_rows, steps_made
from tuneworks.pipelines.recipe import builtin_recipes, recipe_path

WHOLE_LINE = "quickstart"
LONGEST = 600
"""Seconds a recipe may take on two cores."""


def recipe_for(name: str, base_url: str | None, model: str, folder: Path) -> Path:
    """The built-in recipe, with the server for its engine where one is given."""
    recipe = yaml.safe_load(recipe_path(name).read_text(encoding="utf-8"))
    if base_url:
        recipe["engine"] = {"openai": {"model": model, "base_url": base_url}}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def journal_counts(run: Path) -> tuple[int, int, int]:
    """(calls, those held to a schema, tokens written) in a run's journal."""
    with sqlite3.connect(f"file:{run / 'journal.sqlite'}?mode=ro", uri=True) as db:
        held = 'SELECT count(*), coalesce(sum(request LIKE \'%"schema": "{%\'), 0), sum(completion_tokens) FROM calls'
        calls, schemas, tokens = db.execute(held).fetchone()
    return int(calls), int(schemas), int(tokens or 0)


def measured(name: str, base_url: str | None, model: str) -> bool:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = recipe_for(name, base_url, model, folder)
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        command = [sys.executable, "-m", "tuneworks", "build", str(path), "--no-train"]
        began = time.monotonic()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        seconds = time.monotonic() - began
        if done.returncode:
            print(f"| {name} | failed: {(done.stdout + done.stderr).strip().splitlines()[-1]} | | | | |", flush=True)
            return False
        run = folder / "runs" / name
        calls, schemas, tokens = journal_counts(run)
        steps = [
            f"{step.title} {step.counts.kept} of {step.counts.kept + step.counts.rejected}"
            + (f" ({step.counts.aside} replies or answers aside)" if step.counts.aside else "")
            for step in steps_made(run)
        ]
        rows = ", ".join(f"{view} {sum(sides.values())}" for view, sides in dataset_rows(run).items())
        print(f"| {name} | {seconds:.0f} | {calls} | {schemas} | {tokens} | {'; '.join(steps)} | {rows} |", flush=True)
        return seconds <= LONGEST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", help="an OpenAI-compatible server")
    parser.add_argument("--model", default="smollm2", help="the model's name on the server")
    parser.add_argument("recipes", nargs="*", help="all but quickstart where none is named")
    options = parser.parse_args()
    names = options.recipes or [name for name in builtin_recipes() if name != WHOLE_LINE]
    print("| recipe | seconds | calls | held to a schema | tokens written | kept by each step | rows |")
    print("|---|---|---|---|---|---|---|", flush=True)
    fine = [measured(name, options.base_url, options.model) for name in names]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
