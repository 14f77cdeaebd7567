"""Limits of a run: it stops by no more than the calls under way, keeps all it has, and says what more would buy."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import ClassVar

import pytest
from scripted_line import RECIPE, ScriptedLine, reply, scripted_recipe
from silent import Silent
from test_run import built, dataset_bytes

from tuneworks.factory.budget import Budget
from tuneworks.factory.engine import Completion, Engine, EngineOptions, Request, Usage
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import BudgetReached, RecipeError
from tuneworks.pipelines.limits import Progress, engines_of, stopped
from tuneworks.pipelines.models import Asking
from tuneworks.pipelines.recipe import Recipe, parse_recipe, with_limits
from tuneworks.pipelines.run import build, check
from tuneworks.pipelines.run_folder import opened
from tuneworks.pipelines.stages import read_records

CENT = Usage(60, 40, 0.01)
IN_FLIGHT = 4


class Priced(EngineOptions):
    """The scripted model behind a door for four at a time, each call for a cent and 100 tokens."""

    kind: ClassVar[str] = "priced"

    def open(self) -> "Slow":
        return Slow()


class Slow(Engine):
    def __init__(self) -> None:
        self.name = "priced"
        self._door = asyncio.Semaphore(IN_FLIGHT)

    async def complete(self, request: Request) -> Completion:
        async with self._door:
            self.budget.admit()
            await asyncio.sleep(0.001)
            said = reply(request)
            return (
                Completion(said, usage=CENT) if isinstance(said, str) else Completion("", "stop", CENT, said.log_probs)
            )

    async def close(self) -> None:
        return None


def priced(**limits: float) -> Recipe:
    return with_limits(scripted_recipe().model_copy(update={"engine": Priced()}), **limits)


def spent(folder: Path) -> tuple[int, float]:
    with sqlite3.connect(folder / "journal.sqlite") as db:
        row = db.execute("SELECT sum(prompt_tokens + completion_tokens), sum(usd) FROM calls").fetchone()
    return int(row[0]), float(row[1])


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"usd": 0.3}, r"the limit of 0.3 USD is reached, with 0.3\d00 spent, after \d+ calls of made.self_instruct; "),
        (
            {"tokens": 3000},
            r"the limit of 3,000 tokens is reached, with 3,\d00 used, after .*1,000,000 tokens more would ",
        ),
    ],
)
def test_a_limit_stops_within_the_calls_in_flight_and_more_of_it_goes_on(
    tmp_path: Path, limits: dict[str, float], said: str
) -> None:
    whole = built(priced(), tmp_path / "whole")
    folder = tmp_path / "limited"
    with pytest.raises(BudgetReached, match=said):
        built(priced(**limits), folder)
    tokens, usd = spent(folder)
    assert 3000 <= tokens <= 3000 + 100 * (IN_FLIGHT - 1) and usd == pytest.approx(tokens / 10_000)
    with pytest.raises(BudgetReached, match="nothing more was asked"):  # what earlier builds spent counts
        built(priced(**limits), folder)
    resumed = built(priced(usd=100), folder)
    assert resumed.asked == whole.asked - tokens // 100
    assert dataset_bytes(folder) == dataset_bytes(tmp_path / "whole")


def test_money_that_is_reported_is_what_the_journal_holds(tmp_path: Path) -> None:
    result = built(priced(), tmp_path)
    assert result.usd == pytest.approx(spent(tmp_path)[1]) == pytest.approx(0.01 * result.asked)


def test_hours_end_a_build(tmp_path: Path) -> None:
    with pytest.raises(BudgetReached, match=r"the limit of 1e-08 hours is reached, after"):
        built(priced(hours=1e-8), tmp_path)


def test_what_one_more_unit_buys() -> None:
    at = Progress("made.answer")
    for _ in range(3):
        at.reply(Usage(500, 500, 0.25), replayed=False)
    at.reply(Usage(500, 500, 0.25), replayed=True)
    assert "after 4 calls of made.answer; 1 USD more would buy about 4 of them" in str(
        stopped("usd", Budget(max_usd=1), at)
    )
    assert "1,000,000 tokens more would buy about 1,000 of them" in str(stopped("tokens", Budget(max_tokens=1), at))


def test_few_rows_go_through_every_stage(tmp_path: Path) -> None:
    few = with_limits(scripted_recipe(), rows=6)
    result = dict(built(few, tmp_path).steps)
    assert result["made.self_instruct"].kept <= 6 and result["made.best_of_n"].taken <= 6
    more = built(scripted_recipe(), tmp_path)  # the same run, now in full: what was asked is not asked again
    assert dict(more.steps)["made.best_of_n"].taken > 6 and more.replayed > 0


def test_a_row_limit_draws_by_the_seed(tmp_path: Path) -> None:
    rows = [{"prompt": f"Name {n} rivers.", "completion": "Rhine."} for n in range(200)]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    text = f"name: a\nsources: {{mine: {{file: {tmp_path / 'mine.jsonl'}, stages: [answer]}}}}\nlimits: {{rows: 5}}"

    def answered(seed: int) -> set[str]:
        folder = tmp_path / str(seed)
        built(parse_recipe(text, "r").model_copy(update={"engine": Answering(), "seed": seed}), folder)
        return set(read_records(folder / "02-mine-answer")["id"])

    assert len(answered(1)) == len(answered(2)) == 5 and answered(1) != answered(2)


class Answering(EngineOptions):
    """Says the same to all."""

    kind: ClassVar[str] = "answering"
    said: str = "The Elbe is one of them."
    name: str = "answering"

    def open(self) -> Scripted:
        return Scripted(lambda request: self.said, self.name)


class Unpriced(ScriptedLine):
    kind: ClassVar[str] = "unpriced"

    def require_price(self) -> None:
        raise RecipeError("no price is known")


def test_money_can_only_be_limited_where_prices_are_known() -> None:
    recipe = scripted_recipe().model_copy(update={"engine": Unpriced()})
    check(recipe)
    with pytest.raises(RecipeError, match="no price is known"):
        check(with_limits(recipe, usd=1))


TWO_ENGINES = """name: two
engine: {openai: {model: small, base_url: "http://127.0.0.1:9/v1"}}
sources:
  made:
    seeds: builtin
    stages:
      - answer: {engine: {openai: {model: large, base_url: "http://127.0.0.1:9/v1"}}}
      - best_of_n: {n: 2, reward: {judge: {engine: {openai: {model: judge, base_url: "http://127.0.0.1:9/v1"}}}}}
"""


def test_stages_and_judges_may_name_their_own_engine() -> None:
    recipe = parse_recipe(TWO_ENGINES, "r.yaml")
    assert [engine.written()["openai"]["model"] for engine in engines_of(recipe)] == ["small", "large", "judge"]
    with pytest.raises(RecipeError, match=r"line 7: openai has no option 'modle'; did you mean 'model'"):
        parse_recipe(TWO_ENGINES.replace("{model: large", "{modle: large"), "r.yaml")


def test_each_engine_answers_where_it_is_named_and_all_are_in_one_journal(tmp_path: Path) -> None:
    recipe = scripted_recipe(RECIPE.replace("- best_of_n: {n: 3}", "- answer\n      - best_of_n: {n: 2}"))
    *before, answer, best = recipe.sources["made"].stages
    large = Answering(said="A long and thorough answer.", name="large")
    judge = Priced()
    stages = (
        *before,
        answer.model_copy(update={"engine": large}),
        best.model_copy(update={"reward": best.reward.model_copy(update={"engine": judge})}),
    )
    sources = {"made": recipe.sources["made"].model_copy(update={"stages": stages})}
    built(recipe.model_copy(update={"sources": sources}), tmp_path)
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        calls = dict(db.execute("SELECT engine, count(*) FROM calls GROUP BY engine"))
        judged = db.execute("SELECT count(*) FROM calls WHERE engine = 'priced' AND log_probs != '{}'").fetchone()[0]
    assert set(calls) == {"scripted", "large", "priced"} and judged == calls["priced"]


def test_pace_may_change_between_builds_and_the_model_may_not(tmp_path: Path) -> None:
    text = TWO_ENGINES.split("sources:")[0] + "sources: {mine: {seeds: builtin}}\n"
    with opened(parse_recipe(text, "r"), tmp_path, update=False):
        pass
    with opened(parse_recipe(text.replace('v1"', 'v1", in_flight: 7, timeout: 5'), "r"), tmp_path, update=False):
        pass
    other = parse_recipe(text.replace("small", "tiny") + "limits: {usd: 3}\n", "r")
    with pytest.raises(RecipeError, match=r"differs in engine\)"), opened(other, tmp_path, update=False):
        pass


def test_recipes_that_share_a_journal_ask_once(tmp_path: Path) -> None:
    shared = Asking(journal=tmp_path / "shared.sqlite")

    def build_in(name: str) -> tuple[int, int]:
        recipe = priced().model_copy(update={"name": name})
        with opened(recipe, tmp_path / name, update=False):
            result = asyncio.run(build(recipe, tmp_path / name, Silent(), shared))
        return result.asked, result.replayed

    first, second = build_in("one"), build_in("two")
    assert first[0] > 0 and second == (0, sum(first))
    assert dataset_bytes(tmp_path / "one") == dataset_bytes(tmp_path / "two")
    assert not (tmp_path / "one" / "journal.sqlite").exists()


def test_a_run_is_built_from_its_journal_alone(tmp_path: Path) -> None:
    built(priced(), tmp_path / "one")
    asking = Asking(journal=tmp_path / "one" / "journal.sqlite", replay=True)
    with opened(priced(), tmp_path / "two", update=False):
        again = asyncio.run(build(priced(), tmp_path / "two", Silent(), asking))
    assert again.asked == 0 and again.replayed > 0
    assert dataset_bytes(tmp_path / "one") == dataset_bytes(tmp_path / "two")
