"""Loading models and adapters."""

from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model

from tuneworks.factory.errors import InputError
from tuneworks.trainers.loading import is_adapter, load_model, load_tokenizer
from tuneworks.trainers.tuning import tuning_config

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def save_adapter(model: str, into: Path) -> str:
    """An adapter that changes the model: PEFT starts one at nothing."""
    import torch
    from peft import get_peft_model

    adapted: Any = get_peft_model(load_model(model, {}), tuning_config("lora", {"r": 4}))
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, generator=torch.Generator().manual_seed(0))
    adapted.save_pretrained(into)
    return str(into)


def test_our_adapter_is_on_every_linear_layer_but_the_head(model: str) -> None:
    from peft import get_peft_model

    adapted: Any = get_peft_model(load_model(model, {}), tuning_config("lora", {}))
    touched = {name.split(".")[-4] for name, _ in adapted.named_parameters() if "lora_A" in name}
    assert touched == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert adapted.peft_config["default"].r == 16
    assert tuning_config("lora", {"r": 4}).r == 4


def test_an_adapters_folder_gives_the_adapter_on_its_base(model: str, tmp_path: Path) -> None:
    import torch

    place = save_adapter(model, tmp_path / "adapter")
    assert is_adapter(place)
    assert not is_adapter(model)
    adapted, merged = load_model(place, {}, trainable=True), load_model(place, {}, merged=True)
    tokens = torch.arange(20)[None]
    with torch.inference_mode():
        wanted = adapted(input_ids=tokens).logits
        assert torch.allclose(merged(input_ids=tokens).logits, wanted, atol=1e-4)
        assert not torch.allclose(load_model(model, {})(input_ids=tokens).logits, wanted, atol=1e-1)
    trainable = {name.split(".")[-3] for name, p in adapted.named_parameters() if p.requires_grad}
    assert trainable == {"lora_A", "lora_B"}
    assert all("lora" not in name for name, _ in merged.named_parameters())


def test_weights_are_float32_unless_asked_otherwise(model: str) -> None:
    assert str(load_model(model, {}).dtype) == "torch.float32"
    assert str(load_model(model, {"dtype": "bfloat16"}).dtype) == "torch.bfloat16"


def test_a_model_without_chat_template_is_refused(tmp_path: Path) -> None:
    place = build_tiny_model(tmp_path, template=None)
    with pytest.raises(InputError, match="the model toy has no chat template; name an instruct or chat model"):
        load_tokenizer(place, "toy")
