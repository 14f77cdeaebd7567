"""Likelihood in batches against one text at a time."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import build_tiny_model
from transformers import AutoModelForCausalLM

from tuneworks.factory.engines import decoding
from tuneworks.factory.engines.likelihood import Given, Likelihood, Loss, batches
from tuneworks.factory.record import Message

TEXTS = ["a", "a fish swims", "x" * 60, "ein Fisch, der schwimmt", "鱼" * 9, "a fish"]
PROMPT = (Message("system", "Be brief."), Message("user", "Name a fish."))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(build_tiny_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def scorer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Likelihood]:
    monkeypatch.setattr(decoding, "device_and_dtype", lambda: ("cpu", torch.float32))
    yield Likelihood(str(folder))


def one_by_one(folder: Path, given: Given) -> float:
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([given.context + given.text])
    with torch.inference_mode():
        log_probs = torch.log_softmax(model(ids).logits[0], -1)
    start = len(given.context)
    return -sum(float(log_probs[start + i - 1, token]) for i, token in enumerate(given.text))


def test_batches_score_as_single_texts_do(scorer: Likelihood, folder: Path) -> None:
    rows = [scorer.answer(PROMPT[at % 2 :], text) for at, text in enumerate(TEXTS)]
    rows += [scorer.alone(row) for row in rows]
    done: list[int] = []
    made = scorer.losses(rows, done.append)
    assert sum(done) == len(rows)
    for row, loss in zip(rows, made, strict=True):
        assert loss.tokens == len(row.text)
        assert loss.nats == pytest.approx(one_by_one(folder, row), rel=1e-4)


def test_the_order_of_rows_changes_nothing(scorer: Likelihood) -> None:
    rows = [scorer.answer(PROMPT, text) for text in TEXTS]
    assert scorer.losses(rows[::-1])[::-1] == scorer.losses(rows)


def test_the_template_is_around_the_prompt_and_the_answer_is_bare(scorer: Likelihood) -> None:
    given = scorer.answer(PROMPT[1:], "A carp.")
    read = scorer._model.tokenizer.decode
    assert read(given.context) == "<|im_start|>user\nName a fish.<|im_end|>\n<|im_start|>assistant\n"
    assert read(given.text) == "A carp."
    assert read(scorer.alone(given).context) == "<|im_start|>assistant\n"


def test_perplexity_is_the_exponential_of_the_mean() -> None:
    assert Loss(math.log(8) * 3, 3).perplexity == pytest.approx(8)
    assert math.isfinite(Loss(1e9, 1).perplexity)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=40), st.integers(1, 100))
def test_batches_hold_every_row_once_and_keep_to_the_budget(sizes: list[tuple[int, int]], budget: int) -> None:
    rows = [Given([0] * context, [1] * text) for context, text in sizes]
    made = list(batches(rows, budget))
    assert sorted(at for batch in made for at in batch) == list(range(len(rows)))
    for batch in made:
        assert len(batch) == 1 or len(batch) * max(len(rows[at]) for at in batch) <= budget
