"""What is said while TRL trains."""

import pytest

from tuneworks.factory.errors import TuneworksError

pytestmark = pytest.mark.real


def log(step: int, **logs: float) -> list[str]:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from tuneworks.trainers.progress import Progress

    said: list[str] = []
    watch = Progress(said.append)
    args = TrainingArguments(output_dir="unused", learning_rate=0.5, use_cpu=True)
    state, control = TrainerState(global_step=step, max_steps=9), TrainerControl()
    watch.on_train_begin(args, state, control)
    watch.on_log(args, state, control, logs=logs)
    return said


def test_each_logged_loss_is_a_line() -> None:
    (line,) = log(3, loss=1.23456)
    assert line.startswith("step 3 of 9: loss 1.2346, ")


def test_other_logs_are_not() -> None:
    assert log(9, train_runtime=3.0, train_loss=1.0) == []


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(loss: float) -> None:
    with pytest.raises(TuneworksError, match=r"the loss at step 4 is .*lower learning_rate under args .*0\.5"):
        log(4, loss=loss)
