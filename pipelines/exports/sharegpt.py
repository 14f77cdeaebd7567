"""ShareGPT's turns: from human, gpt or system, each with a value."""

from tuneworks.pipelines.exports.conversation import conversation
from tuneworks.trainers.rows import Row

NAMES = {"system": "system", "user": "human", "assistant": "gpt"}


def answered(row: Row) -> Row | str:
    asked = _asked(row)
    return asked if isinstance(asked, str) else {**asked, "conversations": [*asked["conversations"], _said(row)]}


def paired(row: Row) -> Row | str:
    asked = _asked(row)
    if isinstance(asked, str):
        return asked
    return {**asked, "chosen": _said(row, "chosen"), "rejected": _said(row, "rejected")}


def _asked(row: Row) -> Row | str:
    found = conversation(row["prompt"])
    if isinstance(found, str):
        return found
    return {"id": row["id"], "conversations": [{"from": NAMES[role], "value": text} for role, text in found.turns()]}


def _said(row: Row, column: str = "completion") -> dict[str, str]:
    return {"from": NAMES["assistant"], "value": row[column][0]["content"]}
