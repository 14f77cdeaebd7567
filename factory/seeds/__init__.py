"""Seeds of our own, and how seed tasks are read.

175 tasks in English and 60 in Chinese with an output each; 66 and 34 prompts without one that test harmlessness,
honesty and helpfulness, a third of which only look borderline; 24 and 8 short documents.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Record

BUILTIN = {
    "builtin": "en.jsonl",
    "builtin-zh": "zh.jsonl",
    "red-team": "red_team_en.jsonl",
    "red-team-zh": "red_team_zh.jsonl",
    "documents": "documents_en.jsonl",
    "documents-zh": "documents_zh.jsonl",
}
"""The names a recipe may write instead of a file's path."""


def seeds_file(name: str) -> Path:
    """The packaged file for a builtin name, else the path as given."""
    return Path(__file__).with_name(BUILTIN[name]) if name in BUILTIN else Path(name).expanduser()


def read_seeds(name: str, source: str) -> list[Record]:
    """Seed tasks from JSON Lines: `instruction`, and optionally `input`, `output`, `is_classification`, `kind`.

    Self-Instruct's own layout (`instances: [{input, output}]`) is read too, and a line with a `text` instead is a
    document.
    """
    path = seeds_file(name)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # splitlines() would split inside of strings
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"the seeds file {path} cannot be read: {reason}; name a JSON Lines file, or builtin"
        ) from error
    records = [
        _seed(_parsed(line, path, number), path, number, source) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not records:
        raise InputError(f'the seeds file {path} holds no task; write one a line, such as {{"instruction": "..."}}')
    return records


def task_prompt(instruction: str, given: str) -> str:
    """How an instruction and its input are laid out as one message."""
    return f"{instruction}\n\n{given}" if given else instruction


def _parsed(line: str, path: Path, number: int) -> Mapping[str, Any]:
    try:
        task = json.loads(line)
    except ValueError as error:
        raise InputError(f"line {number} of {path} is not JSON ({error}); correct or remove that line") from error
    if not isinstance(task, dict):
        raise InputError(f'line {number} of {path} is not an object; write {{"instruction": "..."}}')
    return task


def _seed(task: Mapping[str, Any], path: Path, number: int, source: str) -> Record:
    text = task.get("text")
    if "instruction" not in task and isinstance(text, str) and text.strip():
        kind = str(task.get("kind") or "")
        return Record.born(text.strip(), source=source, meta={"document": True, "kind": kind, "line": number})
    instances = task.get("instances")
    if isinstance(instances, list) and instances and isinstance(instances[0], dict):
        task = {**instances[0], **task}
    fields = {name: task.get(name) or "" for name in ("instruction", "input", "output", "kind")}
    wrong = next((name for name, value in fields.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise InputError(f"line {number} of {path}: {wrong} is not text; write it in quotes")
    instruction, given, output, kind = (fields[n].strip() for n in ("instruction", "input", "output", "kind"))
    if not instruction:
        raise InputError(f"line {number} of {path} has no instruction; every seed task needs one")
    return Record.born(
        task_prompt(instruction, given),
        answers=[Answer(output, by="seed")] if output else [],
        source=source,
        meta={
            "instruction": instruction,
            "input": given,
            "is_classification": bool(task.get("is_classification")),
            "kind": kind,
            "line": number,
        },
    )
