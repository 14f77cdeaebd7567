"""The report of a run: whole, in the middle and empty; what a record holds stays text; the same run, the same bytes."""

import base64
import hashlib
import json
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tuneworks.factory.errors import InputError
from tuneworks.factory.journal.schema import for_writing
from tuneworks.factory.record import Answer, Record, Rejected, from_table, to_rejected_table, to_table
from tuneworks.pipelines.dataset import write_dataset
from tuneworks.pipelines.recipe import Recipe, parse_recipe
from tuneworks.pipelines.report import write_report
from tuneworks.pipelines.report.contents import Contents, read_contents
from tuneworks.pipelines.run_folder import DATASET, JOURNAL, RECIPE
from tuneworks.pipelines.stages import MEASURES, VERDICTS, Step, steps_of, write_step

TEXT = """name: reported
sources:
  plain: {file: plain.jsonl, stages: [length]}
  harder: {file: harder.jsonl, stages: [evol_instruct]}
stages: [perplexity, semantic_duplicates]
datasets: [sft, preference]
holdout: 0
"""
HOSTILE = 'Write </script><img src=x onerror=alert(1)><!-- a poem about <b>rivers</b> & "seas".'
PARTS = ("dataset", "funnel", "sources", "distributions", "wheel", "map", "trees", "samples", "pairs", "cost")
ASKED = [
    *("Write a poem about a lake.", "Name three rivers of Europe.", "Explain the rules of chess.", HOSTILE),
    *(
        "Describe a quiet morning.",
        "Write a story about two owls.",
        "List five kinds of bread.",
        "写一首关于大海的诗。",
    ),
    *("Translate the sentence into French.", "What is the capital of Peru?", "Compare tea with coffee.", "Short."),
]


def answers(number: int) -> list[Answer]:
    return [Answer(f"Answer {number} has {n} words more.", "model", {"reward": number % 4 + n}) for n in (1, 2)]


def task(number: int, source: str, text: str = "") -> Record:
    asked = text or f"{ASKED[number % len(ASKED)]} Number {number}."
    return Record.born(asked, source=source).with_answers(answers(number))


def evolved(parent: Record, round_: int, more: str) -> Record:
    text = f"{parent.prompt_text} {more}"
    facts = {"operator": "deepen" if round_ == 1 else "breadth", "round": round_, "depth": round_, "instruction": text}
    made = Record.born(text, source=parent.source, parents=(parent.id,), meta=facts)
    return made.with_answers(answers(round_))


def filtered(
    folder: Path, step: Step, table: pl.DataFrame, reasons: dict[str, str], **more: str | None
) -> pl.DataFrame:
    """The step in which the records of these ids go; `more` is what it knows of all of them."""
    verdicts = table.select("id", reason=pl.col("id").replace_strict(reasons, default=None, return_dtype=pl.String))
    verdicts = verdicts.with_columns(**{name: pl.lit(value, pl.String) for name, value in more.items()})
    stays = verdicts["reason"].is_null()
    facts = {"stage": pl.lit(step.title), "part": pl.lit("record"), "reason": verdicts["reason"].filter(~stays)}
    gone = table.filter(~stays).with_columns(**facts)
    write_step(folder / step.folder, step, table.height, table.filter(stays), gone, time.monotonic())
    verdicts.write_parquet(folder / step.folder / VERDICTS)
    return table.filter(stays)


def measured(folder: Path, step: Step, table: pl.DataFrame, **columns: pl.Series) -> None:
    (folder / step.folder).mkdir(parents=True)
    table.select("id").with_columns(**columns).write_parquet(folder / step.folder / MEASURES)


def whole_run(folder: Path, dimensions: int = 8) -> Path:
    """A run with two sources, evolution trees, measures, a dataset and a journal, without a model."""
    folder.mkdir(parents=True)
    (folder / RECIPE).write_text(TEXT, encoding="utf-8")
    recipe = parse_recipe(TEXT, RECIPE)
    plain, length, harder, evolving, mixed, perplexity, semantic = steps_of(recipe)
    nothing, began = to_rejected_table([]), time.monotonic()
    tasks = [task(n, "plain") for n in range(40)]
    write_step(folder / plain.folder, plain, 40, to_table(tasks), nothing, began)
    short = {r.id: f"the word count of the prompt is {n}, under 6" for n, r in enumerate(tasks[:5], 1)}
    table = filtered(folder, length, to_table(tasks), short)
    table = pl.concat([table, evolution(folder, harder, evolving)])
    table = filtered(folder, mixed, table, {})
    rng = np.random.default_rng(0)
    told = {name: pl.Series(rng.lognormal(1, 0.5, table.height)) for name in ("perplexity", "ifd", "zlib")}
    measured(folder, perplexity, table, **told)
    table = filtered(folder, perplexity, table, {row: "too hard: 40.5" for row in table["id"][6:12]})
    vectors = pl.Series(rng.normal(size=(table.height, dimensions)), dtype=pl.Array(pl.Float32, dimensions))
    measured(folder, semantic, table, embedding=vectors)
    first, second = table["id"][0], table["id"][1]
    left = filtered(folder, semantic, table, {second: f"cosine 0.95 to the kept record {first}"}, nearest=first)
    write_dataset(from_table(left), recipe, folder / DATASET)
    journal(folder, recipe)
    return folder


def evolution(folder: Path, harder: Step, evolving: Step) -> pl.DataFrame:
    starts = [task(n, "harder", f"Evolve this one, number {n}.") for n in range(6)]
    write_step(folder / harder.folder, harder, 6, to_table(starts), to_rejected_table([]), time.monotonic())
    ones = [evolved(start, 1, "Say why.") for start in starts]
    twos = [evolved(one, 2, "Give two reasons.") for one in ones[:2]]
    gone = [Rejected(evolved(one, 2, "Same."), evolving.title, "the same words as before", "reply") for one in ones[3:]]
    unread = Record.born("Rewrite this.", parents=(twos[0].id,), meta={"operator": "breadth", "round": 3})
    unread = unread.with_answers([Answer("Sorry, I cannot.", "model")])
    gone.append(Rejected(unread, evolving.title, "the reply holds no request", "reply"))
    gone.append(Rejected(ones[0].with_answers([Answer("Cut o")]), evolving.title, "cut off after 9 tokens", "answer"))
    kept = to_table([*starts, *ones, *twos])
    write_step(folder / evolving.folder, evolving, 6, kept, to_rejected_table(gone), time.monotonic())
    return kept


def journal(folder: Path, recipe: Recipe) -> None:
    columns = "key, engine, run, at, seconds, prompt_tokens, completion_tokens, usd, finish, log_probs, text, request"
    row = ("k", "server:model", recipe.name, 1.8e9, 2.5, 300, 100, 0.25, "stop", "[]", "Yes.", '{"messages": []}')
    db = for_writing(folder / JOURNAL)
    db.execute(f"INSERT INTO calls ({columns}) VALUES ({', '.join('?' * 12)})", row)
    db.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("runs") / "reported")


@pytest.fixture(scope="module")
def held(run: Path) -> Contents:
    return read_contents(run)


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


class Read(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_a_whole_run_has_every_part(page: str) -> None:
    read = Read(page)
    assert [one["id"] for one in read.named("section")] == list(PARTS)
    assert "Not made yet" not in page and "warning" not in [e.get("class") for e in read.named("div")]
    assert 'datasets.load_dataset("runs/reported/dataset", "sft", split="train")' in read.text
    assert "tokens400" in read.text and "paid0.2500 USD" in read.text
    assert {link["href"] for link in read.named("a")} <= {f"#{part}" for part in PARTS}


def test_what_a_record_holds_stays_text(page: str) -> None:
    read = Read(page)
    assert not read.named("img") and "<b>rivers" not in page
    assert len(read.named("script")) == 2, "the map's data and the script of the page"
    assert not [1 for _, attributes in read.elements for name in attributes if name.startswith("on")]
    data = re.search(r'id="map-data">(.*?)</script>', page, re.DOTALL)
    assert data and any(HOSTILE in text for text in json.loads(data[1])["texts"])
    assert HOSTILE in read.text


def test_the_page_asks_for_nothing_and_runs_only_its_own_script(page: str) -> None:
    read = Read(page)
    policy = next(m["content"] for m in read.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert policy and script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}';" in policy
    assert not [a for _, a in read.elements for name in ("src", "action", "srcset") if name in a]
    assert not re.search(r"@import|url\(", page)


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(run: Path, page: str, tmp_path: Path) -> None:
    moved = shutil.copytree(run, tmp_path / "other" / run.name)
    assert write_report(moved).read_text(encoding="utf-8") == page


def test_a_run_in_the_middle_tells_what_is_missing(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / RECIPE, tmp_path)
    shutil.copytree(run / "03-harder-file", tmp_path / "03-harder-file")
    table = pl.read_parquet(tmp_path / "03-harder-file" / "records.parquet")
    table.head(3).write_parquet(tmp_path / "03-harder-file" / "records.parquet")  # too few for a map
    text = Read(write_report(tmp_path).read_text(encoding="utf-8")).text
    assert "Not made yet: plain.file, plain.length, harder.evol_instruct, mix, perplexity, semantic_dup" in text
    for said in ("no dataset yet", "no journal", "not mixed yet", "No step measured perplexity", "needs 4 records"):
        assert said in text, said


def test_a_run_with_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / RECIPE).write_text(TEXT, encoding="utf-8")
    text = Read(write_report(tmp_path).read_text(encoding="utf-8")).text
    assert "No step is made yet." in text and "There is no record to show yet." in text


def test_a_run_of_no_records(tmp_path: Path) -> None:
    (tmp_path / RECIPE).write_text(TEXT, encoding="utf-8")
    recipe = parse_recipe(TEXT, RECIPE)
    for step in steps_of(recipe):
        write_step(tmp_path / step.folder, step, 0, to_table([]), to_rejected_table([]), time.monotonic())
    write_dataset([], recipe, tmp_path / DATASET)
    text = Read(write_report(tmp_path).read_text(encoding="utf-8")).text
    assert "0 records are left." in text and "The dataset holds no row." in text


def test_a_recipe_that_names_what_is_not_installed_is_still_reported(run: Path, tmp_path: Path) -> None:
    there = shutil.copytree(run, tmp_path / "run")
    (there / RECIPE).write_text(TEXT.replace("perplexity", "other_plugin"), encoding="utf-8")
    text = Read(write_report(there).read_text(encoding="utf-8")).text
    assert "names something that is not installed" in text and "Not made yet" not in text
    assert "What the operators of harder.evol_instruct made" in text


def test_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run in"):
        write_report(tmp_path)
    (tmp_path / RECIPE).write_text("a: [", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        write_report(tmp_path)


def test_a_report_that_cannot_be_written_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / RECIPE).write_text(TEXT, encoding="utf-8")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_report(tmp_path)
    assert not list(tmp_path.glob("*.part"))
