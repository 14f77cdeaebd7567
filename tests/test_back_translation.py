"""From documents to the instructions that they answer; pairs with a low mark go."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.back_translation import PROMPTS, BackTranslation, no_instruction, opening_part
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.record import Record, Rejected, to_rejected_table, to_table

DICE = Dice(3, "made.back_translation")
TEXT = "Salt keeps meat because it draws out the water.\n\nWithout water, bacteria cannot grow in it."
SALT = Record.born(TEXT, source="docs", meta={"document": True, "layout": "document", "row": 1})
QUESTION = "Why does salt preserve meat?"


def run(
    records: Sequence[Record], reply: Callable[[Request], str | Completion], structured: bool = False, **options: object
) -> tuple[list[Record | Rejected], Scripted]:
    engine = Scripted(reply, structured=structured)

    async def collect() -> list[Record | Rejected]:
        generator = BackTranslation.model_validate(options)
        return [item async for item in generator.generate(records, engine, DICE)]

    return asyncio.run(collect()), engine


def test_a_document_becomes_the_answer_to_an_instruction() -> None:
    (made,), engine = run([SALT], lambda r: QUESTION)
    assert isinstance(made, Record)
    assert made.prompt_text == made.meta["instruction"] == QUESTION
    assert [(a.text, a.by, a.scores) for a in made.answers] == [(TEXT, "document", {})]
    assert made.parents == (SALT.id,) and made.source == "docs"
    assert "document" not in made.meta and "characters" not in made.meta
    assert TEXT in engine.calls[0].messages[-1].content and len(engine.calls) == 1


def test_a_chinese_document_is_asked_about_in_chinese_and_a_server_gets_the_schema() -> None:
    document = Record.born("盐能保存肉，因为它吸走了水分。", meta={"document": True})
    (made,), engine = run([document], lambda r: json.dumps({"instruction": "盐为什么能保存肉？"}), structured=True)
    assert isinstance(made, Record) and made.prompt_text == "盐为什么能保存肉？"
    assert "请用一句话" in engine.calls[0].messages[-1].content
    assert json.loads(engine.calls[0].schema)["required"] == ["instruction"]
    assert all("instruction" in json.loads(m.content) for m in engine.calls[0].messages if m.role == "assistant")


def test_a_long_document_is_cut_at_a_paragraph() -> None:
    (made,), engine = run([SALT], lambda r: QUESTION, max_characters=60)
    assert isinstance(made, Record)
    assert made.answers[0].text == "Salt keeps meat because it draws out the water."
    assert made.meta["characters"] == 47 and made.meta["document_characters"] == len(TEXT)
    assert "bacteria" not in engine.calls[0].messages[-1].content
    (gone,), engine = run([SALT], lambda r: QUESTION, max_characters=40)
    assert gone == Rejected(SALT, DICE.stage, "its first paragraph has 47 characters, over 40")
    assert not engine.calls


@given(st.lists(st.text(alphabet="ab \n", min_size=1, max_size=20), max_size=6), st.integers(1, 60))
def test_the_part_is_whole_paragraphs_from_the_beginning(paragraphs: list[str], most: int) -> None:
    document = "\n\n".join(paragraphs).strip()
    part = opening_part(document, most)
    if part is None:
        assert document.find("\n\n", 0, most + 1) == -1 and len(document) > most
    else:
        assert len(part) <= most and document.startswith(part)
        rest = document[len(part) :]
        assert not rest or rest.lstrip(" ").startswith("\n")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Salt keeps meat because it draws out water.", "ROUGE-L 0.941 with a sentence of the document"),
        ("What does the text say about salt?", 'it points at the answer: "the text"'),
        ("How is it?\n\nThe answer is: with salt.", 'it points at the answer: "the answer"'),
        ("Write the question or request that it answers, in one sentence.", "it repeats what the model was told"),
        ("How do owls manage to fly so quietly?", "it repeats an example of the prompt"),
        ("Make a video about salted meat.", "needs more than text"),
        ("Bacteria are small and they live in the meat.", "asks for nothing"),
        ("why " * 200, "200 words, more than 100"),
        ("", "the reply is empty"),
    ],
)
def test_what_is_no_instruction_is_asked_again_and_then_rejected(reply: str, reason: str) -> None:
    (gone,), engine = run([SALT], lambda r: reply)
    assert isinstance(gone, Rejected) and gone.reason.startswith(reason) and gone.part == "reply"
    assert len(engine.calls) == 3 and gone.record.parents == (SALT.id,)
    replies = iter([reply, QUESTION])
    (made,), _ = run([SALT], lambda r: next(replies))
    assert isinstance(made, Record) and made.prompt_text == QUESTION


def marking(**marks: float) -> Callable[[Request], str | Completion]:
    return lambda r: Completion("", log_probs=marks) if r.candidates else QUESTION


def test_pairs_with_a_low_mark_go() -> None:
    (kept,), engine = run([SALT], marking(**{"5": 0.0}), min_mark=4.5)
    assert isinstance(kept, Record) and kept.answers[0].scores == {"reward": 5.0}
    assert QUESTION in engine.calls[1].messages[-1].content and TEXT in engine.calls[1].messages[-1].content
    (gone,), _ = run([SALT], marking(**{"1": -0.7, "5": -0.7}), preset="paper")
    assert isinstance(gone, Rejected) and gone.reason == "the pair is marked 3.00, under 4.5"
    assert gone.part == "record" and gone.record.prompt_text == QUESTION
    (gone,), _ = run([SALT], marking(), min_mark=1)
    assert isinstance(gone, Rejected) and "none of the marks" in gone.reason


def test_what_is_no_document_is_set_aside_and_no_document_at_all_is_an_error() -> None:
    other = Record.born("Name a fish.")
    (gone, made), _ = run([other, SALT], lambda r: QUESTION)
    assert isinstance(gone, Rejected) and gone.record == other and gone.reason.startswith("it is no document")
    assert isinstance(made, Record)
    with pytest.raises(InputError, match="got 1 records and none is a document; start its source"):
        run([other], lambda r: QUESTION)


def test_an_engine_that_fails_sets_one_aside_and_one_that_is_gone_stops_the_run() -> None:
    def failing(error: Exception) -> Callable[[Request], str]:
        def reply(request: Request) -> str:
            raise error

        return reply

    (gone,), _ = run([SALT], failing(EngineError("too long")))
    assert isinstance(gone, Rejected) and gone.reason == "too long"
    with pytest.raises(EngineUnavailable):
        run([SALT], failing(EngineUnavailable("no server")))


def test_prompts_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "prompts.yaml"
    file.write_text("ask: 'Guess what was asked. {document}'")
    options = BackTranslation(prompts=str(file))
    options.check()
    assert options.reads() == (str(file),) and options.calls(5) == 5 and BackTranslation(min_mark=1).calls(5) == 10
    _, engine = run([SALT], lambda r: QUESTION, prompts=str(file))
    assert engine.calls[0].messages[-1].content.startswith("Guess what was asked. Salt")
    with pytest.raises(ValidationError):
        BackTranslation(min_mark=6)


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["{", '{"instruction": 3}', TEXT, "\x00", "Request: Request:", "1. a\n1. b", "\u202eא" * 50, "x" * 10**4]
    ),
)


@settings(deadline=None)
@given(HOSTILE)
def test_any_reply_gives_an_instruction_or_a_reason(reply: str) -> None:
    (item,), _ = run([SALT], lambda r: reply)
    if isinstance(item, Record):
        assert no_instruction(item.prompt_text, TEXT, PROMPTS["en"]) is None
        assert to_table([item]).height == 1
    else:
        assert item.reason and to_rejected_table([item]).height == 1
