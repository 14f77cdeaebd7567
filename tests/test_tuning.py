"""Every way to tune: it trains, saves, loads again to the same logits, and merges where it can."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.loading import load_model
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.tuning import (
    METHODS,
    PROMPTS,
    UNMERGED,
    Tuning,
    adalora_schedule,
    learning_rate,
    refuse_adapter,
)

ARGS: dict[str, Any] = {"max_steps": 20, "per_device_train_batch_size": 8, "bf16": False}

ADAPTERS: tuple[Tuning, ...] = ("lora", "rslora", "dora", "adalora", "ia3", "bottleneck")

FORBIDDEN: list[tuple[Tuning, dict[str, Any], str]] = [
    ("prompt", {"packing": True}, r"prompt cannot go with packing: .*rows would read each other"),
    ("prefix", {"padding_free": True}, r"prefix cannot go with padding_free"),
    ("p_tuning", {"packing": True}, r"p_tuning cannot go with packing"),
    ("prefix", {"gradient_checkpointing": True}, r"prefix cannot go with gradient_checkpointing: .*tuning: prompt"),
]


@pytest.mark.parametrize(("tuning", "args", "words"), FORBIDDEN)
def test_what_cannot_go_together_is_refused_with_the_reason(tuning: Tuning, args: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Sft(tuning=tuning, args=args).check()


def test_adalora_begins_with_more_ranks_than_it_ends_with() -> None:
    with pytest.raises(RecipeError, match=r"write an init_r above target_r \(they are 8 and 16\)"):
        Sft(tuning="adalora", peft={"init_r": 8}).check()


@pytest.mark.parametrize("tuning", [*METHODS])
def test_options_are_pefts_own(tuning: Tuning) -> None:
    Sft(tuning=tuning, peft=dict(METHODS[tuning].ours)).check()
    with pytest.raises(RecipeError, match=r"sft: peft: .* takes no argument 'rrank'"):
        Sft(tuning=tuning, peft={"rrank": 3}).check()


def test_the_options_first_name_is_understood() -> None:
    assert Sft.model_validate({"lora": {"r": 4}}) == Sft(peft={"r": 4})


def test_an_adapter_is_trained_further_by_its_own_method_only(tmp_path: Path) -> None:
    def adapter(kind: str) -> str:
        (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": kind}))
        return str(tmp_path)

    refuse_adapter("dora", adapter("LORA"), "sft")
    refuse_adapter("full", adapter("ADALORA"), "sft")
    wrong: list[tuple[Tuning, str, str]] = [
        ("lora", "IA3", r"holds an adapter of tuning ia3; write tuning: ia3, or full"),
        ("lora", "BOTTLENECK", r"holds an adapter of tuning bottleneck; write tuning: bottleneck$"),
        ("full", "BOTTLENECK", r"what tuning bottleneck learned .* cannot be merged"),
        ("full", "PROMPT_TUNING", r"what tuning prompt learned .* cannot be merged"),
        ("adalora", "ADALORA", r"cannot be trained further; name its base model"),
    ]
    for tuning, kind, words in wrong:
        with pytest.raises(RecipeError, match=words):
            refuse_adapter(tuning, adapter(kind), "sft")


def test_each_method_has_its_learning_rate() -> None:
    rates: dict[Tuning, float] = {"lora": 2.0, "full": 0.5, "ia3": 7.0}
    asked: tuple[Tuning, ...] = ("full", "ia3", "dora", "prompt")
    assert [learning_rate(tuning, rates) for tuning in asked] == [0.5, 7.0, 2.0, 40.0]
    assert adalora_schedule(100) == {"tinit": 10, "tfinal": 30}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), toy_records(24), toy_records(8, 100))


def metrics_of(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model.eval()(input_ids=torch.arange(3, 60)[None]).logits


@pytest.mark.real
@pytest.mark.parametrize("tuning", [*METHODS])
def test_it_trains_saves_loads_and_merges(tuning: Tuning, model: str, data: Path, tmp_path: Path) -> None:
    import torch

    into = tmp_path / "out"
    rate = {"learning_rate": 3e-1 if tuning == "ia3" or tuning in PROMPTS else 2e-2}
    train_here(Sft(model=model, tuning=tuning, args={**ARGS, **rate}), data, into)
    metrics, manifest = metrics_of(into), json.loads((into / "manifest.json").read_text())
    fall = 0.05 if tuning in PROMPTS else 0.1  # a prompt moves a random model little
    assert metrics["last_loss"] < metrics["first_loss"] - fall
    assert metrics["held_out_loss_after"] < metrics["held_out_loss_before"] - fall
    assert manifest["reload_max_difference"] <= 1e-3
    assert manifest["tuning"] == tuning and manifest["peft"]["task_type"] == "CAUSAL_LM"
    assert json.loads((into / "adapter_config.json").read_text())["peft_type"] == METHODS[tuning].kind
    if tuning in UNMERGED:
        with pytest.raises(InputError, match="merge"):
            load_model(str(into), {}, merged=True)
        return
    adapted, merged = load_model(str(into), {}), load_model(str(into), {}, merged=True)
    assert torch.allclose(logits(merged), logits(adapted), atol=1e-3)
    assert not torch.allclose(logits(merged), logits(load_model(model, {})), atol=1e-2)


@pytest.mark.real
def test_adalora_gives_its_ranks_to_few(model: str, data: Path, tmp_path: Path) -> None:
    """Of 14 linear layers with 8 ranks each, 2 a layer on average are left, and not the same everywhere."""
    peft = {"init_r": 8, "target_r": 2}
    trainer = Sft(model=model, tuning="adalora", peft=peft, args={**ARGS, "learning_rate": 2e-2})
    train_here(trainer, data, tmp_path / "out")
    pattern = json.loads((tmp_path / "out/adapter_config.json").read_text())["rank_pattern"]
    left = [sum(ranks) for ranks in pattern.values()]
    assert len(left) == 14 and sum(left) == 28
    assert len(set(left)) > 1


@pytest.mark.real
def test_adalora_keeps_its_singular_vectors_apart(model: str, data: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from tuneworks.trainers.ranks import drift_of

    drifts = []
    for weight in (0.5, 0.0):
        peft = {"init_r": 8, "target_r": 7, "orth_reg_weight": weight}
        trainer = Sft(model=model, tuning="adalora", peft=peft, args={**ARGS, "learning_rate": 2e-2})
        train_here(trainer, data, tmp_path / str(weight))
        held = load_file(tmp_path / str(weight) / "adapter_model.safetensors")
        drifts.append(sum(float(drift_of(rows)) for name, rows in held.items() if "lora_A" in name))
    assert drifts[0] < 0.8 * drifts[1]


@pytest.mark.real
@pytest.mark.parametrize("tuning", [t for t in ADAPTERS if t != "lora"])
def test_dpo_starts_at_ln_2_with_every_adapter(tuning: Tuning, model: str, data: Path, tmp_path: Path) -> None:
    train_here(Dpo(model=model, tuning=tuning, args={**ARGS, "max_steps": 2}), data, tmp_path / "out")
    assert metrics_of(tmp_path / "out")["step_zero_loss"] == pytest.approx(0.693147, abs=1e-4)


@pytest.mark.real
def test_a_learned_prompt_is_measured_at_the_right_tokens(model: str, data: Path, tmp_path: Path) -> None:
    trainer = Quality(model=model, tuning="prompt", args={**ARGS, "max_steps": 2})
    train_here(trainer, data, tmp_path / "out")
    nll = metrics_of(tmp_path / "out")["steering"]["nll"]
    held_out = metrics_of(tmp_path / "out")["held_out_loss_after"]
    cells = [value for row in nll.values() for value in row.values()]
    assert sum(cells) / len(cells) == pytest.approx(held_out, abs=0.2)
