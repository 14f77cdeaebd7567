"""Packed rows are learned as they are alone."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.trainers.worker import KINDS

pytestmark = pytest.mark.real

LONG = 150
"""Tokens that two toy rows have room in."""


def built(tmp_path: Path, attention: str, kind: str = "sft", **args: Any) -> Any:
    """TRL's trainer, its data prepared, before the first step."""
    from tuneworks.trainers.job import open_job

    into = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    into.mkdir()
    given = {"max_length": LONG, "bf16": False, "model_init_kwargs": {"attn_implementation": attention}, **args}
    trainer = KINDS[kind](model=str(tmp_path / "model"), tuning="full", args=given)
    plan = trainer.plan(tmp_path / "data", 0)
    return trainer.build(open_job(trainer, plan, into, lambda line: None))


def log_probs(trl: Any) -> dict[tuple[int, ...], list[float]]:
    """What the model says of each row's learned tokens, from the batches the training would have."""
    import torch

    trl.model.eval()
    found = dict[tuple[int, ...], list[float]]()
    for batch in trl.get_train_dataloader():
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        with torch.inference_mode():
            logits = trl.model(**inputs, use_cache=False).logits
        said = logits[:, :-1].log_softmax(-1).gather(-1, batch["input_ids"][:, 1:, None]).squeeze(-1)
        for row in range(len(said)):
            begins = batch["position_ids"][row] == 0 if "position_ids" in batch else torch.zeros(said.shape[1] + 1) > 0
            begins[0] = True
            bounds = [*begins.nonzero().flatten().tolist(), len(begins)]
            for a, b in pairwise(bounds):
                learned = batch["labels"][row, a + 1 : b] != -100
                if learned.any():
                    own = batch["input_ids"][row, a:b][: int(learned.nonzero()[-1]) + 2]
                    found[tuple(own.tolist())] = said[row, a : b - 1][learned].tolist()
    return found


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_rows_are_as_likely_as_alone(attention: str, tmp_path: Path) -> None:
    build_tiny_model(tmp_path / "model")
    write_dataset(tmp_path / "data", toy_records(24))
    alone = log_probs(built(tmp_path, attention))
    trl = built(tmp_path, attention, packing=True)
    packed = log_probs(trl)
    assert len(trl.train_dataset) < 13
    assert alone.keys() == packed.keys() and len(alone) == 24
    apart = max(abs(a - b) for row in alone for a, b in zip(alone[row], packed[row], strict=True))
    assert apart < 1e-3
    assert sum(map(len, alone.values())) == sum(map(len, packed.values())) == sum(trl.mixture.in_loss.values())


def test_rows_that_read_each_other_would_be_seen(tmp_path: Path) -> None:
    """The comparison above can fail: without positions that begin anew the log-probabilities differ."""
    build_tiny_model(tmp_path / "model")
    write_dataset(tmp_path / "data", toy_records(24))
    alone, trl = log_probs(built(tmp_path, "sdpa")), built(tmp_path, "sdpa", packing=True)
    forward = trl.model.forward
    trl.model.forward = lambda input_ids, use_cache, **_: forward(input_ids=input_ids, use_cache=use_cache)
    leaked = log_probs(trl)
    assert max(abs(a - b) for row in alone for a, b in zip(alone[row], leaked[row], strict=True)) > 1e-2


def test_tokens_in_the_loss_are_the_same_packed(tmp_path: Path) -> None:
    data, model = write_dataset(tmp_path / "data", toy_records(12)), build_tiny_model(tmp_path / "model")
    counts = []
    for packing in (True, False):
        args = {"max_steps": 1, "packing": packing, "max_length": LONG}
        train_here(KINDS["sft"](model=model, args=args), data, tmp_path / f"{packing}")
        counts.append(json.loads((tmp_path / f"{packing}/manifest.json").read_text())["tokens_in_loss"])
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize(("strategy", "does"), [("bfd", "lose their end"), ("bfd_split", "be split from their quest")])
def test_rows_longer_than_a_pack_are_refused(strategy: str, does: str, tmp_path: Path) -> None:
    data, model = write_dataset(tmp_path / "data", toy_records(12)), build_tiny_model(tmp_path / "model")
    args = {"max_steps": 1, "packing": True, "packing_strategy": strategy, "max_length": 50}
    with pytest.raises(InputError, match=rf"12 of 12 rows in .* are longer than max_length 50 and would {does}"):
        train_here(KINDS["sft"](model=model, args=args), data, tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("dpo", r"dpo: args: trl .* takes no argument 'packing'"),
        ("kto", r"kto: args: trl .* takes no argument 'packing'"),
        ("reward", r"reward: args: trl .* takes no argument 'packing'"),
        ("contrast", r"contrast: args: packing has no meaning for whole rankings; leave it out"),
    ],
)
def test_who_cannot_pack_says_so(kind: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        KINDS[kind](args={"packing": True}).check()


def test_quality_rows_are_packed(tmp_path: Path) -> None:
    data, model = write_dataset(tmp_path / "data", toy_records(12)), build_tiny_model(tmp_path / "model")
    args = {"max_steps": 1, "packing": True, "max_length": 400}
    said = train_here(KINDS["quality"](model=model, args=args), data, tmp_path / "out")
    assert "max_length 400 cuts 0 and drops 0" in said[0]


@pytest.mark.parametrize(
    ("args", "first"), [({"neftune_noise_alpha": 5}, math.log(259)), ({"loss_type": "dft"}, math.log(259) / 259)]
)
def test_noise_and_another_loss_train(args: dict[str, Any], first: float, tmp_path: Path) -> None:
    """DFT weighs each token's loss by its probability, which of an untrained model is one in its vocabulary."""
    data, model = write_dataset(tmp_path / "data", toy_records(8)), build_tiny_model(tmp_path / "model")
    plain = {"max_steps": 12, "learning_rate": 1e-2, "per_device_train_batch_size": 8, "bf16": False}
    metrics = {}
    for name, more in (("plain", {}), ("other", args)):
        train_here(KINDS["sft"](model=model, args={**plain, **more}), data, tmp_path / name)
        metrics[name] = json.loads((tmp_path / name / "metrics.json").read_text())
    assert metrics["plain"]["last_loss"] < metrics["plain"]["first_loss"] - 0.5
    assert metrics["other"]["first_loss"] == pytest.approx(first, rel=0.1)
    assert abs(metrics["other"]["last_loss"] - metrics["plain"]["last_loss"]) > 1e-4
