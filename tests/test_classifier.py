"""Scores of tiny sequence-classification models are what the models themselves say."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model
from tiny_rewards import LONGEST, build_bert, build_llama

from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, MissingExtra, RecipeError
from tuneworks.factory.record import REWARD, Answer, Message, Record
from tuneworks.factory.reward import Reward, Scores
from tuneworks.factory.rewards import classifier as module
from tuneworks.factory.rewards.classifier import Classifier

FISH = Record.born("Name a fish.")
ANSWERS = [Answer("carp"), Answer("a trout"), Answer("eel"), Answer("A pike lives in lakes."), Answer("dog")]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_bert(tmp_path_factory.mktemp("three"), ("toxic", "neutral", "Kind"))


def scores(reward: Reward, answers: list[Answer], record: Record = FISH) -> list[Scores]:
    return asyncio.run(reward.scores(record, answers, Scripted(lambda _: "")))


def number(scores: Scores) -> float:
    assert not isinstance(scores, EngineError), scores
    return scores[REWARD]


def logits(folder: str, *texts: str) -> Any:
    """What transformers itself computes for one input; shape (labels,)."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(**tokenizer(*texts, add_special_tokens=len(texts) == 2, return_tensors="pt")).logits[0]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_any_number_of_answers_gives_as_many_plain_numbers(llama: str, count: int) -> None:
    found = [number(s) for s in scores(Classifier(model=llama), ANSWERS[:count])]
    assert len(found) == count
    assert all(type(value) is float for value in found)
    assert len(set(found)) == count


def test_an_answers_score_does_not_hang_on_the_answers_beside_it(llama: str) -> None:
    reward = Classifier(model=llama)
    together = scores(reward, ANSWERS)
    assert scores(reward, ANSWERS[::-1]) == together[::-1]
    assert [scores(reward, [answer])[0] for answer in ANSWERS] == together
    assert asyncio.run(reward.score(FISH, ANSWERS[0], Scripted(lambda _: ""))) == number(together[0])


def test_a_conversation_goes_through_the_chat_template(llama: str) -> None:
    record = Record.born([Message("system", "Be brief."), Message("user", "Name a fish.")])
    text = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nName a fish.<|im_end|>\n"
    text += "<|im_start|>assistant\ncarp<|im_end|>\n"
    (found,) = scores(Classifier(model=llama), [Answer("carp")], record)
    assert number(found) == pytest.approx(float(logits(llama, text)[0]), abs=1e-5)


def test_without_a_template_prompt_and_answer_are_a_pair(bert: str) -> None:
    record = Record.born([Message("system", "Be brief."), Message("user", "Name a fish.")])
    (found,) = scores(Classifier(model=bert), [Answer("carp")], record)
    assert number(found) == pytest.approx(float(logits(bert, "Be brief.\n\nName a fish.", "carp")[0]), abs=1e-5)


@pytest.mark.parametrize("label", ["Kind", "kind", 2])
def test_of_several_labels_one_gives_its_probability(three: str, label: str | int) -> None:
    reward = Classifier(model=three, label=label)
    reward.check()
    (found,) = scores(reward, [Answer("carp")])
    assert number(found) == pytest.approx(float(logits(three, "Name a fish.", "carp").softmax(0)[2]), abs=1e-6)


def test_labels_that_may_hold_at_once_have_a_probability_each(tmp_path: Path) -> None:
    folder = build_bert(tmp_path, ("toxic", "rude"))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    (found,) = scores(Classifier(model=folder, label="rude"), [Answer("carp")])
    assert number(found) == pytest.approx(float(logits(folder, "Name a fish.", "carp").sigmoid()[1]), abs=1e-6)


@pytest.mark.parametrize(
    ("label", "words"),
    [(None, r"has 3 labels; say which .*: 0 \(toxic\), 1 \(neutral\), 2 \(Kind\)"), ("nice", "no label 'nice'; there")],
)
def test_a_label_that_does_not_say_which(three: str, label: str | None, words: str) -> None:
    reward = Classifier(model=three, label=label)
    with pytest.raises(RecipeError, match=words):
        reward.check()
    with pytest.raises(RecipeError, match=words):
        scores(reward, [Answer("carp")])


def test_a_label_where_there_is_one_output(bert: str) -> None:
    with pytest.raises(RecipeError, match="has one output and no labels to choose from; leave label out"):
        Classifier(model=bert, label="good").check()


def test_two_labels_that_the_configuration_does_not_name(tmp_path: Path) -> None:
    folder = build_bert(tmp_path, ("LABEL_0", "LABEL_1"))
    with pytest.raises(RecipeError, match=r"has 2 labels; .* 0 \(LABEL_0\), 1 \(LABEL_1\)"):
        Classifier(model=folder).check()
    Classifier(model=folder, label=1).check()
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_labels": 1}))
    Classifier(model=folder).check()


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_what_is_too_long_is_said_and_not_cut(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    long, found = scores(Classifier(model=folder), [Answer("x" * LONGEST), Answer("eel")])
    assert isinstance(long, EngineError)
    assert f"reads {LONGEST} tokens, and prompt and answer are" in str(long)
    over = int(str(long).split(" are ")[1].split()[0])
    just = scores(Classifier(model=folder), [Answer("x" * (LONGEST - over)), Answer("x" * (LONGEST - over + 1))])
    number(just[0]), number(found)
    assert "prompt and answer are 1 over" in str(just[1])


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path)
    with pytest.raises(RecipeError, match=r"has no trained classification head .it is a LlamaForCausalLM.; name a rew"):
        Classifier(model=folder).check()
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": None}))
    Classifier(model=folder, label=0).check()  # it does not say what it is
    with pytest.raises(RecipeError, match=r"has no trained classification head .its weights lack score.weight"):
        scores(Classifier(model=folder, label=0), [Answer("carp")])


def test_a_missing_model_and_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"there is no model './nowhere'"):
        Classifier(model="./nowhere").check()
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RecipeError, match="cannot be read"):
        Classifier(model=str(tmp_path)).check()
    with pytest.raises(EngineUnavailable, match=r"cannot be loaded .*; name another, or get it anew"):
        scores(Classifier(model=str(tmp_path)), [Answer("carp")])


def test_without_the_packages_the_pip_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(purpose: str) -> None:
        raise MissingExtra("torch", "local", purpose)

    monkeypatch.setattr(module, "require_torch", missing)
    with pytest.raises(MissingExtra, match=r'pip install "tuneworks\[local\]"'):
        Classifier(model="anything").check()


def test_the_event_loop_stays_free_and_a_model_is_loaded_once(llama: str) -> None:
    from tuneworks.factory.rewards.sequence_classification import loaded

    async def work() -> int:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.001)
                beats += 1

        beating = asyncio.create_task(beat())
        records = [Record.born(f"Name fish {n}.") for n in range(8)]
        await asyncio.gather(*(Classifier(model=llama).scores(r, ANSWERS, Scripted(lambda _: "")) for r in records))
        beating.cancel()
        return beats

    loaded.cache_clear()
    assert asyncio.run(work()) > 3
    assert loaded.cache_info().misses == 1
