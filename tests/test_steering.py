"""Measuring whether the control steers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, write_dataset

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tuneworks.trainers.job import open_job
    from tuneworks.trainers.quality import Quality

    folder = tmp_path_factory.mktemp("job")
    data = write_dataset(folder / "data", toy_records(12), toy_records(12, 100))
    trainer = Quality(model=build_tiny_model(folder / "model"), args={"bf16": False})
    (folder / "out").mkdir()
    return open_job(trainer, trainer.plan(data, 0), folder / "out", lambda line: None)


def test_pairs_are_the_records_with_both_qualities(job: Any) -> None:
    from tuneworks.trainers.rows import uncontrolled
    from tuneworks.trainers.steering import held_of

    pairs = held_of(job)
    assert len(pairs) == sum(not uncontrolled(record) for record in toy_records(12, 100))
    for pair in pairs:
        assert pair.prompts["good"][0]["content"] == "Give a good answer."
        assert pair.prompts["bad"][0]["content"] == "Give a bad answer."
        assert pair.prompts["good"][1:] == pair.prompts["bad"][1:]
        assert [turns[0]["content"] for turns in pair.answers["bad"]] == ["7 3 9"]
    alone = replace(job, test=job.test.filter(lambda row: row["quality"] != "bad"))
    assert held_of(alone) == []


def test_the_loss_of_an_answer_does_not_depend_on_its_batch(job: Any) -> None:
    import torch

    from tuneworks.trainers.masks import encode
    from tuneworks.trainers.steering import nlls

    model = job.model().eval()
    rows = job.test.to_list()[:7]
    sequences = [encode(job.tokenizer, row["prompt"], row["completion"]) for row in rows]
    for (tokens, start), found in zip(sequences, nlls(sequences, model, job), strict=True):
        with torch.inference_mode():
            log_probs = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
        wanted = -sum(float(log_probs[at - 1, tokens[at]]) for at in range(start, len(tokens)))
        assert found == pytest.approx(wanted / (len(tokens) - start), abs=1e-4)


def test_a_reply_does_not_depend_on_its_batch(job: Any) -> None:
    from tuneworks.trainers.steering import replies

    model = job.model().eval()
    turns = [row["prompt"] for row in job.test.to_list()[:3]]
    turns[1] = [{"role": "user", "content": "A prompt that is a good deal longer than the others are."}]
    prompts = [job.trainer.asked(job, prompt, "good") for prompt in turns]
    assert replies(prompts, model, job) == [replies([prompt], model, job)[0] for prompt in prompts]


def test_an_untrained_model_has_almost_no_gap(job: Any, tmp_path: Path) -> None:
    from tuneworks.trainers.steering import held_of, steering

    found = steering(held_of(job), job.model().eval(), job, job.trainer)
    assert abs(found["gap"]) < 0.05
    assert set(found["nll"]) == {"good_answer", "bad_answer"}
    assert found["answered"] == 8
