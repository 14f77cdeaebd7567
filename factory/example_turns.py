"""Examples as earlier turns of the chat: how a form was filled before. Small models follow these best."""

import json
from collections.abc import Iterable, Iterator, Mapping

from tuneworks.factory.engine import Engine
from tuneworks.factory.form import Form
from tuneworks.factory.language import Language
from tuneworks.factory.record import Message


def example_turns(
    form: Form, examples: Iterable[tuple[str, Mapping[str, str]]], engine: Engine, language: Language
) -> Iterator[Message]:
    """For each (what was asked, texts) a question and its reply, laid out as `fill` will ask and `form` read them."""
    layout = form.layout(language, engine.structured)
    for asked, texts in examples:
        yield Message("user", f"{asked}\n\n{layout}" if layout else asked)
        yield Message("assistant", _reply(form, texts, engine.structured))


def _reply(form: Form, texts: Mapping[str, str], structured: bool) -> str:
    if structured:
        return json.dumps(dict(texts), ensure_ascii=False)
    if len(form.labels) == 1:
        return "".join(texts.values())
    return "\n".join(f"{label}: {texts[name]}" for name, label in form.labels.items())
