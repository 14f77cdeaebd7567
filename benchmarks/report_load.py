"""The report of a large run: how long it takes to write, and how long a browser takes to open it.

The run is written as a build leaves it, with texts put together out of the packaged seed tasks: two sources, one of
them evolved in three rounds, a mixture, and filters, of which two keep perplexities and embeddings. Its journal and its
dataset are real files, too; no model is asked.

    python benchmarks/report_load.py --rows 50000
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measuring import cost, table
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tuneworks.factory.journal.schema import for_writing
from tuneworks.factory.record import Answer, Record, Rejected, from_table, to_rejected_table, to_table
from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines.dataset import write_dataset
from tuneworks.pipelines.recipe import Recipe, parse_recipe, written
from tuneworks.pipelines.report import write_report
from tuneworks.pipelines.run_folder import DATASET, JOURNAL, RECIPE
from tuneworks.pipelines.stages import MEASURES, VERDICTS, Step, read_records, steps_of, write_step

TEXT = """name: large
sources:
  written: {file: written.jsonl, stages: [length]}
  harder: {file: harder.jsonl, stages: [evol_instruct: {rounds: 3}]}
stages: [exact_duplicates, perplexity, semantic_duplicates]
datasets: [sft, preference]
holdout: 0
"""
OPERATORS = ("constraints", "deepen", "concretise", "reasoning", "complicate_input", "breadth")
LOST = 0.05
"""Share of its records that each filter rejects."""
DIMENSIONS, SUBJECTS, SPREAD = 384, 60, 3.0
CALLS = 100_000
OPENED = 3


class Texts:
    """Tasks and answers out of the sentences of the seeds, each different from all others."""

    def __init__(self) -> None:
        self._seeds = [*read_seeds("builtin", ""), *read_seeds("builtin-zh", "")]
        self._rng = random.Random(0)

    def task(self, source: str) -> Record:
        seed, number = self._rng.choice(self._seeds), self._rng.randrange(10**9)
        more = " ".join(self._sentence() for _ in range(self._rng.randrange(3)))
        return Record.born(f"{seed.instruction} {more} ({number})", source=source).with_answers(self._answers())

    def evolved(self, parent: Record, round_: int) -> Record:
        about = {"operator": self._rng.choice(OPERATORS), "round": round_, "depth": round_}
        text = f"{parent.prompt_text} {self._sentence()}"
        child = Record.born(text, source=parent.source, parents=(parent.id,), meta={**about, "instruction": text})
        return child.with_answers(self._answers())

    def _answers(self) -> list[Answer]:
        texts = (" ".join(self._sentence() for _ in range(self._rng.randrange(1, 6))) for _ in range(3))
        return [Answer(text, "model", {"reward": self._rng.gauss(3, 1)}) for text in texts]

    def _sentence(self) -> str:
        return self._rng.choice(self._seeds).answers[0].text[:120]


def large_run(folder: Path, rows: int) -> None:
    """A run of which so many records are left at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = parse_recipe(TEXT, RECIPE)
    (folder / RECIPE).write_text(written(recipe))
    plain, length, harder, evolving, mixed, *filters = steps_of(recipe)
    texts, began = Texts(), time.monotonic()
    each = round(rows / (1 - LOST) ** len(filters) / 2)
    tasks = to_table(texts.task("written") for _ in range(round(each / (1 - LOST))))
    write_step(folder / plain.folder, plain, tasks.height, tasks, to_rejected_table([]), began)
    _filter(folder, length, tasks, each)
    starts = [texts.task("harder") for _ in range(-(-each // 4))]
    write_step(folder / harder.folder, harder, len(starts), to_table(starts), to_rejected_table([]), began)
    lines = [record for start in starts for record in _line(texts, start)]
    gone = [Rejected(texts.evolved(s, 1), evolving.title, "the same words as before", "reply") for s in starts[::3]]
    evolved = to_table(lines).head(each)
    write_step(folder / evolving.folder, evolving, len(starts), evolved, to_rejected_table(gone), began)
    table = pl.concat([read_records(folder / length.folder), evolved])
    left = _filter(folder, mixed, table, table.height)
    for step, wanted in zip(filters, _shrinking(left.height, rows, len(filters)), strict=True):
        _measures(folder / step.folder, step, left)
        left = _filter(folder, step, left, wanted)
    write_dataset(from_table(left), recipe, folder / DATASET)
    _journal(folder / JOURNAL, recipe)


def _line(texts: Texts, start: Record) -> list[Record]:
    line = [start]
    for round_ in (1, 2, 3):
        line.append(texts.evolved(line[-1], round_))
    return line


def _shrinking(begin: int, end: int, times: int) -> list[int]:
    return [round(begin + (end - begin) * (at + 1) / times) for at in range(times)]


def _filter(folder: Path, step: Step, table: pl.DataFrame, wanted: int) -> pl.DataFrame:
    """The step that keeps so many, drawn; each reason has a number of its own."""
    draw = random.Random(step.title)
    lost = set(draw.sample(range(table.height), table.height - wanted))
    reasons = [f"measured {draw.random():.3f}, above {LOST}" if at in lost else None for at in range(table.height)]
    verdicts = table.select("id").with_columns(reason=pl.Series(reasons, dtype=pl.String))
    stays = verdicts["reason"].is_null()
    facts = {"stage": pl.lit(step.title), "part": pl.lit("record"), "reason": verdicts["reason"].filter(~stays)}
    gone = table.filter(~stays).with_columns(**facts)
    write_step(folder / step.folder, step, table.height, table.filter(stays), gone, time.monotonic())
    verdicts.write_parquet(folder / step.folder / VERDICTS)
    return table.filter(stays)


def _measures(folder: Path, step: Step, table: pl.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    measures = table.select("id")
    if step.title == "perplexity":
        perplexity = pl.Series(rng.lognormal(2, 0.8, table.height))
        ifd, zlib = (pl.Series(rng.beta(*shape, table.height)) for shape in ((5, 3), (6, 4)))
        measures = measures.with_columns(perplexity=perplexity, ifd=ifd, zlib=zlib)
    if step.title == "semantic_duplicates":
        centres = rng.normal(size=(SUBJECTS, DIMENSIONS))
        vectors = centres[rng.integers(SUBJECTS, size=table.height)]
        vectors += SPREAD * rng.normal(size=vectors.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        held = pl.Series(vectors.astype(np.float32), dtype=pl.Array(pl.Float32, DIMENSIONS))
        measures = measures.with_columns(embedding=held)
    measures.write_parquet(folder / MEASURES)


def _journal(path: Path, recipe: Recipe) -> None:
    columns = "key, engine, run, at, seconds, prompt_tokens, completion_tokens, usd, finish, log_probs, text, request"
    request = '{"messages": [{"role": "user", "content": "Name a river."}]}'
    rows = (
        (f"{n:016x}", f"server:model-{n % 3}", recipe.name, 1.8e9 + n, 1 + n % 7, 200 + n % 50, 90 + n % 40, 1e-5,
         "stop", "[]", f"An answer, {n}.", request)
        for n in range(CALLS)
    )  # fmt: skip
    with closing(for_writing(path)) as db:
        db.execute("BEGIN")
        db.executemany(f"INSERT INTO calls ({columns}) VALUES ({', '.join('?' * 12)})", rows)
        db.execute("COMMIT")


def opened(page: Path) -> tuple[float, float]:
    """Milliseconds until the page's load event and its first paint, in a new browser each time; the medians."""
    load, paint = zip(*(_timed(page) for _ in range(OPENED)), strict=True)
    return statistics.median(load), statistics.median(paint)


def _timed(page: Path) -> Any:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    # The driver is named too: Selenium would ask a server which one to take.
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.get(page.resolve().as_uri())
        return browser.execute_async_script(
            "const done = arguments[0], page = performance.getEntriesByType('navigation')[0];"
            "new PerformanceObserver((list) => done([page.loadEventEnd, list.getEntries()[0].startTime]))"
            ".observe({type: 'paint', buffered: true});"
        )
    finally:
        browser.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 50_000])
    lines: list[tuple[object, ...]] = []
    for rows in parser.parse_args().rows:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "large"
            cost(large_run, folder, rows, threads=2)  # a process of its own: what it held would count for its children
            writing = cost(write_report, folder, threads=2)
            page = folder / "report.html"
            size = page.stat().st_size / 1024
            lines.append((f"{rows:,}", writing.wall, writing.peak_mb, size, *opened(page)))
    columns = ("rows", "seconds to write", "peak MB", "page KB", "ms to load event", "ms to first paint")
    table("The report: written, and opened in Chromium (median of 3)", columns, lines)


if __name__ == "__main__":
    main()
