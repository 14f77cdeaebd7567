"""Reading tasks out of a reply: a numbered list that goes on after our number, or a JSON list of texts."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tuneworks.factory.engine import Completion
from tuneworks.factory.form import Unreadable, whole_characters
from tuneworks.factory.self_instruct.text_rules import RuleSet

TASKS = "tasks"
"""The key of the JSON list."""

CUT = "cut off by the token limit"
BROKEN = "the JSON breaks off here"
NO_TASK = "the reply holds no task"


@dataclass(frozen=True, slots=True)
class Listed:
    """Whole tasks, and what cannot be one with the reason."""

    tasks: Sequence[str]
    broken: Sequence[tuple[str, str]] = ()


def read_list(reply: Completion, rules: RuleSet) -> Listed:
    """A numbered list whose first number was ours; raises Unreadable where there is nothing to use.

    The published code drops a reply that was cut off; only its last task is half a task, and ours drops that one.
    """
    text = whole_characters(reply.text)
    if rules == "published" and reply.finish == "length":
        raise Unreadable(f"cut off after {reply.usage.completion_tokens} tokens, and dropped whole")
    tasks = split_published(text) if rules == "published" else split_tasks(text)
    if not tasks:
        raise Unreadable(NO_TASK)
    return Listed(tasks[:-1], [(tasks[-1], CUT)]) if reply.finish == "length" else Listed(tasks)


_NUMBERED = re.compile(r"(?:^|\n)[^\S\n]*\d{1,2}[^\S\n]*[.．、)）:：]\s*")


def split_tasks(text: str) -> list[str]:
    """The items of a numbered list whose first number was ours; white space collapsed, a trailing colon taken off."""
    return [task for item in _NUMBERED.split(text) if (task := tidy(item))]


def split_published(text: str) -> list[str]:
    """The same as the published code reads it: a line break, digits, a dot and a space; a trailing colon stays."""
    items = (" ".join(item.split()) for item in re.split(r"\n\d+\s?\. ", text))
    return [item for item in items if item]


def tidy(task: str) -> str:
    return " ".join(task.split()).rstrip(":：").strip()


def read_json_list(reply: Completion) -> Listed:
    """The texts of {"tasks": [...]} as far as they are whole; raises Unreadable where there is none."""
    text = whole_characters(reply.text)
    items, rest, whole = json_items(text, TASKS)
    tasks = [task for item, _ in items if isinstance(item, str) and (task := tidy(whole_characters(item)))]
    broken = [(written, "an item of the list is no text") for item, written in items if not isinstance(item, str)]
    if not whole and (half := rest.strip(' \n\t\r",')):
        broken.append((half, CUT if reply.finish == "length" else BROKEN))
    if not tasks:
        raise Unreadable(NO_TASK)
    return Listed(tasks, broken)


def json_items(text: str, key: str) -> tuple[list[tuple[object, str]], str, bool]:
    """The JSON list under `key`, or the one that is the reply: its whole items, each with the text that spells it, what
    follows them, and whether the list ends there. Raises Unreadable where no such list begins."""
    begins = re.search(rf'"{re.escape(key)}"\s*:\s*\[', text) or re.search(r"(?:\A|```\w{0,8})\s*\[", text)
    if begins is None:
        raise Unreadable(f'the reply holds no JSON list "{key}"')
    reader = json.JSONDecoder(strict=False)  # raw line breaks inside of strings are forgiven
    items: list[tuple[object, str]] = []
    at = _next_item(text, begins.end())
    while not text.startswith("]", at):
        try:
            item, end = reader.raw_decode(text, at)
        except (ValueError, RecursionError):
            return items, text[at:], False
        items.append((item, text[at:end]))
        at = _next_item(text, end)
    return items, text[at + 1 :], True


def _next_item(text: str, at: int) -> int:
    """Past the commas and white space between items, however many."""
    while at < len(text) and text[at] in ", \t\r\n":
        at += 1
    return at
