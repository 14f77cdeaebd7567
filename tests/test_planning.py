"""Planning: what a pilot predicts of a run, held against the run itself."""

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pytest
from priced_line import Priced, priced_recipe
from rich.console import Console
from silent import Silent

from tuneworks.factory.engine import Completion
from tuneworks.factory.journal import Journal
from tuneworks.pipelines import planning_pages
from tuneworks.pipelines.planning import Plan, Range, plan
from tuneworks.pipelines.recipe import Recipe, parse_recipe, with_limits
from tuneworks.pipelines.run import build
from tuneworks.pipelines.stages import Counts

FILTERS_ALONE = """
name: filtered
sources:
  given:
    file: FILE
    stages:
      - length: {min_words: 6, max_words: 60}
stages:
  - exact_duplicates
"""


class Counting(Silent):
    def __init__(self) -> None:
        self.calls = self.tokens = self.kept = 0

    def reply(self, reply: Completion, replayed: bool) -> None:
        self.calls += not replayed
        self.tokens += 0 if replayed else reply.usage.prompt_tokens + reply.usage.completion_tokens

    def done(self, title: str, counts: Counts, reused: bool) -> None:
        self.kept = counts.kept


def planned(recipe: Recipe, folder: Path, rows: int = 30) -> tuple[Plan, Counting]:
    counting = Counting()
    return asyncio.run(plan(recipe, folder, rows, counting)), counting


def printed(made: Plan) -> str:
    console = Console(file=io.StringIO(), width=100)
    planning_pages.plan(console, made)
    said = console.file
    assert isinstance(said, io.StringIO)
    return said.getvalue()


def given(folder: Path, rows: list[str]) -> Path:
    path = folder / "given.jsonl"
    path.write_text("".join(f'{{"instruction": "{row}"}}\n' for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("trial", [2, 3])
def test_what_a_run_asks_and_keeps_lies_in_the_plans_intervals(trial: int, tmp_path: Path) -> None:
    recipe = priced_recipe(trial, tmp_path)
    made, piloted = planned(recipe, tmp_path / "planned")
    counting = Counting()
    built = asyncio.run(build_in(tmp_path / "whole", recipe, counting))
    truth = {"calls": counting.calls, "tokens": counting.tokens, "usd": built, "rows": counting.kept}
    total = made.total
    expected = {"calls": total.calls, "tokens": total.tokens, "usd": total.usd, "rows": made.rows}
    assert {name for name, held in expected.items() if not held.low <= truth[name] <= held.high} == set()
    assert max(held.high / held.low for held in expected.values()) < 3
    assert piloted.calls == made.pilot.calls < truth["calls"] / 2


async def build_in(folder: Path, recipe: Recipe, counting: Counting) -> float:
    folder.mkdir()
    return (await build(recipe, folder, counting)).usd


def test_a_pilot_is_made_once_and_the_run_pays_none_of_its_calls_again(tmp_path: Path) -> None:
    recipe, run = priced_recipe(3, tmp_path), tmp_path / "run"
    first, asked = planned(recipe, run)
    again, not_asked = planned(recipe, run)
    assert again == first
    assert asked.calls > 0 and not_asked.calls == 0
    assert sorted(path.name for path in run.iterdir() if path.is_dir()) == ["pilot"]
    counting = Counting()
    asyncio.run(build(recipe, run, counting))
    journal = Journal(run / "journal.sqlite")
    assert journal.counts().repeated == 0
    assert journal.counts().calls == asked.calls + counting.calls
    journal.close()


def test_another_pilot_size_or_recipe_is_another_pilot(tmp_path: Path) -> None:
    recipe, run = priced_recipe(3, tmp_path), tmp_path / "run"
    planned(recipe, run, 10)
    assert planned(recipe, run, 20)[1].calls > 0
    assert planned(recipe.model_copy(update={"seed": 99}), run, 20)[1].calls > 0


def test_a_source_smaller_than_the_pilot_is_planned_exactly(tmp_path: Path) -> None:
    rows = [f"name the fish number {at} that swims in the lake" for at in range(15)]
    text = FILTERS_ALONE.replace("FILE", str(given(tmp_path, rows))) + "  - answer\n"
    recipe = parse_recipe(text, "recipe.yaml").model_copy(update={"engine": Priced(trial=0)})
    made, _ = planned(recipe, tmp_path / "run")
    assert made.total.calls == Range(15, 15, 15)
    assert made.total.usd.exact and made.rows.exact


def test_a_recipe_that_asks_no_model_says_so_and_how_many_rows_stay(tmp_path: Path) -> None:
    rows = [f"name the fish number {at} that swims" for at in range(50)] + ["too short"] * 5
    recipe = parse_recipe(FILTERS_ALONE.replace("FILE", str(given(tmp_path, rows))), "recipe.yaml")
    said = printed(planned(recipe, tmp_path / "run")[0])
    assert "No model is asked: 50 rows kept" in said
    assert "USD" not in said and "calls" not in said


@pytest.mark.real
def test_a_mixture_by_tokens_is_planned_by_the_length_of_its_records(tmp_path: Path) -> None:
    rows = [f"name the fish number {at} that swims in the lake {'and the sea ' * (at % 3)}" for at in range(3000)]
    text = FILTERS_ALONE.replace("FILE", str(given(tmp_path, rows))) + "  - answer\nmix: {by: tokens, size: 4000}\n"
    recipe = parse_recipe(text, "recipe.yaml").model_copy(update={"engine": Priced(trial=0)})
    made, _ = planned(recipe, tmp_path / "planned")
    counting = Counting()
    asyncio.run(build_in(tmp_path / "whole", recipe, counting))
    assert made.total.calls.low <= counting.calls <= made.total.calls.high < 1.2 * counting.calls


def test_a_step_that_keeps_nothing_gets_an_upper_bound_and_what_follows_is_unknown(tmp_path: Path) -> None:
    text = FILTERS_ALONE.replace("FILE", str(given(tmp_path, ["too short"] * 60))) + "  - answer\n"
    recipe = parse_recipe(text, "recipe.yaml").model_copy(update={"engine": Priced(trial=0)})
    made, counting = planned(recipe, tmp_path / "run")
    said = " ".join(printed(made).split())
    assert "given.length kept none of 60 records in the pilot: it keeps at most 4.9%, by 95%." in said
    assert "No record of the pilot came to" in said and "answer" in said
    assert counting.calls == 0


def test_a_limit_that_ends_the_run_is_said(tmp_path: Path) -> None:
    recipe = priced_recipe(3, tmp_path)
    made, _ = planned(recipe, tmp_path / "run")
    limited = with_limits(recipe, tokens=int(made.total.tokens.low / 2))
    again, _ = planned(limited, tmp_path / "run")
    assert any("tokens stops the run before it is whole in 100% of the cases" in note for note in again.notes)


def test_a_free_model_costs_nothing_and_money_is_not_shown(tmp_path: Path) -> None:
    made, _ = planned(priced_recipe(3, tmp_path), tmp_path / "run")
    zero = Range(0.0, 0.0, 0.0)
    free = replace(made, total=replace(made.total, usd=zero))
    assert "USD" in printed(made) and "About" in printed(free)
    assert "USD" not in printed(free).split("About")[0]
