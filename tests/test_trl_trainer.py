"""Options and checks the trainers over TRL share; nothing here loads torch."""

import json
from pathlib import Path

import pytest
from tiny_model import toy_records, write_dataset

from tuneworks.factory.errors import EngineError, InputError, RecipeError
from tuneworks.trainers.contrast import Contrast
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.kto import Kto
from tuneworks.trainers.plan import mark_done
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trl_trainer import TrlTrainer

KINDS = (Sft, Dpo, Kto, Contrast, Quality, Reward)


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_described(kind: type[TrlTrainer]) -> None:
    assert all(field.description for field in kind.model_fields.values())
    assert kind.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_argument_is_refused_before_anything_runs(kind: type[TrlTrainer], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=rf"{kind.kind}: args: .*did you mean learning_rate\?"):
        kind(args={"learnng_rate": 1e-4}).train(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_other_mistakes_in_options(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    mistakes = [
        (Sft(peft={"rr": 8}), RecipeError, "peft: peft .* takes no argument 'rr'"),
        (Sft(args={"output_dir": "x"}), RecipeError, "output_dir is chosen by the run"),
        (Sft(tuning="full", peft={"r": 8}), RecipeError, "peft has no use with tuning full"),
        (Sft(model=str(adapter), peft={"r": 8}), RecipeError, "peft cannot change the adapter"),
        (Sft(model="org/other", follows="sft"), RecipeError, "follows names the model to begin from; leave model out"),
        (Dpo(tuning="prompt"), RecipeError, "would not begin as its reference"),
        (Sft(model=str(tmp_path / "nowhere")), EngineError, "there is no model"),
        (Sft(model=str(tmp_path)), EngineError, "holds no model"),
    ]
    for trainer, error, words in mistakes:
        with pytest.raises(error, match=words):
            trainer.check()


def test_missing_rows_are_refused_before_a_worker_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"preference/train\.parquet"):
        Dpo().train(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_no_training_wrote_is_left_alone(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", toy_records(4))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/letter.txt").write_text("dear")
    with pytest.raises(InputError, match="is not empty and no training wrote it"):
        Sft().train(tmp_path / "data", tmp_path / "out")
    assert (tmp_path / "out/letter.txt").read_text() == "dear"


def test_a_whole_folder_is_not_trained_again(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", toy_records(4))
    trainer, into = Sft(args={"max_steps": 3}), tmp_path / "out"
    into.mkdir()
    plan = trainer.plan(tmp_path / "data", seed=5)
    plan.write(into)
    mark_done(into, plan)
    said: list[str] = []
    trainer.train(tmp_path / "data", into, seed=5, say=said.append)
    assert said == ["out is already trained from these rows"]
    assert json.loads((into / "plan.json").read_text())["seed"] == 5


def test_the_plan_follows_options_and_rows(tmp_path: Path) -> None:
    write_dataset(tmp_path, toy_records(4))
    first = Sft().plan(tmp_path, 0)
    model = {"model": "smollm2", "follows": None, "bits": None}
    plain: dict[str, object] = {"accelerate": None, "args": {}, "peft": {}}
    supervised = {"turns": "all", "replay": 0.0, "pretraining": 0.0}
    assert first.options == {"split": "train", **model, "tuning": "lora", **plain, **supervised}
    assert Sft(**first.options) == Sft()
    assert Sft(args={"max_steps": 2}).plan(tmp_path, 0).key != first.key
    write_dataset(tmp_path, toy_records(5))
    assert Sft().plan(tmp_path, 0).key != first.key
