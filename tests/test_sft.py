"""Supervised fine-tuning."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, seed_records, toy_records, train_here, write_dataset

from tuneworks.trainers.sft import Sft

pytestmark = pytest.mark.real


def test_exactly_the_answers_and_their_ends_are_learned(tmp_path: Path) -> None:
    """The toy model, given enough steps, writes the answers and stops: what is in the loss is what it learned."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    records = toy_records(10)
    data = write_dataset(tmp_path / "data", records)
    args = {"max_steps": 120, "learning_rate": 4e-3, "per_device_train_batch_size": 10, "bf16": False}
    model = build_tiny_model(tmp_path / "model")
    train_here(Sft(model=model, tuning="full", args=args), data, tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    trained: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    right = 0
    for record in records:
        asked = [{"role": m.role, "content": m.content} for m in record.prompt]
        text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        tokens = torch.tensor([tokenizer(text)["input_ids"]])
        out = trained.generate(tokens, max_new_tokens=20, do_sample=False)
        right += tokenizer.decode(out[0, tokens.shape[1] :]) == f"{record.answers[0].text}<|im_end|>"
    assert right >= 8


def test_loss_over_the_prompt_too_when_asked_for(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(6))
    args = {"max_steps": 1, "completion_only_loss": False}
    train_here(Sft(model=build_tiny_model(tmp_path / "model"), args=args), data, tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["tokens_in_loss"] == manifest["tokens"]


@pytest.mark.timeout(240)
def test_the_real_model_learns(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", seed_records(8))
    said = train_here(Sft(args={"max_steps": 4, "learning_rate": 1e-3}), data, tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    losses = [entry["loss"] for entry in metrics["log"]]
    assert len(losses) == 4
    assert all(0.3 < loss < 5 for loss in losses)
    masks = (tmp_path / "out/masks.txt").read_text()
    answer = seed_records(1)[0].answers[0].text
    assert json.dumps(f"{answer}<|im_end|>\n", ensure_ascii=False) in masks
    assert said[-1].startswith("step 4 of 4: loss ")
    assert json.loads((tmp_path / "out/manifest.json").read_text())["reload_max_difference"] <= 1e-3
