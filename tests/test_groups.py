"""Groups of answers as tokens."""

from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tiny_model, ranked_records, toy_records

from tuneworks.factory.record import Record
from tuneworks.trainers.rows import VIEWS

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tuneworks.trainers.loading import load_tokenizer

    folder = build_tiny_model(tmp_path_factory.mktemp("model"))
    return load_tokenizer(folder, folder)


def groups(tokenizer: Any, records: list[Record], view: str) -> Any:
    from datasets import Dataset

    from tuneworks.trainers.groups import grouped

    return grouped(Dataset.from_list(list(VIEWS[view].rows(records))), tokenizer)


def learned(tokenizer: Any, sequence: Any) -> str:
    return str(tokenizer.decode([token for token, inside in zip(*sequence, strict=True) if inside]))


def test_rankings_and_pairs_are_groups(tokenizer: Any) -> None:
    (ranking,) = groups(tokenizer, ranked_records(1), "ranked")
    assert ranking["rewards"] == [10.0, 8.0, 6.0, 4.0]
    assert tokenizer.decode(ranking["sequences"][1][ranking["starts"][1] :]) == "red red 777<|im_end|>\n"
    (pair,) = groups(tokenizer, toy_records(1), "preference")
    assert (pair["rewards"], pair["margin"]) == ([1.0, 0.0], 1.5)
    assert [len(pair["sequences"]), len(pair["starts"])] == [2, 2]


def test_what_is_in_the_loss(tokenizer: Any) -> None:
    from tuneworks.trainers.groups import answers_masked, scores_masked

    made = groups(tokenizer, ranked_records(1), "ranked")
    texts = ["red red red", "red red 777", "red 777 777", "777 777 777"]
    ends = [f"{text}<|im_end|>\n" for text in texts]
    assert [learned(tokenizer, s) for s in answers_masked(made, None)] == ends
    assert [learned(tokenizer, s) for s in scores_masked(made, 0, best_learned=False)] == ["\n"] * 4
    assert [learned(tokenizer, s) for s in scores_masked(made, 0, best_learned=True)] == [ends[0], "\n", "\n", "\n"]


def test_a_score_is_read_at_the_last_token_that_is_no_pad(tokenizer: Any) -> None:
    """As transformers reads it, also where the pad is a token of the text."""
    from tuneworks.trainers.groups import scores_masked

    made = groups(tokenizer, ranked_records(1), "ranked")
    line_break = made[0]["sequences"][0][-1]
    read = [learned(tokenizer, s) for s in scores_masked(made, line_break, best_learned=False)]
    assert read == ["<|im_end|>"] * 4


def test_a_batch_is_flat_and_its_labels_are_the_answers(tokenizer: Any) -> None:
    from tuneworks.trainers.groups import GroupCollator

    made = [groups(tokenizer, ranked_records(1), "ranked")[0], groups(tokenizer, toy_records(1), "preference")[0]]
    batch = GroupCollator(pad=0)(made)
    assert batch["sizes"].tolist() == [4, 2]
    assert batch["rewards"].tolist() == [10.0, 8.0, 6.0, 4.0, 1.0, 0.0]
    assert batch["margin"].tolist() == [0.0, 1.5]
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    first = batch["labels"][0]
    assert tokenizer.decode(first[first != -100]) == "red red red<|im_end|>\n"
    assert int(batch["attention_mask"][4].sum()) == len(made[1]["sequences"][0])
    cut = GroupCollator(pad=0, max_length=10)(made)
    assert cut["input_ids"].shape == (6, 10)


def test_groups_that_do_not_fit(tokenizer: Any, tmp_path: Path) -> None:
    from tuneworks.trainers.groups import with_answers, without_longer

    made = groups(tokenizer, ranked_records(3), "ranked")
    longest, last_start = max(len(s) for s in made[0]["sequences"]), max(made[0]["starts"])
    assert len(without_longer(made, longest - 1)) < len(without_longer(made, longest)) <= len(made)
    assert len(with_answers(made, last_start)) < len(with_answers(made, last_start + 1)) <= len(made)
    assert len(without_longer(made, None)) == len(with_answers(made, None)) == 3
