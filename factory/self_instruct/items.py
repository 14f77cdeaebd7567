"""Reading whole tasks (instruction, input, output) out of one reply: labelled texts, or a JSON list of objects.

Numbers, headings and marks around the labels do not matter, and no number is trusted: an instruction begins a task.
Whatever is not used comes back with the reason.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuneworks.factory.engine import Completion
from tuneworks.factory.form import Unreadable, whole_characters
from tuneworks.factory.self_instruct.listing import BROKEN, CUT, NO_TASK, TASKS, json_items

NAMES = ("instruction", "input", "output")

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            TASKS: {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in NAMES},
                    "required": list(NAMES),
                    "additionalProperties": False,
                },
            }
        },
        "required": [TASKS],
        "additionalProperties": False,
    }
)


@dataclass(frozen=True, slots=True)
class Item:
    """One task of a reply; a `reason` says why it is none, and its output is then what was left over."""

    instruction: str
    given: str
    output: str
    reason: str | None = None


def read_items(reply: Completion, labels: Sequence[str], opening: str = "") -> list[Item]:
    """The tasks of a reply, JSON or labelled with `labels`. Of a reply that was cut off the last task goes, no other.

    `opening` is what the reply goes on from. Raises Unreadable where no task is whole.
    """
    text = whole_characters(reply.text)
    cut = reply.finish == "length"
    if _JSON.search(text):
        items = list(json_tasks(text, cut))
    else:
        says_it_again = not opening or _marks(labels[:1]).match(text.lstrip())
        items = list(labelled_tasks(text if says_it_again else f"{opening} {text.lstrip()}", labels, cut))
    if not any(item.reason is None for item in items):
        raise Unreadable(next((item.reason for item in reversed(items) if item.reason), NO_TASK))
    return items


_JSON = re.compile(rf'"{TASKS}"\s*:\s*\[|(?:\A\s*|```\w{{0,8}}\s*)\[\s*\{{')


def json_tasks(text: str, cut: bool) -> Iterator[Item]:
    """Of {"tasks": [...]}, as far as its objects are whole."""
    items, rest, whole = json_items(text, TASKS)
    for held, written in items:
        yield _json_task(held, written) if isinstance(held, Mapping) else Item("", "", written, "it is no JSON object")
    if not whole and (half := rest.strip(" \n\t\r,")):
        yield Item("", "", half, CUT if cut else BROKEN)


def _json_task(held: Mapping[str, object], written: str) -> Item:
    instruction, given, output = (_as_text(held.get(name)) for name in NAMES)
    if instruction is None or output is None or (given is None and held.get("input") is not None):
        return Item("", "", written, f"its {_bad(instruction, output)} is no text")
    return _complete(instruction, given or "", output)


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return whole_characters(value).strip()  # JSON can spell half a character
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bad(instruction: str | None, output: str | None) -> str:
    return "instruction" if instruction is None else "output" if output is None else "input"


def labelled_tasks(text: str, labels: Sequence[str], cut: bool) -> Iterator[Item]:
    """Of "Instruction: ... Input: ... Output: ...", again and again; an input may be left out."""
    marks = list(_marks(labels).finditer(text))
    named = {label.casefold(): name for label, name in zip(labels, NAMES, strict=True)}
    if before := _without_heading(text[: marks[0].start()] if marks else text):
        yield Item("", "", before, "it stands before the first task")
    parts: dict[str, str] = {}
    again: list[str] = []
    for at, mark in enumerate(marks):
        name = named[mark[1].casefold()]
        if parts and name == "instruction":
            yield from _closed(parts, again, cut=False)
            parts, again = {}, []
        end = marks[at + 1].start() if at + 1 < len(marks) else len(text)
        part = text[mark.end() : end].strip()
        begins_anew = at + 1 < len(marks) and named[marks[at + 1][1].casefold()] == "instruction"
        part = (_without_heading(part) or part) if begins_anew else _RULE.sub("", part)
        if name in parts:
            again.append(part)
        else:
            parts[name] = part
    if parts:
        yield from _closed(parts, again, cut)


def _closed(parts: Mapping[str, str], again: Sequence[str], cut: bool) -> Iterator[Item]:
    """One task, and inputs or outputs that come again before the next one begins. A cut is at the end of these."""
    task = _labelled_task(parts)
    yield Item(task.instruction, task.given, task.output, CUT) if cut and not again else task
    if rest := "\n".join(part for part in again if part):
        yield Item("", "", rest, "it comes again after the task's input or output")


_NUMBER = r"[ \t>#*_-]{0,8}(?:\(?\d{1,3}[.)、．:：]{0,2}[ \t]{0,4})?[*_]{0,3}"


def _marks(labels: Sequence[str]) -> re.Pattern[str]:
    names = "|".join(re.escape(label) for label in labels)
    return re.compile(rf"^{_NUMBER}({names})s?[*_]{{0,3}}[ \t]{{0,4}}[:：][*_]{{0,3}}", re.IGNORECASE | re.MULTILINE)


_HEADING = re.compile(
    r"[ \t]*(?:[#*_=-]{2,12}[ \t]*)?"
    r"(?:(?:task|example|item|任务|示例|例)[ \t]?\(?\d{0,3}[.)、．:：]{0,2}|\(?\d{1,3}[.)、．:：]{1,2}|[#*_=-]{3,12})"
    r"[ \t]*[#*_=-]{0,12}[ \t]*",
    re.IGNORECASE,
)


_RULE = re.compile(r"(?:\A|\n)[ \t]*[#*_=-]{3,12}[ \t]*\Z")


def _without_heading(text: str) -> str:
    """Without last lines that only announce the next task: "Task 2:", "3.", "###"."""
    lines = text.strip().split("\n")
    while lines and (not lines[-1].strip() or _HEADING.fullmatch(lines[-1])):
        lines.pop()
    return "\n".join(lines)


def _labelled_task(parts: Mapping[str, str]) -> Item:
    missing = [name for name in ("instruction", "output") if name not in parts]
    if missing:
        held = "\n".join(parts.values())
        return Item("", "", held, f"the task lacks its {' and '.join(missing)}")
    return _complete(parts["instruction"], parts.get("input", ""), parts["output"])


_NO_INPUT = re.compile(
    r"[\W_]*(?:no(?: ?input|ne)?|n/?a|nothing|empty|null|not (?:needed|required|applicable)"
    r"|无|没有|不需要|无输入)[\W_]*",
    re.IGNORECASE,
)


def _complete(instruction: str, given: str, output: str) -> Item:
    """The instruction on one line; an input that only says there is none is none."""
    line = " ".join(instruction.split())
    if not line:
        return Item("", given, output, "its instruction is empty")
    return Item(line, "" if _NO_INPUT.fullmatch(given) else given, output)
