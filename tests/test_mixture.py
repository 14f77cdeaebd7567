"""A training's rows, rows of the trainings before, and plain text: shares of the tokens in the loss."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_trainings import train_into
from tiny_model import build_tiny_model, toy_records, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.record import Answer, Record
from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.plan import Earlier, Plan, mark_done, splits
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trl_trainer import TrlTrainer

real = pytest.mark.real
END = 2


def number_records(count: int, start: int = 0) -> list[Record]:
    made = [(f"What comes after {n}?", f"{n + 1}, of course") for n in range(start, start + count)]
    return [Record.born(asked, answers=[Answer(said, "toy", {"reward": 1.0})]) for asked, said in made]


def write_texts(data: Path, count: int) -> Path:
    (data / "pretraining").mkdir()
    texts = [f"Document {n} tells of {'rivers and hills, ' * (1 + n % 5)}and ends." for n in range(count)]
    frame = pl.DataFrame({"id": [str(n) for n in range(count)], "text": texts})
    frame.write_parquet(data / "pretraining/train.parquet")
    return data


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tuneworks.trainers.loading import load_tokenizer

    return load_tokenizer(build_tiny_model(tmp_path_factory.mktemp("model")), "toy")


def mixture_of(tmp_path: Path, tokenizer: Any, replay: float, text: float, own: int = 60, seed: int = 0) -> Any:
    from datasets import Dataset

    from tuneworks.trainers.labelled import Labelling
    from tuneworks.trainers.mixture import mixed

    before, after = tmp_path / "before", tmp_path / "after"
    if not before.is_dir():
        write_dataset(before, number_records(80))
        write_texts(write_dataset(after, toy_records(own)), 60)
    (old, _), (new, _) = (splits(data, "sft", ("prompt", "completion")) for data in (before, after))
    texts = Sft(pretraining=0.1).plan(after, 0).texts
    earlier = (Earlier("sft", "", "train", "sft", old, "all"),)
    plan = Plan("sft", {"replay": replay}, seed, new, None, "", earlier, texts)
    return mixed(Dataset.from_parquet(new.file), None, plan, Labelling(tokenizer, "all", 1024), replay, text)


@real
@pytest.mark.parametrize(("replay", "text"), [(0.2, 0.0), (0.0, 0.05), (0.3, 0.1), (0.0, 0.0)])
def test_shares_are_exact_to_a_row_and_a_token(replay: float, text: float, tmp_path: Path, tokenizer: Any) -> None:
    found = mixture_of(tmp_path, tokenizer, replay, text)
    parts = found.in_loss
    total = sum(parts.values())
    assert total == sum(label != -100 for labels in found.train["labels"] for label in labels)
    assert abs(parts.get("replay", 0) - replay * total) < 25 + text * 25
    assert abs(parts.get("pretraining", 0) - text * total) <= 1
    assert list(parts) == ["rows", *(["replay"] if replay else []), *(["pretraining"] if text else [])]


@real
def test_rows_that_would_be_cut_are_not_replayed(tmp_path: Path, tokenizer: Any) -> None:
    """Every third earlier answer is far too long; those that are not still make the share."""
    before, after = tmp_path / "before", tmp_path / "after"
    long = [Record.born(f"Recite {n}.", answers=[Answer("word " * 400, "toy")]) for n in range(40)]
    write_dataset(before, [*number_records(80), *long])
    write_texts(write_dataset(after, toy_records(60)), 60)
    found = mixture_of(tmp_path, tokenizer, 0.2, 0.0)
    assert max(map(len, found.train["input_ids"])) < 200
    assert found.in_loss["replay"] / sum(found.in_loss.values()) == pytest.approx(0.2, abs=0.02)


@real
def test_what_is_mixed_in_is_spread_and_drawn_by_the_seed(tmp_path: Path, tokenizer: Any) -> None:
    one, again, other = (mixture_of(tmp_path, tokenizer, 0.2, 0.1, seed=seed) for seed in (0, 0, 1))
    assert one.train["input_ids"] == again.train["input_ids"] != other.train["input_ids"]
    texts = [tokenizer.decode(ids) for ids in one.train["input_ids"]]
    replayed = [at for at, text in enumerate(texts) if "What comes after" in text]
    quarters = Counter(at * 4 // len(texts) for at in replayed)
    assert len(quarters) == 4 and max(quarters.values()) <= min(quarters.values()) + 2
    assert len({texts[at] for at in replayed}) == len(replayed)


@real
def test_windows_are_whole_documents_with_an_end_between_and_none_held_out_is_learned(tokenizer: Any) -> None:
    from tuneworks.trainers.plain_text import windows

    texts = [f"<{n}> {'word ' * (n % 7)}" for n in range(100)]
    found = windows(texts, tokenizer, 500, 64)
    assert sum(len(window) - 1 for window in found.learned) == 500
    assert max(map(len, found.learned)) == 64
    stream = [token for window in found.learned for token in window]
    whole = [token for text in texts for token in [*tokenizer(text)["input_ids"], END]]
    assert stream == whole[: len(stream)]
    held = tokenizer.decode([token for window in found.held_out for token in window])
    assert "<99>" in held and not any(f"<{n}>" in held for n in range(stream.count(END) + 1))
    small, large = (windows(texts, tokenizer, wanted, 64).held_out for wanted in (100, 400))
    assert small == large
    with pytest.raises(InputError, match=r"wants 9,000 tokens of plain text .* the dataset carries 2,\d+;"):
        windows(texts, tokenizer, 9000, 64)


@real
def test_replay_without_enough_rows_is_refused(tmp_path: Path, tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"replay wants [\d,]+ tokens .* rows of sft, which have [\d,]+ in rows"):
        mixture_of(tmp_path, tokenizer, 0.9, 0.0)


TRAIN = "name: r\nsources: {a: {seeds: builtin}}\ndatasets: [sft, preference]\ntrain:\n"


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        ("  - sft: {replay: 0.2}\n", "replay draws from the trainings before, and this one follows none; add follows"),
        ("  - sft: {pretraining: 0.05}\n", r"sft takes pretraining: 0.05, and the recipe has no pretraining; write"),
        ("  - sft\n  - sft: {follows: sft, replay: 0.6, pretraining: 0.4}\n", "replay and pretraining leave no share"),
        ("  - sft: {replay: 1.5}\n", "less than 1"),
        (
            "  - dpo\n  - sft: {follows: dpo, replay: 0.5}\n",
            "sft has nothing to replay: .* those before are of dpo",
        ),
    ],
)
def test_what_has_nothing_to_draw_from_is_refused_as_the_recipe_is_read(train: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        parse_recipe(TRAIN + train, "r.yaml")


def whole(trainer: TrlTrainer, data: Path, into: Path) -> Plan:
    into.mkdir(parents=True)
    plan = trainer.plan(data, 0, into)
    plan.write(into)
    mark_done(into, plan)
    return plan


def test_the_plan_knows_the_files_it_draws_from(tmp_path: Path) -> None:
    old, new = write_dataset(tmp_path / "old", number_records(6)), write_dataset(tmp_path / "new", toy_records(6))
    write_texts(new, 3)
    models = tmp_path / "models"
    whole(Sft(), old, models / "sft")
    trainer = Sft(follows="sft", replay=0.2, pretraining=0.1)
    plan = whole(trainer, new, models / "sft-2")
    assert Plan.read(models / "sft-2") == plan
    assert plan.texts is not None and plan.texts.rows == 3
    assert [earlier.name for earlier in plan.replayed] == ["sft"]
    assert replace(plan, texts=replace(plan.texts, sha256="0")).key != plan.key
    drawn = plan.earlier[0].train
    assert drawn is not None
    assert replace(plan, earlier=(replace(plan.earlier[0], train=replace(drawn, sha256="0")),)).key != plan.key
    assert replace(plan, texts=replace(plan.texts, file="elsewhere")).key == plan.key
    write_dataset(old, number_records(7))
    with pytest.raises(InputError, match=r"draws from the rows of sft, and .* is no longer what it was trained on"):
        trainer.plan(new, 0, models / "sft-2")
    (new / "pretraining/train.parquet").unlink()
    with pytest.raises(InputError, match=r"there is no .*pretraining/train.parquet to take plain text from; write"):
        Sft(pretraining=0.1).plan(new, 0)


def test_replay_after_trainings_of_preferences_alone_is_refused(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(6))
    whole(Dpo(), data, tmp_path / "models/dpo")
    into = tmp_path / "models/sft"
    with pytest.raises(InputError, match="sft and quality trainings, and those before are of dpo"):
        Sft(follows="dpo", replay=0.2).plan(data, 0, into)


@real
def test_rows_that_are_trained_on_anyway_are_not_replayed(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", toy_records(6))
    args = {"max_steps": 1, "bf16": False}
    train_here(Sft(model=build_tiny_model(tmp_path / "model"), args=args), data, tmp_path / "sft")
    with pytest.raises(InputError, match="replay has no rows to draw: all of sft are among those trained on"):
        train_into(Sft(follows="sft", replay=0.2, args=args), data, tmp_path / "sft-2")


@real
def test_replay_and_plain_text_keep_what_a_second_training_would_forget(tmp_path: Path) -> None:
    """Quality first, then sft: with replay the first one's held-out rows stay likelier, with text plain text does."""
    old = write_dataset(tmp_path / "old", toy_records(40), toy_records(10, 200))
    new = write_texts(write_dataset(tmp_path / "new", number_records(40), number_records(8, 300)), 120)
    args: dict[str, Any] = {"num_train_epochs": 4, "learning_rate": 5e-3, "bf16": False}
    args["per_device_train_batch_size"] = 8
    model = build_tiny_model(tmp_path / "model")
    train_here(Quality(model=model, tuning="full", args=args), old, tmp_path / "quality")
    told = {}
    for name, shares in (("sft", {}), ("sft-2", {"replay": 0.3, "pretraining": 0.2})):
        trainer = Sft(follows="quality", tuning="full", args=args, **shares)
        train_into(trainer, new, tmp_path / name)
        told[name] = json.loads((tmp_path / name / "metrics.json").read_text())
    manifest = json.loads((tmp_path / "sft-2/manifest.json").read_text())
    parts, total = manifest["tokens_in_loss_by_part"], manifest["tokens_in_loss"]
    assert sum(parts.values()) == total
    assert parts["replay"] / total == pytest.approx(0.3, abs=0.02)
    assert parts["pretraining"] / total == pytest.approx(0.2, abs=0.001)
    assert manifest["data"]["pretraining"]["rows"] == 120
    assert "of replay" in (tmp_path / "sft-2/masks.txt").read_text().splitlines()[1]
    losses = {name: metrics["held_out_loss_of_earlier"]["quality"] for name, metrics in told.items()}
    assert losses["sft"]["before"] == pytest.approx(losses["sft-2"]["before"], abs=1e-3)
    assert losses["sft-2"]["after"] < losses["sft"]["after"] - 0.3
    text = told["sft-2"]["held_out_loss_of_text"]
    assert text["after"] < text["before"] - 0.5
    assert "held_out_loss_of_text" not in told["sft"]


@real
def test_the_end_of_a_text_is_not_taken_for_the_end_of_an_answer(tmp_path: Path) -> None:
    endless = "{% for t in messages %}[{{ t.role }}] {{ t.content }}\n{% endfor %}" + (
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    data = write_texts(write_dataset(tmp_path / "data", toy_records(20)), 40)
    trainer = Sft(model=build_tiny_model(tmp_path / "model", endless), pretraining=0.3, args={"max_steps": 1})
    with pytest.raises(InputError, match="the model would never learn to stop"):
        train_here(trainer, data, tmp_path / "out")
