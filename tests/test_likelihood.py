"""Likelihood in packs against one text at a time."""

import math
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_model import CHATML, build_gpt_oss, build_tiny_model, save_tokenizer
from transformers import AutoModelForCausalLM, GraniteConfig, MambaConfig, PreTrainedConfig, Qwen3Config

from tuneworks.factory.engine import Request
from tuneworks.factory.engines import decoding
from tuneworks.factory.engines.decoding import Model, shared
from tuneworks.factory.engines.likelihood import Given, Likelihood, Loss, likelihood, nats_of
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Message

TEXTS = ["a", "a fish swims", "x" * 60, "ein Fisch, der schwimmt", "鱼" * 9, "a fish", "a fish"]
PROMPT = (Message("system", "Be brief."), Message("user", "Name a fish."))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(build_tiny_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "device_and_dtype", lambda: ("cpu", torch.float32))


@pytest.fixture
def scorer(folder: Path) -> Likelihood:
    return Likelihood(Model(str(folder)))


def one_by_one(folder: Path, given: Given) -> float:
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([given.context + given.text])
    with torch.inference_mode():
        log_probs = torch.log_softmax(model(ids).logits[0], -1)
    start = len(given.context)
    return -sum(float(log_probs[start + i - 1, token]) for i, token in enumerate(given.text))


def answers(scorer: Likelihood) -> list[Given]:
    rows = [scorer.answer(PROMPT[at % 2 :], text) for at, text in enumerate(TEXTS)]
    read = [row for row in rows if row is not None]
    return [*read, *map(scorer.alone, read)]


@pytest.mark.parametrize("budget", [1, 70, 10_000])
def test_packs_score_as_single_texts_do(scorer: Likelihood, folder: Path, budget: int) -> None:
    scorer._budget = budget
    rows = answers(scorer)
    done: list[int] = []
    made = scorer.losses(rows, done.append)
    assert sum(done) == len(rows) == 2 * len(TEXTS)
    for row, loss in zip(rows, made, strict=True):
        assert loss.tokens == len(row.text)
        assert loss.nats == pytest.approx(one_by_one(folder, row), rel=1e-4)


def test_the_order_of_rows_changes_nothing(scorer: Likelihood) -> None:
    rows = answers(scorer)
    assert scorer.losses(rows[::-1])[::-1] == scorer.losses(rows)


def test_the_template_is_around_the_prompt_and_the_answer_is_bare(scorer: Likelihood) -> None:
    given = scorer.answer(PROMPT[1:], "A carp.")
    assert given is not None
    read = scorer._model.tokenizer.decode
    assert read(given.context) == "<|im_start|>user\nName a fish.<|im_end|>\n<|im_start|>assistant\n"
    assert read(given.text) == "A carp."
    assert read(scorer.alone(given).context) == "<|im_start|>assistant\n"
    assert scorer.answer([], "A carp.") == scorer.alone(given)


def test_a_text_the_model_cannot_read_is_not_tokenised(scorer: Likelihood) -> None:
    assert scorer.longest == 1024
    assert scorer.answer(PROMPT, "x" * 5_000_000) is None
    assert scorer.answer([Message("user", "x" * 5_000_000)], "A carp.") is None


def test_half_a_surrogate_pair_is_read_as_a_question_mark(scorer: Likelihood) -> None:
    assert scorer.answer([Message("user", "\ud800")], "a\udc00") == scorer.answer([Message("user", "?")], "a?")


def test_a_prompt_the_template_refuses_is_an_error_of_that_record(tmp_path: Path) -> None:
    build_tiny_model(
        tmp_path, CHATML + "{%- if messages[0].role == 'system' -%}{{ raise_exception('no') }}{% endif -%}"
    )
    with pytest.raises(EngineError, match="refuses the prompt"):
        Likelihood(Model(str(tmp_path))).answer(PROMPT, "A carp.")


def other_model(folder: Path, config: PreTrainedConfig) -> Likelihood:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    save_tokenizer(folder, CHATML)
    return Likelihood(Model(str(folder)))


SIZES: dict[str, Any] = {
    "vocab_size": 259, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "packs"),
    [
        (Qwen3Config(**SIZES, head_dim=8), True),
        (GraniteConfig(**SIZES, logits_scaling=4.0), False),  # the head's matrix is not all
        (
            MambaConfig(vocab_size=259, hidden_size=32, num_hidden_layers=2, initializer_range=1.0),
            False,
        ),  # no attention
    ],
    ids=["qwen3", "granite", "mamba"],
)
def test_only_what_packs_would_score_alike_is_packed(tmp_path: Path, config: PreTrainedConfig, packs: bool) -> None:
    scorer = other_model(tmp_path, config)
    assert (scorer._window > 0) is packs
    rows = answers(scorer)
    for row, loss in zip(rows, scorer.losses(rows), strict=True):
        assert loss.nats == pytest.approx(one_by_one(tmp_path, row), rel=1e-4)


def test_a_text_beyond_the_sliding_window_is_read_alone(folder: Path, scorer: Likelihood) -> None:
    scorer._window = 40
    rows = answers(scorer)
    assert any(len(row) > 40 for row in rows) and any(len(row) <= 40 for row in rows)
    for row, loss in zip(rows, scorer.losses(rows), strict=True):
        assert loss.nats == pytest.approx(one_by_one(folder, row), rel=1e-4)


def test_a_model_is_loaded_once_for_all_who_hold_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, writes = likelihood(str(folder)), shared(str(folder))
    monkeypatch.chdir(folder.parent)
    assert one is likelihood(str(folder)) is likelihood(f"./{folder.name}")
    assert one._model is writes
    held = weakref.ref(writes)
    del writes, one
    assert held() is None, "its memory is free when nobody holds it"


def test_scoring_leaves_the_model_as_it_was_for_writing(scorer: Likelihood) -> None:
    model = scorer._model
    own = model.model.config._attn_implementation
    asked = [Request((Message("user", f"Name fish {n}."),), max_tokens=20, seed=n) for n in range(5)]
    tokens, rows, never = [model.encode(r) for r in asked], answers(scorer), threading.Event()
    replies, losses = model.answer(asked, tokens, never), scorer.losses(rows)
    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(model.answer, asked, tokens, never) for _ in range(6)]
        scored = [pool.submit(scorer.losses, rows) for _ in range(6)]
        assert all(future.result() == replies for future in written)
        assert all(future.result() == losses for future in scored)
    assert model.model.config._attn_implementation == own


def test_what_cannot_be_read_is_said(scorer: Likelihood) -> None:
    for long in ("x" * 5_000_000, "x" * 1024):
        with pytest.raises(EngineError, match="longer than the 1024 tokens"):
            scorer.readable(PROMPT, long)
    with pytest.raises(EngineError, match="no tokens"):
        scorer.readable(PROMPT, "")
    assert scorer.readable(PROMPT, "A carp.") == scorer.answer(PROMPT, "A carp.")


def test_perplexity_is_the_exponential_of_the_mean() -> None:
    assert Loss(math.log(8) * 3, 3).perplexity == pytest.approx(8)
    assert math.isfinite(Loss(1e9, 1).perplexity)


def test_nats_of_logits() -> None:
    logits = torch.randn(150, 7)
    said = torch.randint(0, 7, (150,))
    expected = torch.nn.functional.cross_entropy(logits, said, reduction="sum")
    assert nats_of(logits, said.tolist()) == pytest.approx(float(expected), rel=1e-5)


def test_a_model_with_attention_of_its_own_is_read_by_it(tmp_path: Path) -> None:
    """gpt-oss has attention sinks, learned logits that take part in every softmax; packs would leave them out."""
    from transformers import GptOssForCausalLM

    scorer = Likelihood(Model(str(build_gpt_oss(tmp_path, sliding_window=128))))
    row = scorer.answer([Message("user", "Name a fish.")], "A carp is one.")
    assert row is not None
    (loss,) = scorer.losses([row])
    plain = GptOssForCausalLM.from_pretrained(
        tmp_path, dtype=scorer._model.model.dtype, attn_implementation="eager"
    ).eval()
    with torch.inference_mode():
        logits = plain(torch.tensor([row.context + row.text])).logits[0, len(row.context) - 1 : -1].float()
    said = logits.log_softmax(-1).gather(1, torch.tensor(row.text)[:, None])
    assert loss.nats == pytest.approx(-float(said.sum()), abs=1e-4)
