"""Alpaca's columns, with those that LLaMA-Factory added: system, history, chosen, rejected and kto_tag.

The whole user turn is the instruction and `input` is empty: consumers join the two in ways of their own, and the
prompt would not be the one that was answered.
"""

from tuneworks.pipelines.exports.conversation import conversation
from tuneworks.trainers.rows import Row


def answered(row: Row) -> Row | str:
    asked = _asked(row)
    return asked if isinstance(asked, str) else {**asked, "output": row["completion"][0]["content"]}


def paired(row: Row) -> Row | str:
    asked = _asked(row)
    if isinstance(asked, str):
        return asked
    return {**asked, "chosen": row["chosen"][0]["content"], "rejected": row["rejected"][0]["content"]}


def _asked(row: Row) -> Row | str:
    found = conversation(row["prompt"])
    if isinstance(found, str):
        return found
    history = [list(pair) for pair in found.history]
    return {"id": row["id"], "instruction": found.asked, "input": "", "system": found.system, "history": history}
