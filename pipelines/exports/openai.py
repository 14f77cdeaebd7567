"""OpenAI's fine-tuning files, with what its published checks refuse set aside: texts that are empty, and small files.

Answers of earlier turns carry the weight 0: without it they would be trained on, too.
"""

from collections.abc import Mapping, Sequence

from tuneworks.pipelines.exports.conversation import empty_turn
from tuneworks.pipelines.exports.target import Exported
from tuneworks.trainers.rows import Row

LEAST = 10
"""Examples that a training file needs."""


def answered(row: Row) -> Row | str:
    earlier = [{**turn, "weight": 0} if turn["role"] == "assistant" else turn for turn in row["prompt"]]
    return empty_turn(row["prompt"]) or {"messages": [*earlier, row["completion"][0]]}


def paired(row: Row) -> Row | str:
    return empty_turn(row["prompt"]) or {
        "input": {"messages": row["prompt"]},
        "preferred_output": row["chosen"],
        "non_preferred_output": row["rejected"],
    }


def nothing(written: Sequence[Exported], model: str) -> Mapping[str, str]:
    """The training is asked for on OpenAI's side; no file says how."""
    return {}
