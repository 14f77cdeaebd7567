"""Runs over a scripted model: whole, resumed, changed, locked."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from scripted_line import RECIPE, ScriptedLine, reply, scripted_recipe
from silent import Silent

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineUnavailable, InputError, RecipeError
from tuneworks.factory.journal import Journal
from tuneworks.factory.record import from_table
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.recipe import Recipe, parse_recipe
from tuneworks.pipelines.run import Built, build
from tuneworks.pipelines.run_folder import opened
from tuneworks.pipelines.stages import read_records, steps_of


class Dying(ScriptedLine):
    """Answers so many requests, then the server is gone."""

    left: list[int]

    def open(self) -> Scripted:
        def answer(request: Request) -> str | Completion:
            if self.left[0] == 0:
                raise EngineUnavailable("no server answers; start it")
            self.left[0] -= 1
            return reply(request)

        return Scripted(answer)


def built(recipe: Recipe, folder: Path, update: bool = False) -> Built:
    with opened(recipe, folder, update):
        return asyncio.run(build(recipe, folder, Silent()))


class Interrupted(Filter):
    """Ctrl-C is pressed while it measures its second slice."""

    kind: ClassVar[str] = "interrupted"
    measured_by: ClassVar[tuple[str, ...]] = ()
    slice_rows: ClassVar[int] = 3
    presses: bool = True

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        if self.presses and table.height < 3:
            os.kill(os.getpid(), signal.SIGINT)
        return table.select("source")

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return pl.Series("reason", [None] * measures.height, dtype=pl.String)


def test_ctrl_c_ends_a_filter_at_once_and_its_slices_stay(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": f"Name {n} rivers."}) for n in range(5)))
    recipe = parse_recipe(f"name: a\nsources: {{mine: {{file: {file}}}}}", "r.yaml")
    pressed = recipe.model_copy(update={"stages": (Interrupted(),)})
    with pytest.raises(KeyboardInterrupt):
        built(pressed, tmp_path / "run")
    assert len(list((tmp_path / "run").glob("*interrupted/measuring/*/*.parquet"))) == 1
    assert not (tmp_path / "run" / "dataset").exists()
    calm = recipe.model_copy(update={"stages": (Interrupted(presses=False),)})
    assert dict(built(calm, tmp_path / "run", update=True).steps)["interrupted"].kept == 5


def dataset_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted((folder / "dataset").rglob("*.parquet"))}


def test_a_run_leaves_whole_steps_and_a_dataset(tmp_path: Path) -> None:
    result = built(scripted_recipe(), tmp_path)
    titles = [title for title, _ in result.steps]
    assert titles[0] == "made.seeds" and titles[-1] == "exact_duplicates" and "mix" in titles
    for _, counts in result.steps[2:]:
        if counts.taken != 175:
            assert counts.taken == counts.kept + counts.rejected
    assert dict(result.steps)["mix"].kept == 10
    assert result.rows["sft"]["train"] + result.rows["sft"]["test"] == 10
    assert result.rows["preference"]["train"] > 0
    assert not list(tmp_path.glob("*.part"))


def test_a_second_build_asks_nothing_and_changes_nothing(tmp_path: Path) -> None:
    built(scripted_recipe(), tmp_path)
    before = dataset_bytes(tmp_path)
    again = built(scripted_recipe(), tmp_path)
    assert again.asked == again.replayed == 0
    assert dataset_bytes(tmp_path) == before


@pytest.mark.parametrize("calls", [1, 40, 75, 110])
def test_a_run_that_died_resumes_to_the_same_bytes(tmp_path: Path, calls: int) -> None:
    whole = built(scripted_recipe(), tmp_path / "whole")
    dying = scripted_recipe().model_copy(update={"engine": Dying(left=[calls])})
    folder = tmp_path / "killed"
    with pytest.raises(EngineUnavailable, match="start it"), opened(scripted_recipe(), folder, update=False):
        asyncio.run(build(dying, folder, Silent()))
    resumed = built(scripted_recipe(), folder)
    assert dataset_bytes(folder) == dataset_bytes(tmp_path / "whole")
    assert 0 < resumed.asked < whole.asked
    journal = Journal(folder / "journal.sqlite")
    assert journal.counts().repeated == 0
    assert journal.counts().calls == whole.asked


def test_a_dead_step_is_made_again_from_the_journal_alone(tmp_path: Path) -> None:
    recipe = scripted_recipe()
    built(recipe, tmp_path)
    before = dataset_bytes(tmp_path)
    for step in steps_of(recipe):
        (tmp_path / step.folder / "done.json").unlink()
    dead = recipe.model_copy(update={"engine": Dying(left=[0])})
    with opened(recipe, tmp_path, update=False):
        again = asyncio.run(build(dead, tmp_path, Silent()))
    assert again.asked == 0 and again.replayed > 0
    assert dataset_bytes(tmp_path) == before


def test_another_recipe_is_refused_and_update_makes_again_only_what_changed(tmp_path: Path) -> None:
    built(scripted_recipe(), tmp_path)
    changed = scripted_recipe(RECIPE.replace("cap: 10", "cap: 5"))
    with pytest.raises(RecipeError, match=r"made by another recipe \(it differs in mix\).*--update"):
        built(changed, tmp_path)
    result = built(changed, tmp_path, update=True)
    assert result.asked == result.replayed == 0
    assert result.rows["sft"]["train"] + result.rows["sft"]["test"] == 5


def test_a_second_build_at_the_same_time_is_refused(tmp_path: Path) -> None:
    recipe = scripted_recipe()
    with (
        opened(recipe, tmp_path, update=False),
        pytest.raises(InputError, match="another build is at work"),
        opened(recipe, tmp_path, update=False),
    ):
        pass


def test_every_rejected_row_has_a_reason_and_nothing_is_lost(tmp_path: Path) -> None:
    recipe = scripted_recipe()
    built(recipe, tmp_path)
    import polars as pl

    for step in steps_of(recipe):
        rejected = pl.read_parquet(tmp_path / step.folder / "rejected.parquet")
        assert rejected["reason"].null_count() == 0
        assert not rejected.height or rejected["reason"].str.len_chars().min()
    mixed = steps_of(recipe)[-2]
    taken = {r.id for r in from_table(read_records(tmp_path / mixed.takes[0]))}
    kept = {r.id for r in from_table(read_records(tmp_path / mixed.folder))}
    gone = set(pl.read_parquet(tmp_path / mixed.folder / "rejected.parquet")["id"])
    assert kept | gone == taken and not kept & gone


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match=r"cannot be written .*--runs"):
        built(scripted_recipe(), blocked / "run")
