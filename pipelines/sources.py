"""Records from files: JSON Lines, JSON or Parquet, in the layouts people have."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Answer, Message, Record, Role
from tuneworks.factory.seeds import task_prompt

ROLES: Mapping[str, Role] = {
    "system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
}  # fmt: skip

CHOSEN, REJECTED = 1.0, 0.0
"""Rewards of the two answers of a preference that came with none."""


def read_file(name: str, source: str) -> list[Record]:
    """Every row as a record; the layout is recognised row by row. Raises InputError that names the row."""
    path = Path(name).expanduser()
    records = [_record(row, path, number, source) for number, row in _rows(path)]
    if not records:
        raise InputError(f"the file {path} holds no rows; name one that does")
    return records


def check_file(name: str) -> None:
    """Raise if the file cannot be read, without reading all of it."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise InputError(f"there is no file {path}; correct its path in the recipe")
    if path.suffix not in {".jsonl", ".json", ".parquet"}:
        raise InputError(f"the file {path} is of no kind that is read; give a .jsonl, .json or .parquet file")


def _rows(path: Path) -> Iterator[tuple[int, object]]:
    check_file(str(path))
    try:
        if path.suffix == ".parquet":
            yield from enumerate(pl.read_parquet(path).iter_rows(named=True), 1)
        elif path.suffix == ".json":
            yield from enumerate(_json_list(path), 1)
        else:
            yield from _json_lines(path)
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise InputError(f"the file {path} cannot be read ({error}); check that it is whole") from error


def _json_list(path: Path) -> list[object]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"the file {path} is not JSON ({error}); for one object a line, call it .jsonl") from error
    if not isinstance(rows, list):
        raise InputError(f"the file {path} is not a list of rows; wrap the rows in [ ]")
    return rows


def _json_lines(path: Path) -> Iterator[tuple[int, object]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError as error:
                    raise InputError(
                        f"line {number} of {path} is not JSON ({error}); correct or remove that line"
                    ) from error


def _record(row: object, path: Path, number: int, source: str) -> Record:
    if not isinstance(row, dict):
        raise InputError(f"row {number} of {path} is not an object; write {{...}}")
    filled = {name: value for name, value in row.items() if value is not None}
    prompt, answers, instruction, given = _layout(filled, f"row {number} of {path}")
    if not any(m.content.strip() for m in prompt):
        raise InputError(f"row {number} of {path} has an empty prompt; fill it or remove the row")
    meta = {"instruction": instruction, "input": given} if instruction else {}
    return Record.born(prompt, answers=answers, source=source, meta={**meta, "row": number})


Parsed = tuple[list[Message], list[Answer], str, str]


def _layout(row: Mapping[str, Any], where: str) -> Parsed:
    """(prompt, answers, instruction, input) of one row, whichever of the known layouts it has."""
    if "instruction" in row:
        instruction, given = _text(row, "instruction", where), _text(row, "input", where)
        prompt = [Message("user", task_prompt(instruction, given))]
        return prompt, _answers(row, ("output", "response"), where), instruction, given
    if "messages" in row or "conversations" in row:
        turns = _messages(row.get("messages", row.get("conversations")), where)
        chosen = _answers(row, (), where)
        if turns and turns[-1].role == "assistant" and not chosen:
            return turns[:-1], [Answer(turns[-1].content, by="file")], "", ""
        return turns, chosen, "", ""
    if "prompt" in row:
        value = row["prompt"]
        prompt = [Message("user", value)] if isinstance(value, str) else _messages(value, where)
        return prompt, _answers(row, ("completion", "response"), where), "", ""
    raise InputError(f"{where} has none of instruction, messages, conversations or prompt; it has {', '.join(row)}")


def _answers(row: Mapping[str, Any], names: tuple[str, ...], where: str) -> list[Answer]:
    if "chosen" in row and "rejected" in row:
        pair = (("chosen", CHOSEN), ("rejected", REJECTED))
        return [Answer(_last(row[n], n, where), by="file", scores={"reward": reward}) for n, reward in pair]
    texts = [_last(row[name], name, where) for name in names if name in row]
    return [Answer(text, by="file") for text in texts if text.strip()]


def _last(value: object, name: str, where: str) -> str:
    """The text of an answer that is a string, one message, or messages ending in the answer."""
    if isinstance(value, str):
        return value
    turns = _messages(value if isinstance(value, list) else [value], f"{name} of {where}")
    return turns[-1].content if turns else ""


def _messages(value: object, where: str) -> list[Message]:
    if not isinstance(value, list):
        raise InputError(f"the messages of {where} are no list; write [{{role: user, content: ...}}]")
    return [_message(turn, where) for turn in value]


def _message(turn: object, where: str) -> Message:
    if isinstance(turn, dict):
        role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        if isinstance(role, str) and role in ROLES and isinstance(content, str):
            return Message(ROLES[role], content)
    known = ", ".join(sorted(ROLES))
    raise InputError(f"{where} has a message without role (one of {known}) or content; correct it")


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"{name} of {where} is not text; write it in quotes")
    return value.strip()
