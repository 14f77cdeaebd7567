"""Direct preference optimization with soft labels and offsets."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.record import PAIR, PREFERRED, Answer, Record
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.sft import Sft

ARGS: dict[str, Any] = {
    "max_steps": 12,
    "learning_rate": 1e-2,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "bf16": False,
}


def metrics_of(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


def unsure(records: list[Record], probability: float) -> list[Record]:
    """The same pairs, the first of each the better one with this probability."""
    return [
        record.with_answers(
            [
                Answer(good.text, "toy", {**good.scores, PAIR: 1.0, PREFERRED: probability}),
                Answer(bad.text, "toy", {**bad.scores, PAIR: 0.0}),
            ]
        )
        for record in records
        for good, bad in [record.answers]
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every pair says 0.8, and has a margin of 1.5."""
    train, test = unsure(toy_records(24), 0.8), unsure(toy_records(8, 100), 0.8)
    return write_dataset(tmp_path_factory.mktemp("data"), train, test)


def test_a_loss_without_a_soft_form_is_refused() -> None:
    with pytest.raises(RecipeError, match="dpo: args: loss_type has no form with soft labels or margins"):
        Dpo(soft_labels=True, args={"loss_type": ["ipo"]}).check()
    with pytest.raises(RecipeError, match="precompute_ref_log_probs has no form"):
        Dpo(margin=0.5, args={"precompute_ref_log_probs": True}).check()
    Dpo(soft_labels=True, args={"loss_type": ["sigmoid"]}).check()
    Dpo(args={"loss_type": ["ipo"]}).check()


@pytest.mark.real
def test_the_loss_is_the_cross_entropy_with_the_label() -> None:
    """Lowest where the model's odds are the label's: a pair of which 0.8 is said must not be pushed further."""
    import torch

    from tuneworks.trainers.dpo_trainer import soft_preference

    ahead, certain = torch.tensor([-1.0, 0.0, 2.0]), torch.ones(3)
    assert torch.allclose(soft_preference(ahead, certain), torch.log1p(torch.exp(-ahead)))
    soft = torch.tensor([0.8, 0.8, 0.8])
    places = torch.linspace(-3, 5, 801)
    best = places[soft_preference(places, torch.full_like(places, 0.8)).argmin()]
    assert float(best) == pytest.approx(math.log(0.8 / 0.2), abs=0.01)
    assert torch.allclose(
        soft_preference(ahead, soft), 0.8 * torch.log1p(torch.exp(-ahead)) + 0.2 * torch.log1p(torch.exp(ahead))
    )


@pytest.mark.real
def test_with_certain_labels_it_is_trls_own_loss(model: str, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", unsure(toy_records(16), 1.0), unsure(toy_records(8, 100), 1.0))
    args = {**ARGS, "max_steps": 4}
    logs = []
    for name, soft in (("ours", True), ("trl", False)):
        train_here(Dpo(model=model, soft_labels=soft, args=args), data, tmp_path / name)
        logs.append([(entry["loss"], entry["rewards/margins"]) for entry in metrics_of(tmp_path / name)["log"]])
    for ours, trls in zip(*logs, strict=True):
        assert ours == pytest.approx(trls, abs=1e-4)


@pytest.mark.real
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_soft_labels_start_at_ln_2_and_stop_short(tuning: Any, model: str, data: Path, tmp_path: Path) -> None:
    args = {**ARGS, "max_steps": 20}
    train_here(Dpo(model=model, soft_labels=True, tuning=tuning, args=args), data, tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    least = -0.8 * math.log(0.8) - 0.2 * math.log(0.2)
    assert metrics["step_zero_loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert metrics["held_out_loss_before"] == pytest.approx(math.log(2), abs=1e-5)
    assert least - 1e-4 < metrics["last_loss"] < 0.6
    assert least - 1e-4 < metrics["held_out_loss_after"] < 0.6
    assert metrics["held_out_accuracy"] == 1.0
    assert json.loads((tmp_path / "out/manifest.json").read_text())["reload_max_difference"] <= 1e-3


@pytest.mark.real
def test_an_adapter_is_its_own_reference(model: str, data: Path, tmp_path: Path) -> None:
    train_here(Sft(model=model, args={**ARGS, "max_steps": 4}), data, tmp_path / "sft")
    trainer = Dpo(model=str(tmp_path / "sft"), soft_labels=True, margin=1.0, args={**ARGS, "max_steps": 2})
    train_here(trainer, data, tmp_path / "dpo")
    both_ways = 0.8 * math.log(1 + math.exp(1.5)) + 0.2 * math.log(1 + math.exp(-1.5))
    assert metrics_of(tmp_path / "dpo")["step_zero_loss"] == pytest.approx(both_ways, abs=1e-4)


@pytest.mark.real
def test_a_margin_asks_for_more(model: str, data: Path, tmp_path: Path) -> None:
    train_here(Dpo(model=model, margin=2.0, args={**ARGS, "max_steps": 20}), data, tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert metrics["step_zero_loss"] == pytest.approx(math.log(1 + math.exp(3.0)), abs=1e-4)
    assert metrics["held_out_loss_before"] == pytest.approx(metrics["step_zero_loss"], abs=1e-4)
    assert metrics["held_out_loss_after"] < 0.7 * metrics["held_out_loss_before"]
    assert metrics["log"][-1]["rewards/margins"] > 1.2


@pytest.mark.real
def test_rows_of_which_nobody_said_how_sure_are_refused(model: str, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(8))
    with pytest.raises(
        InputError, match=r"no row in .*train\.parquet has a probability; compare its answers with rlaif"
    ):
        train_here(Dpo(model=model, soft_labels=True, args=ARGS), data, tmp_path / "out")
