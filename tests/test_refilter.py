"""Deciding again over a run's measurements: what would change, from what is stored alone."""

from pathlib import Path

import polars as pl
import pytest
from filed_run import TASKS, filed

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.filters.length import Length
from tuneworks.pipelines.recipe import load_recipe
from tuneworks.pipelines.refilter import Change, Setting, _measures, briefs, refiltered
from tuneworks.pipelines.run_folder import RECIPE
from tuneworks.pipelines.stages import MEASURES, VERDICTS, steps_of


def changes(folder: Path, *settings: str) -> list[Change]:
    return refiltered(load_recipe(str(folder / RECIPE)), folder, settings)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    filed(tmp_path / "run")
    return tmp_path / "run"


def test_another_threshold_says_who_goes_and_who_comes_back(run: Path) -> None:
    (looser,) = changes(run, "rouge.max=0.95")
    assert (looser.taken, looser.stayed, looser.stay) == (5, 4, 5)
    assert looser.go.is_empty() and looser.lost_rows == 0
    assert "above 0.7" in looser.come_back["reason"][0]
    assert briefs(run, [looser], 5)[looser.come_back["id"][0]] == TASKS[1]
    (stricter,) = changes(run, "mine.rouge.max=0.3")
    assert stricter.stay < 4 and stricter.go.height == 4 - stricter.stay == stricter.lost_rows
    assert stricter.go["reason"].str.contains("above 0.3").all()


def test_what_it_says_is_what_a_build_then_does(run: Path) -> None:
    (change,) = changes(run, "rouge.max=0.3")
    measures = next(run.glob("*rouge")) / MEASURES
    before = measures.stat().st_mtime_ns
    built = filed(run, most=0.3, update=True)
    assert dict(built.steps)["mine.rouge"].kept == change.stay
    assert measures.stat().st_mtime_ns == before, "a threshold alone measures nothing again"


def test_a_name_may_mean_several_steps_and_settings_add_up(run: Path) -> None:
    (length, rouge) = changes(run, "length.min_words=4", "length.max_words=8", "rouge.max=1.0")
    assert length.options == {"min_words": 4, "max_words": 8}
    assert length.go.height == 4 and rouge.stay == 5


def test_values_are_read_as_in_a_recipe() -> None:
    assert Setting.parsed("made.rouge.2.max=0.6") == Setting("made.rouge.2", "max", 0.6)
    assert Setting.parsed("length.max_answer_words=null").value is None
    assert Setting.parsed("perplexity.keep=[0.1, 0.8]").value == [0.1, 0.8]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("rouge=0.6", "write it as STEP.OPTION=VALUE"),
        ("rouge.max", "write it as STEP.OPTION=VALUE"),
        ("rouge.max=[", "cannot be read"),
        ("mine.rogue.max=0.6", "did you mean 'mine.rouge'"),
        ("rouge.mx=0.6", "did you mean 'max'"),
        ("rouge.max=2", "less than or equal to 1"),
    ],
)
def test_a_mistake_is_one_sentence(run: Path, setting: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        changes(run, setting)


def test_an_option_that_is_measured_by_is_measured_again_where_no_model_is_needed(run: Path) -> None:
    (change,) = changes(run, "length.min_answer_words=3")
    assert change.go.height == 6 - 1 and change.stay == 0, "every answer has two words"


def test_an_option_that_a_model_measures_by_is_refused(run: Path) -> None:
    recipe = load_recipe(str(run / RECIPE))
    length = recipe.sources["mine"].stages[0]
    assert isinstance(length, Length)

    class Asking(Length):
        def asks_model(self) -> bool:
            return True

    asking = Asking.model_validate(length.model_dump())
    with pytest.raises(RecipeError, match="answers decides what length measures, and that takes a model"):
        _measures(steps_of(recipe)[1], length, asking.model_copy(update={"min_answer_words": 3}), run)


@pytest.mark.parametrize("missing", [MEASURES, VERDICTS])
def test_a_step_that_is_not_made_is_named(run: Path, missing: str) -> None:
    (next(run.glob("*rouge")) / missing).unlink()
    with pytest.raises(InputError, match=r"mine\.rouge of .* is not made"):
        changes(run, "rouge.max=0.6")


def test_nothing_is_written(run: Path) -> None:
    def state() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(run.rglob("*.parquet"))}

    before = state()
    changes(run, "rouge.max=0.5", "length.min_words=6")
    assert state() == before
    assert pl.read_parquet(next(run.glob("*rouge")) / MEASURES).height == 5
