"""Bottleneck adapters: where they stand, what PEFT and transformers do with them, and what cannot be."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from tiny_model import build_gpt_oss, build_tiny_model, toy_records, train_here, write_dataset
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM

from tuneworks.factory.bottleneck import BottleneckConfig, output_projections
from tuneworks.factory.engine import Request
from tuneworks.factory.engines.decoding import Model
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.errors import EngineUnavailable, InputError, RecipeError
from tuneworks.factory.record import Message
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.loading import load_model, load_tokenizer
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trials.learner import Learner
from tuneworks.trainers.tuning import tuning_config

pytestmark = pytest.mark.real

ARGS: dict[str, Any] = {"max_steps": 5, "per_device_train_batch_size": 8, "bf16": False, "learning_rate": 2e-2}

TOKENS = torch.arange(3, 60)[None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), toy_records(24), toy_records(8, 100))


@pytest.fixture(scope="module")
def trained(model: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    into = tmp_path_factory.mktemp("models") / "sft"
    train_here(Sft(model=model, tuning="bottleneck", args=ARGS), data, into)
    return str(into)


@torch.inference_mode()
def logits(model: Any) -> torch.Tensor:
    found: torch.Tensor = model.eval()(input_ids=TOKENS).logits
    return found


def fresh(model: str, **options: Any) -> Any:
    return get_peft_model(load_model(model, {}), BottleneckConfig(task_type="CAUSAL_LM", **options))


@pytest.mark.parametrize(("placement", "behind"), [("houlsby", {"o_proj", "down_proj"}), ("pfeiffer", {"down_proj"})])
def test_a_new_one_stands_where_it_should_and_changes_nothing(placement: str, behind: set[str], model: str) -> None:
    adapted = fresh(model, placement=placement, width=8)
    assert torch.equal(logits(adapted), logits(load_model(model, {})))
    learned = [(name, weight) for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert {name.split(".")[-4] for name, _ in learned} == behind
    # in each of 2 layers: 64 to 8 and back, and what is added to both
    assert sum(weight.numel() for _, weight in learned) == 2 * len(behind) * (2 * 64 * 8 + 8 + 64)


def test_projections_are_found_by_structure(tmp_path: Path) -> None:
    sizes = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    neox = GPTNeoXForCausalLM(GPTNeoXConfig(intermediate_size=32, **sizes))
    assert output_projections(neox, "houlsby")[:2] == [
        "gpt_neox.layers.0.attention.dense",
        "gpt_neox.layers.0.mlp.dense_4h_to_h",
    ]
    ends = {"bos_token_id": 1, "eos_token_id": 1}
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, **ends))
    assert output_projections(gpt2, "pfeiffer") == ["transformer.h.0.mlp.c_proj", "transformer.h.1.mlp.c_proj"]
    experts = load_model(build_gpt_oss(tmp_path), {})
    with pytest.raises(
        InputError, match=r"model.layers.0 of a GptOssForCausalLM has self_attn.o_proj; take tuning: lora"
    ):
        output_projections(experts, "houlsby")


@pytest.mark.parametrize("options", [{"width": 0}, {"placement": "inside"}])
def test_bad_options_are_told_before_anything_starts(options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"peft: .* (a width of 1 or more|houlsby or pfeiffer)"):
        Sft(tuning="bottleneck", peft=options).check()
    with pytest.raises(RecipeError, match=r"no argument 'widht'; did you mean width\?"):
        Sft(tuning="bottleneck", peft={"widht": 3}).check()


def test_peft_and_transformers_load_the_folder(trained: str, model: str) -> None:
    base = AutoModelForCausalLM.from_pretrained(model)
    ours = logits(load_model(trained, {}))
    assert torch.equal(logits(PeftModel.from_pretrained(base, trained)), ours)
    assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(trained)), ours)
    assert not torch.allclose(ours, logits(load_model(model, {})), atol=1e-2)
    held = json.loads((Path(trained) / "adapter_config.json").read_text())
    assert (held["peft_type"], held["width"], held["placement"]) == ("BOTTLENECK", 64, "houlsby")


def test_the_engine_answers_with_it(trained: str) -> None:
    async def ask() -> str:
        engine = Transformers(model=trained).open()
        try:
            request = Request((Message("user", "Say red twice, number 3."),), max_tokens=4, temperature=0.0)
            return (await engine.complete(request)).text
        finally:
            await engine.close()

    assert isinstance(asyncio.run(ask()), str)


def test_the_engine_refuses_what_stands_before_the_prompt(model: str, tmp_path: Path) -> None:
    config = tuning_config("prefix", {})
    get_peft_model(load_model(model, {}), config).save_pretrained(tmp_path)
    load_tokenizer(model, model).save_pretrained(tmp_path)
    with pytest.raises(EngineUnavailable, match=r"stands before the prompt, where this engine has nothing"):
        Model(str(tmp_path))


def test_gradient_checkpointing_learns_the_same(model: str, data: Path, tmp_path: Path) -> None:
    found = []
    for checkpointing in (False, True):
        args = {**ARGS, "max_steps": 3, "gradient_checkpointing": checkpointing}
        train_here(Sft(model=model, tuning="bottleneck", args=args), data, tmp_path / str(checkpointing))
        found.append(json.loads((tmp_path / str(checkpointing) / "metrics.json").read_text())["last_loss"])
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_dpo_trains_it_further_from_ln_2(trained: str, data: Path, tmp_path: Path) -> None:
    train_here(Dpo(model=trained, tuning="bottleneck", args={**ARGS, "max_steps": 3}), data, tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["step_zero_loss"] == pytest.approx(0.693147, abs=1e-6)
    assert metrics["last_loss"] < 0.69


def test_it_merges_nowhere(trained: str) -> None:
    with pytest.raises(InputError, match=r"a bottleneck bends what passes through it"):
        load_model(trained, {}, merged=True)
    for trainer in (Sft(model=trained, tuning="full"), Reward(model=trained)):
        with pytest.raises(RecipeError, match=r"learned in .* bends what passes through a layer and cannot be merged"):
            trainer.check()
    with pytest.raises(RecipeError, match=r"reward: tuning bottleneck cannot be merged"):
        Reward(tuning="bottleneck").check()
    with pytest.raises(RecipeError, match=r"holds an adapter of tuning bottleneck; write tuning: bottleneck$"):
        Sft(model=trained).check()
    with pytest.raises(InputError, match=r"a bottleneck bends what passes through it"):
        Learner(trained, print)
