"""What is said while TRL trains."""

from pathlib import Path

import pytest

from tuneworks.factory.errors import TuneworksError

pytestmark = pytest.mark.real


def log(step: int, into: Path, **logs: float) -> list[str]:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from tuneworks.trainers.progress import Progress

    said: list[str] = []
    watch = Progress(said.append, into)
    args = TrainingArguments(output_dir=str(into), learning_rate=0.5, use_cpu=True)
    state, control = TrainerState(max_steps=9), TrainerControl()
    watch.on_train_begin(args, state, control)
    state.global_step = step
    watch.on_log(args, state, control, logs=logs)
    return said


def test_each_logged_loss_is_a_line(tmp_path: Path) -> None:
    (line,) = log(3, tmp_path, loss=1.23456)
    assert line.startswith("step 3 of 9: loss 1.2346, ")


def test_other_logs_are_not(tmp_path: Path) -> None:
    assert log(9, tmp_path, train_runtime=3.0, train_loss=1.0) == []


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(loss: float, tmp_path: Path) -> None:
    with pytest.raises(TuneworksError, match=r"the loss at step 4 is .*lower learning_rate under args .*0\.5"):
        log(4, tmp_path, loss=loss)


def test_it_says_which_checkpoint_is_still_good(tmp_path: Path) -> None:
    from tuneworks.trainers.checkpoints import mark_whole

    (tmp_path / "checkpoint-3").mkdir()
    mark_whole(tmp_path / "checkpoint-3", 1.0)
    with pytest.raises(TuneworksError, match=r"those of step 3 are kept in .*checkpoint-3; lower learning_rate"):
        log(4, tmp_path, loss=float("nan"))


def test_logged_steps_stay_up_to_the_one_that_is_gone_on_from(tmp_path: Path) -> None:
    from tuneworks.trainers.progress import _cut

    history = tmp_path / "metrics.jsonl"
    history.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    _cut(history, 2)
    assert history.read_text() == '{"step": 1}\n{"step": 2}\n'
    _cut(history, 0)
    assert history.read_text() == ""
