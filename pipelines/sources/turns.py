"""Messages of a row: lists of them in two spellings, and dialogues that are written as one text."""

import re
from collections.abc import Mapping, Sequence

from tuneworks.factory.errors import InputError
from tuneworks.factory.form import whole_characters
from tuneworks.factory.record import Message, Role

ROLES: Mapping[str, Role] = {
    "system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
}  # fmt: skip

_SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")


def is_dialogue(value: object) -> bool:
    """Whether it is a text that begins with a speaker's name, as hh-rlhf's do."""
    return isinstance(value, str) and _SPEAKER.match(value) is not None


def dialogue(text: str) -> list[Message]:
    """The turns of such a text. Only a name after an empty line begins one: "Human:" in mid-sentence is what was said.

    What stands before the first name is no turn.
    """
    _, *parts = _SPEAKER.split(whole_characters(text))
    said = zip(parts[::2], parts[1::2], strict=True)
    return [Message(ROLES[speaker.lower()], words.strip()) for speaker, words in said]


def messages(value: object, where: str) -> list[Message]:
    """A list of messages, or one message; raises InputError that names the place."""
    turns = [value] if isinstance(value, dict) else value
    if not isinstance(turns, list):
        raise InputError(f"the messages of {where} are no list; write [{{role: user, content: ...}}]")
    return [_message(turn, where) for turn in turns]


def _message(turn: object, where: str) -> Message:
    if isinstance(turn, dict):
        role, content = _either(turn, "role", "from"), _either(turn, "content", "value")
        if isinstance(role, str) and role in ROLES and isinstance(content, str):
            return Message(ROLES[role], whole_characters(content))
    known = ", ".join(sorted(ROLES))
    raise InputError(f"{where} has a message without role (one of {known}) or content; correct it")


def _either(turn: Mapping[str, object], name: str, other: str) -> object:
    """Parquet gives a message every key that any message has, most of them null."""
    value = turn.get(name)
    return turn.get(other) if value is None else value


def where_they_part(one: Sequence[Message], other: Sequence[Message]) -> int | None:
    """The first turn, from 1, in which two conversations differ; None where they are the same."""
    if one == other:
        return None
    same = [a == b for a, b in zip(one, other, strict=False)]
    return (same.index(False) if False in same else len(same)) + 1
