"""Which tokens of a conversation are learned, whatever the chat template."""

import json
from pathlib import Path
from typing import Any

import pytest
from chat_templates import DATED, FORGETFUL, GEMMA, LLAMA3, MISTRAL, OUTSIDE, PHI, PREFILLED
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import CHATML, build_tiny_model, save_tokenizer, train_here, write_dataset

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.record import Answer, Message, Record
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.spoken import Which

pytestmark = pytest.mark.real

SYSTEM = [{"role": "system", "content": "Be kind."}]
TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Farewell."},
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tuneworks.trainers.loading import load_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    build_tiny_model(folder)
    return load_tokenizer(str(folder), "toy")


def learned(tokenizer: Any, template: str, turns: list[dict[str, str]], which: Which = "all") -> list[list[str]]:
    """Of each sequence the decoded spans in the loss; all its text is checked to be what the template writes."""
    from tuneworks.trainers.labelled import renderer, tokenised
    from tuneworks.trainers.masks import _spans
    from tuneworks.trainers.spoken import spoken

    tokenizer.chat_template = template
    sequences = spoken(turns[:-1], turns[-1:], which, renderer(tokenizer))
    found = tokenised(sequences, tokenizer)
    assert [tokenizer.decode(one.tokens) for one in found] == [sequence.text for sequence in sequences]
    whole = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]
    assert found[-1].tokens == whole
    return [[text for inside, text in _spans(one, tokenizer) if inside] for one in found]


@pytest.mark.parametrize(
    ("template", "end", "system"),
    [(CHATML, "<|im_end|>\n", SYSTEM), (LLAMA3, "<|im_end|>", SYSTEM), (DATED, "<|im_end|>", SYSTEM),
     (GEMMA, "<|im_end|>\n", []), (OUTSIDE, "<|im_end|>\n", SYSTEM)],
)  # fmt: skip
def test_every_turn_of_the_assistant_and_its_end_is_learned_and_nothing_else(
    template: str, end: str, system: list[dict[str, str]], plain: Any
) -> None:
    turns = [*system, *TALK]
    assert learned(plain, template, turns) == [[f"Hello!{end}", f"Farewell.{end}"]]
    assert learned(plain, template, turns, "last") == [[f"Farewell.{end}"]]


def test_a_system_turn_folded_into_the_last_question_gives_each_turn_a_sequence(plain: Any) -> None:
    assert learned(plain, MISTRAL, [*SYSTEM, *TALK]) == [[" Hello!<|im_end|>"], [" Farewell.<|im_end|>"]]
    assert learned(plain, MISTRAL, TALK) == [[" Hello!<|im_end|>", " Farewell.<|im_end|>"]]


def test_thinking_that_is_dropped_later_is_learned_where_it_was_thought(plain: Any) -> None:
    thought = [*TALK]
    thought[1] = {"role": "assistant", "content": "<think>a</think>Hello!"}
    assert learned(plain, FORGETFUL, thought) == [["<think>a</think>Hello!<|im_end|>\n"], ["Farewell.<|im_end|>\n"]]
    assert learned(plain, FORGETFUL, TALK) == [["Hello!<|im_end|>\n", "Farewell.<|im_end|>\n"]]


def test_a_token_at_the_end_of_all_is_learned_as_the_model_would_write_it(plain: Any) -> None:
    assert learned(plain, PHI, TALK) == [["Hello!<|im_end|>\n<|pad|>"], ["Farewell.<|im_end|>\n<|pad|>"]]


@pytest.mark.parametrize(
    ("template", "turns", "sentence"),
    [
        (GEMMA, [*SYSTEM, *TALK], r"refuses a conversation of system, user, assistant, user, assistant \(System role "),
        (PREFILLED, TALK, r"asks for an answer with '<think>\\n' and writes an answer that was given as 'Hello!<\|im_"),
        (CHATML, TALK[:1], r"a row has no turn of an assistant to learn; write role: assistant"),
    ],
)
def test_what_a_template_cannot_say_is_refused(
    template: str, turns: list[dict[str, str]], sentence: str, plain: Any
) -> None:
    with pytest.raises(InputError, match=sentence):
        learned(plain, template, turns)


def test_what_is_said_before_any_question_is_not_learned(plain: Any) -> None:
    turns = [{"role": "assistant", "content": "Welcome."}, *TALK]
    assert learned(plain, CHATML, turns) == [["Hello!<|im_end|>\n", "Farewell.<|im_end|>\n"]]


@given(words=st.lists(st.text(max_size=20), min_size=2, max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_words_are_learned_whole(words: list[str], plain: Any) -> None:
    turns = [{"role": role, "content": word} for word in words for role in ("user", "assistant")]
    assert learned(plain, CHATML, turns) == [[f"{word}<|im_end|>\n" for word in words]]


REFUSED = ("deepseek", "nemotron_3", "llava_next", "idefics3", "smolvlm")
"""Those that ask for an answer in other words than they write one, and those that want parts in the place of text."""


def test_the_templates_of_real_models_are_learned_exactly_or_refused(plain: Any) -> None:
    """Those TRL carries, as the models have them."""
    import trl

    from tuneworks.trainers.labelled import renderer
    from tuneworks.trainers.spoken import spoken

    found = sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
    assert len(found) > 30
    for template in found:
        plain.chat_template = template.read_text()
        if template.name.startswith(REFUSED):
            with pytest.raises(InputError, match="the model's chat template"):
                spoken(TALK[:3], TALK[3:], "all", renderer(plain))
            continue
        pieces = [sequence.pieces() for sequence in spoken(TALK[:3], TALK[3:], "all", renderer(plain))]
        inside, outside = ([text for row in pieces for text, said in row if said == side] for side in (True, False))
        for one, word in zip(inside, ("Hello!", "Farewell."), strict=True):
            assert word in one and not any(other in one for other in ("Hi", "Bye", "assistant")), template.name
        assert "Farewell." not in "".join(outside), template.name


def merging(folder: Path) -> Any:
    """A byte tokenizer that has two line breaks as one token, as many models do."""
    from transformers import AutoTokenizer

    save_tokenizer(folder, CHATML)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["ĊĊ"] = len(content["model"]["vocab"])
    content["model"]["merges"] = [["Ċ", "Ċ"]]
    path.write_text(json.dumps(content))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return AutoTokenizer.from_pretrained(folder)


def test_a_token_does_not_hold_both_a_header_and_an_answer(tmp_path: Path) -> None:
    from tuneworks.trainers.labelled import renderer, tokenised
    from tuneworks.trainers.spoken import spoken

    tokenizer = merging(tmp_path)
    asked, said = [{"role": "user", "content": "Hi"}], [{"role": "assistant", "content": "\nHello"}]
    (found,) = tokenised(spoken(asked, said, "all", renderer(tokenizer)), tokenizer)
    header = tokenizer.apply_chat_template(asked, tokenize=True, return_dict=True, add_generation_prompt=True)
    start = found.in_loss.index(True)
    assert found.tokens[:start] == header["input_ids"]
    assert tokenizer.decode(found.tokens[start:]) == "\nHello<|im_end|>\n"
    whole = tokenizer.apply_chat_template([*asked, *said], tokenize=True, return_dict=True)["input_ids"]
    assert whole[start - 1] == tokenizer.convert_tokens_to_ids("ĊĊ")


def spaced(folder: Path) -> Any:
    """A tokenizer that puts a space before every text, as those of SentencePiece do."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "</s>", *"▁abcdefghijklmnopqrstuvwxyzINST[]/\n"]
    tokenizer = Tokenizer(models.BPE(vocab={piece: at for at, piece in enumerate(pieces)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")
    fast.chat_template = MISTRAL.replace("<|im_end|>", "</s>").replace("%} {{ turn", "%}{{ turn")
    return fast


def test_a_tokenizer_that_changes_pieces_is_given_the_whole(tmp_path: Path) -> None:
    from tuneworks.trainers.labelled import renderer, tokenised
    from tuneworks.trainers.masks import _spans
    from tuneworks.trainers.spoken import spoken

    tokenizer = spaced(tmp_path)
    turns = [{"role": role, "content": word} for role, word in zip(["user", "assistant"] * 2, "abcd", strict=True)]
    (found,) = tokenised(spoken(turns[:3], turns[3:], "all", renderer(tokenizer)), tokenizer)
    assert found.tokens == tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]
    assert [text for inside, text in _spans(found, tokenizer) if inside] == ["b</s>", "d</s>"]


def conversations(count: int) -> list[Record]:
    said = [Message("user", "Hi"), Message("assistant", "Hello!"), Message("user", "Bye")]
    return [Record.born([*said[:2], Message("user", f"Bye {n}")], answers=[Answer("Farewell.")]) for n in range(count)]


@pytest.mark.parametrize(("turns", "in_loss"), [("all", 2 * 2 + 6 + 9), ("last", 2 + 9)])
def test_trl_keeps_every_turn_that_was_asked_for(turns: Which, in_loss: int, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", conversations(4), conversations(2))
    model = build_tiny_model(tmp_path / "model")
    train_here(Sft(model=model, turns=turns, args={"max_steps": 1}), data, tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["tokens_in_loss"] == 4 * in_loss
    shown = (tmp_path / "out/masks.txt").read_text()
    assert shown.count("  in the loss ") == (2 if turns == "all" else 1)


def test_turns_that_are_rows_of_their_own_are_counted(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", conversations(4))
    model = build_tiny_model(tmp_path / "model", PHI)
    said = train_here(Sft(model=model, args={"max_steps": 1}), data, tmp_path / "out")
    assert said[0].startswith("8 rows, the longest")
    assert said[1].startswith("8 rows are single turns of conversations: the chat template writes an earlier turn")


def test_quality_is_of_the_last_answer() -> None:
    with pytest.raises(ValueError, match="quality is asked for of the last answer alone"):
        Quality(turns="all")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"assistant_only_loss": True}, "sft: args: assistant_only_loss needs a chat template that marks"),
        ({"packing": True, "packing_strategy": "wrapped"}, "wrapped cuts rows anywhere and lets them read each other"),
        ({"packing": True, "max_length": None}, "packing fills rows up to max_length, which is null; write a number"),
        ({"chat_template_path": "nowhere"}, "chat_template_path nowhere is no .jinja file; name one"),
    ],
)
def test_arguments_that_would_change_the_masks_are_refused(args: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Sft(args=args).check()


def test_a_template_of_ones_own_counts(tmp_path: Path) -> None:
    template = tmp_path / "own.jinja"
    data = write_dataset(tmp_path / "data", conversations(3))
    args = {"max_steps": 1, "chat_template_path": str(template)}
    template.write_text(CHATML.replace("<|im_start|>", "<|im_start|>=="))
    train_here(Sft(model=build_tiny_model(tmp_path / "model"), args=args), data, tmp_path / "out")
    shown = (tmp_path / "out/masks.txt").read_text()
    assert '  not learned  "<|im_start|>==user\\nHi<|im_end|>\\n<|im_start|>==assistant\\n"' in shown
