"""Which tokens are in the loss, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import CHATML, build_tiny_model

from tuneworks.factory.errors import InputError

pytestmark = pytest.mark.real

END = 2
"""The id of <|im_end|>."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tuneworks.trainers.loading import load_tokenizer

    return load_tokenizer(build_tiny_model(tmp_path_factory.mktemp("model")), "toy")


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def report_on(tokenizer: Any, *sequences: Any, lengths: list[int], kept: int, max_length: int | None) -> Any:
    from tuneworks.trainers.masks import Counted, report

    return report(sequences, Counted(lengths, kept), max_length, tokenizer, frozenset({END}))


def masked(tokenizer: Any, prompt: str, answer: str, end: int | None = END) -> Any:
    from tuneworks.trainers.masks import Masked

    asked, said = tokenizer(prompt)["input_ids"], tokenizer(answer)["input_ids"]
    tokens = [*asked, *said, *([] if end is None else [end])]
    return Masked(tokens, [n >= len(asked) for n in range(len(tokens))])


@given(prompt=st.text(max_size=30), answer=st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_the_completion_is_the_answer_and_the_end_of_its_turn(prompt: str, answer: str, tokenizer: Any) -> None:
    from tuneworks.trainers.masks import encode

    tokens, start = encode(tokenizer, user(prompt), assistant(answer))
    assert tokenizer.decode(tokens[start:]) == f"{answer}<|im_end|>\n"
    assert tokenizer.decode(tokens[:start]).endswith("<|im_start|>assistant\n")


def test_counts_and_spans(tokenizer: Any) -> None:
    one, two = masked(tokenizer, "ask", "yes"), masked(tokenizer, "asked", "no")
    found = report_on(tokenizer, one, two, lengths=[7, 8], kept=2, max_length=7)
    assert (found.tokens, found.in_loss, found.ended) == (15, 7, 2)
    assert (found.rows, found.dropped, found.cut) == (2, 0, 1)
    assert list(found.spans) == [(False, "ask"), (True, "yes<|im_end|>")]
    lines = found.lines()
    assert lines[0] == "2 rows, the longest of 8 tokens; max_length 7 cuts 1 and drops 0"
    assert lines[1] == "7 of 15 tokens are in the loss (47%); the first row:"
    assert lines[2:] == ['  not learned  "ask"', '  in the loss  "yes<|im_end|>"']


def test_long_spans_are_shown_by_their_ends(tokenizer: Any) -> None:
    found = report_on(tokenizer, masked(tokenizer, "a" * 900, "b"), lengths=[902], kept=1, max_length=None)
    assert len(found.lines()[2]) < 700
    assert " [...] " in found.lines()[2]


def test_more_than_a_fifth_of_cut_rows_is_refused_with_the_length_that_holds_them(tokenizer: Any) -> None:
    row = masked(tokenizer, "ask", "yes")
    lengths = [10, 20, 30, 40, 50, 60, 70, 80, 90, 500]
    report_on(tokenizer, row, lengths=lengths, kept=10, max_length=80).refuse("f")
    with pytest.raises(InputError) as raised:
        report_on(tokenizer, row, lengths=lengths, kept=10, max_length=70).refuse("sft/train.parquet")
    assert "3 of 10 rows in sft/train.parquet are longer than max_length 70" in str(raised.value)
    assert "to 500 to hold all of them (to 90 to hold four fifths)" in str(raised.value)
    report_on(tokenizer, row, lengths=lengths, kept=10, max_length=90).refuse("f")
    report_on(tokenizer, row, lengths=lengths, kept=10, max_length=None).refuse("f")


def test_nothing_in_the_loss_is_refused(tokenizer: Any) -> None:
    from tuneworks.trainers.masks import Masked

    for sequences in ([], [Masked([5, 6], [False, False])]):
        found = report_on(tokenizer, *sequences, lengths=[2], kept=1, max_length=9)
        with pytest.raises(InputError, match="no token of f would be in the loss"):
            found.refuse("f")


def test_answers_that_never_end_are_refused(tokenizer: Any) -> None:
    found = report_on(tokenizer, masked(tokenizer, "a", "b", end=None), lengths=[2], kept=1, max_length=9)
    with pytest.raises(InputError, match="the model would never learn to stop"):
        found.refuse("f")


def test_a_pair_is_two_sequences_cut_like_the_collator_cuts() -> None:
    from datasets import Dataset

    from tuneworks.trainers.masks import preference_masked

    pairs = Dataset.from_list([{"prompt_ids": [1, 2], "chosen_ids": [3, 4, 5], "rejected_ids": [6]}])
    assert list(preference_masked(pairs, 4)) == [
        ([1, 2, 3, 4], [False, False, True, True]),
        ([1, 2, 6], [False, False, True]),
    ]


def train_masked(tmp_path: Path, template: str, kind: str, start: int = 0, **args: Any) -> str:
    from tiny_model import toy_records, train_here, write_dataset

    from tuneworks.trainers.worker import KINDS

    data = write_dataset(tmp_path / "data", toy_records(10, start))
    model = build_tiny_model(tmp_path / "model", template)
    train_here(KINDS[kind](model=model, args={"max_steps": 1, **args}), data, tmp_path / "out")
    return (tmp_path / "out/masks.txt").read_text()


def test_trl_puts_the_answer_and_the_end_of_its_turn_in_the_loss(tmp_path: Path) -> None:
    text = train_masked(tmp_path, CHATML, "sft")
    asked = '"<|im_start|>user\\nSay red twice, number 0.<|im_end|>\\n<|im_start|>assistant\\n"'
    assert text.splitlines()[2:] == [f"  not learned  {asked}", '  in the loss  "red red<|im_end|>\\n"']


def test_the_control_of_a_quality_row_is_not_learned(tmp_path: Path) -> None:
    from tiny_model import toy_records

    from tuneworks.trainers.rows import uncontrolled

    asked_for = next(at for at in range(0, 100, 10) if not uncontrolled(toy_records(1, at)[0]))
    text = train_masked(tmp_path, CHATML, "quality", start=asked_for)
    assert '  not learned  "<|im_start|>system\\nGive a good answer.<|im_end|>' in text
    assert text.splitlines()[3:] == ['  in the loss  "red red<|im_end|>\\n"']


def test_a_pairs_chosen_answer_is_shown(tmp_path: Path) -> None:
    assert '  in the loss  "red red<|im_end|>\\n"' in train_masked(tmp_path, CHATML, "dpo")


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_template_that_ends_no_turn_is_refused(kind: str, tmp_path: Path) -> None:
    endless = "{% for t in messages %}[{{ t.role }}] {{ t.content }}\n{% endfor %}" + (
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    with pytest.raises(InputError, match="the model would never learn to stop"):
        train_masked(tmp_path, endless, kind)


@pytest.mark.parametrize("kind", ["sft", "dpo", "quality"])
def test_rows_that_are_too_long_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows in .* are longer than max_length 30 .* set max_length under args to"):
        train_masked(tmp_path, CHATML, kind, max_length=30)


def test_packed_rows_are_counted_whole(tmp_path: Path) -> None:
    text = train_masked(tmp_path, CHATML, "sft", packing=True, max_length=200)
    assert text.startswith("10 rows, the longest of 61 tokens; max_length 200 cuts 0 and drops 0\n")
