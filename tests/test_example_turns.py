"""Earlier turns that show how a form is filled."""

import json

import pytest

from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.example_turns import example_turns
from tuneworks.factory.form import Form

LONE = Form({"prompt": "Question"})
WORKED = Form({"reasoning": "Reasoning", "answer": "Answer"})


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize(
    ("form", "texts"), [(LONE, {"prompt": "Why?"}), (WORKED, {"reasoning": "2 and 2.", "answer": "4"})]
)
def test_a_shown_reply_can_be_read(form: Form, texts: dict[str, str], structured: bool) -> None:
    engine = Scripted(lambda r: "", structured=structured)
    asked, reply = example_turns(form, [("Ask.", texts)], engine, "en")
    assert (asked.role, reply.role) == ("user", "assistant")
    assert form.read(reply.content) == texts
    assert asked.content.startswith("Ask.") and form.layout("en", structured) in asked.content
    if structured:
        assert json.loads(reply.content) == texts
