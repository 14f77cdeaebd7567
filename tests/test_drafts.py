"""What is asked for an evolution, where a reply is begun, and how it becomes an instruction and an input."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.evol_instruct.drafts import Draft, Drafting, form, instruction_and_input, split_data
from tuneworks.factory.evol_instruct.examples import DATA_LEADS, EXAMPLES, LEADS
from tuneworks.factory.evol_instruct.operators import OPERATORS, Operator
from tuneworks.factory.evol_instruct.prompts import CHINESE, ENGLISH
from tuneworks.factory.form import Filled, fill
from tuneworks.factory.record import Message, Record

DICE = Dice(3, "made.evol_instruct")
LED = Drafting(ENGLISH, "en", structured=False, leads=True, max_tokens=90, temperature=0.7, top_p=0.9)
FREE = replace(LED, leads=False)
PLAIN = Record.born("Write a short poem about the sea.")
GIVEN = Record.born(
    "Is this message formal?\n\nhey, save me a seat",
    meta={"instruction": "Is this message formal?", "input": "hey, save me a seat"},
)


def made(draft: Draft, reply: str) -> tuple[str, str]:
    asked = asyncio.run(fill(form(ENGLISH), draft.request, Scripted(lambda r: Completion(reply)), "en"))
    assert isinstance(asked, Filled)
    return draft.task(asked)


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_examples_come_first_and_the_request_last(operator: Operator) -> None:
    messages = FREE.draft(PLAIN, operator, 1, DICE).request.messages
    assert [m.role for m in messages] == ["user", "assistant"] * len(EXAMPLES["en"][operator]) + ["user"]
    assert {m.content for m in messages if m.role == "assistant"} == {e.after for e in EXAMPLES["en"][operator]}
    assert messages[-1].content.endswith("\n\nWrite a short poem about the sea.")
    assert "{" not in messages[-1].content


def test_no_example_says_a_lead() -> None:
    for language, leads in LEADS.items():
        for operator, starts in leads.items():
            said = " ".join(example.after for example in EXAMPLES[language][operator])
            assert operator == "complicate_input" or not any(start in said for start in starts)


def test_every_round_asks_with_another_seed_and_the_options() -> None:
    first, second = (FREE.draft(PLAIN, "deepen", n, DICE).request for n in (1, 2))
    assert first.seed != second.seed and first == FREE.draft(PLAIN, "deepen", 1, DICE).request
    assert (first.max_tokens, first.temperature, first.top_p, first.opening) == (90, 0.7, 0.9, "")


def test_an_engine_held_to_a_schema_is_shown_json_and_not_led() -> None:
    request = replace(LED, structured=True).draft(PLAIN, "deepen", 1, DICE).request
    assert request.opening == ""
    assert json.loads(request.messages[1].content) == {"request": EXAMPLES["en"]["deepen"][0].after}


def test_a_led_reply_goes_on_from_the_old_request() -> None:
    draft = LED.draft(PLAIN, "constraints", 1, DICE)
    lead = draft.begun.removeprefix("Write a short poem about the sea. ")
    assert lead in LEADS["en"]["constraints"] and draft.request.opening == draft.begun
    assert draft.request.stop == ("\n",)
    assert made(draft, " rhyme every line.") == (f"{draft.begun} rhyme every line.", "")
    assert made(draft, "rhyme every line.") == (f"{draft.begun} rhyme every line.", "")


def test_a_led_reply_stands_between_instruction_and_input() -> None:
    draft = LED.draft(GIVEN, "deepen", 1, DICE)
    assert draft.begun.startswith("Is this message formal? ")
    assert made(draft, " it was sent.") == (f"{draft.begun} it was sent.", "hey, save me a seat")


@pytest.mark.parametrize("operator", ["concretise", "breadth"])
def test_where_no_lead_fits_the_first_words_are_kept(operator: Operator) -> None:
    assert LED.draft(PLAIN, operator, 1, DICE).begun == "Write a"
    chinese = replace(LED, words=CHINESE, language="zh")
    assert chinese.draft(Record.born("写一首关于大海和渔船的诗。"), operator, 1, DICE).begun == "写一首关"


def test_data_is_written_out_after_the_request() -> None:
    seen = set()
    for number in range(30):
        draft = LED.draft(Record.born(f"Name fish {number}."), "complicate_input", 1, DICE)
        instruction, data = made(draft, 'a": 1}\n' if draft.close else "a | b |\n|---|---|\n| 1 | 2 |")
        assert instruction == f"Name fish {number}. Use the data below."
        start = data[: data.index("a")].rstrip(" ")
        assert draft.begun.endswith(start)
        assert draft.close == "" or data.endswith("\n```")
        last = draft.request.messages[-3].content
        assert any(word in last for word in ("table", "JSON", "XML", "code"))
        seen.add(start)
    assert len(seen) == len(DATA_LEADS)


def test_the_example_with_the_same_form_of_data_comes_last() -> None:
    for number in range(12):
        messages = FREE.draft(Record.born(f"Name fish {number}."), "complicate_input", 1, DICE).request.messages
        assert messages[-1].content.partition(", and write")[0] == messages[-3].content.partition(", and write")[0]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Sort this.\n\n```json\n[2, 1]\n```", ("Sort this.", "```json\n[2, 1]\n```")),
        ("Sort this.\n| a |\n|---|\n| 1 |", ("Sort this.", "| a |\n|---|\n| 1 |")),
        ("```json\n[2, 1]\n```", ("```json\n[2, 1]\n```", "")),
        ("Sort this:\n```\n1\n```\nand that.", ("Sort this:\n```\n1\n```\nand that.", "")),
        ("A.\n```\n1\n```\nB.\n```\n2\n```", ("A.\n```\n1\n```\nB.\n```\n2\n```", "")),
        ("Say ```x``` aloud.", ("Say ```x``` aloud.", "")),
        ("Sort this.\n```json\n[2", ("Sort this.\n```json\n[2", "")),
        ("Sort 2, 1.", ("Sort 2, 1.", "")),
    ],
)
def test_data_at_the_end_is_the_input(text: str, parts: tuple[str, str]) -> None:
    assert split_data(text) == parts


@given(st.text(alphabet="ab |`\n-#\u202e\u05d0", max_size=300))
def test_no_text_is_lost_when_data_is_split_off(text: str) -> None:
    instruction, data = split_data(text)
    assert (instruction + data).replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert instruction or not text.strip()


def test_facts_that_no_longer_fit_the_prompt_are_not_believed() -> None:
    assert instruction_and_input(GIVEN) == ("Is this message formal?", "hey, save me a seat")
    other = replace(GIVEN, prompt=(Message("user", "Name a fish."),))
    assert instruction_and_input(other) == ("Name a fish.", "")
    assert instruction_and_input(PLAIN) == ("Write a short poem about the sea.", "")


def test_a_request_of_one_word_can_be_led() -> None:
    for operator in OPERATORS:
        request: Request = LED.draft(Record.born("Why?"), operator, 1, DICE).request
        assert request.opening.startswith("Why?")
