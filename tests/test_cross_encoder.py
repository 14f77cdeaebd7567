"""A cross encoder's score is its logit for prompt and answer."""

import asyncio
import json
from pathlib import Path

import pytest
from tiny_model import build_tiny_model
from tiny_rewards import LONGEST, build_bert

from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, MissingExtra, RecipeError
from tuneworks.factory.record import REWARD, Answer, Record
from tuneworks.factory.reward import Scores
from tuneworks.factory.rewards import cross_encoder as module
from tuneworks.factory.rewards.cross_encoder import CrossEncoder

FISH = Record.born("Name a fish.")
ANSWERS = [Answer("carp"), Answer("a trout"), Answer("A pike lives in lakes.")]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_bert(tmp_path_factory.mktemp("bert"))


def scores(reward: CrossEncoder, answers: list[Answer]) -> list[Scores]:
    return asyncio.run(reward.scores(FISH, answers, Scripted(lambda _: "")))


def number(scores: Scores) -> float:
    assert not isinstance(scores, EngineError), scores
    return scores[REWARD]


def logit(folder: str, *texts: str) -> float:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return float(model(**AutoTokenizer.from_pretrained(folder)(*texts, return_tensors="pt")).logits[0, 0])


def test_the_score_is_the_logit_of_the_pair(bert: str) -> None:
    reward = CrossEncoder(model=bert)
    reward.check()
    together = scores(reward, ANSWERS)
    for answer, found in zip(ANSWERS, together, strict=True):
        assert number(found) == pytest.approx(logit(bert, "Name a fish.", answer.text), abs=1e-5)
    assert len({number(s) for s in together}) == len(ANSWERS)
    assert scores(reward, ANSWERS[::-1]) == together[::-1]
    assert asyncio.run(reward.score(FISH, ANSWERS[0], Scripted(lambda _: ""))) == number(together[0])


def test_what_is_too_long_is_said_and_not_cut(bert: str) -> None:
    room = LONGEST - len("Name a fish.")
    long, fits = scores(CrossEncoder(model=bert), [Answer("x" * (room + 2)), Answer("x" * room)])
    assert str(long) == f"{bert} reads {LONGEST} tokens, and prompt and answer are 2 over"
    number(fits)


def test_a_model_with_labels_is_a_classifier(tmp_path: Path) -> None:
    folder = build_bert(tmp_path, ("bad", "good"))
    with pytest.raises(RecipeError, match="has 2 labels; use it as a classifier and say which with label"):
        CrossEncoder(model=folder).check()
    with pytest.raises(RecipeError, match="has 2 labels"):
        scores(CrossEncoder(model=folder), ANSWERS)


def test_a_model_without_a_head_is_refused(tmp_path: Path) -> None:
    folder = build_bert(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    with pytest.raises(RecipeError, match=r"has no trained classification head .it is a BertModel."):
        CrossEncoder(model=folder).check()


def test_a_model_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"there is no model './nowhere'"):
        CrossEncoder(model="./nowhere").check()
    folder = build_tiny_model(tmp_path)  # a language model whose tokenizer has no word for yes or no
    with pytest.raises(
        EngineUnavailable, match=r"the cross encoder .* cannot be loaded .*; name another, or get it anew"
    ):
        scores(CrossEncoder(model=folder), ANSWERS)


def test_without_the_package_the_pip_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "sentence_transformers_of_nobody")
    with pytest.raises(MissingExtra, match=r'pip install "tuneworks\[embed\]"'):
        CrossEncoder(model="anything").check()
