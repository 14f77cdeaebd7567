"""Names of arguments, checked against the installed TRL and PEFT."""

import dataclasses
import importlib
import subprocess
import sys

import pytest

from tuneworks.factory.errors import RecipeError
from tuneworks.trainers.arguments import SOURCES, check_names, known_names, with_numbers


@pytest.mark.real
@pytest.mark.parametrize("config", ["SFTConfig", "DPOConfig", "LoraConfig"])
def test_the_names_are_those_of_the_dataclass(config: str) -> None:
    found = getattr(importlib.import_module(SOURCES[config].split("/")[0]), config)
    assert known_names(config) == sorted(field.name for field in dataclasses.fields(found))


def test_names_are_read_without_importing_torch() -> None:
    code = (
        "import sys; from tuneworks.trainers.arguments import known_names; "
        "assert 'beta' in known_names('DPOConfig'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("written", "config", "hint"),
    [
        ("learnng_rate", "SFTConfig", "did you mean learning_rate?"),
        ("max_seq_length", "SFTConfig", "did you mean max_length?"),
        ("betaa", "DPOConfig", "did you mean beta?"),
        ("lora_alfa", "LoraConfig", "did you mean lora_alpha?"),
        ("zzzz", "SFTConfig", "see SFTConfig in the documentation of trl"),
    ],
)
def test_an_unknown_name_gets_one_sentence(written: str, config: str, hint: str) -> None:
    with pytest.raises(RecipeError) as raised:
        check_names({written: 1}, config, "sft: args")
    message = str(raised.value)
    assert message.startswith("sft: args: ")
    assert f"takes no argument {written!r}; {hint}" in message
    assert "\n" not in message


def test_known_names_pass() -> None:
    check_names({"learning_rate": 1e-4, "max_steps": 3, "packing": True}, "SFTConfig", "sft: args")
    check_names({"beta": 0.2, "loss_type": ["sigmoid"]}, "DPOConfig", "dpo: args")


def test_numbers_that_yaml_reads_as_text_become_numbers() -> None:
    written = {
        "learning_rate": "2e-4",
        "weight_decay": "1E+2",
        "run_name": "2e-4b",
        "max_steps": 7,
        "x": "1e",
    }
    assert with_numbers(written) == {
        "learning_rate": 2e-4,
        "weight_decay": 100.0,
        "run_name": "2e-4b",
        "max_steps": 7,
        "x": "1e",
    }
