"""How an instruction and its input stand together in one prompt: one plain layout, or several by dice.

A model that is tuned on one layout alone does worse on others; the paper lays its data out in several too
(arXiv:2212.10560, section 3.3). The record's facts keep the instruction and the input apart, whatever the layout.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Literal

from tuneworks.factory.language import Language, language_of
from tuneworks.factory.prompts import filled
from tuneworks.factory.seeds import task_prompt

Layout = Literal["plain", "varied"]

LAYOUTS: Mapping[Language, Sequence[str]] = {
    "en": (
        "{instruction}\n\n{input}",
        "{instruction}\n\nInput:\n{input}",
        "{input}\n\n{instruction}",
        "Here is what I have:\n\n{input}\n\n{instruction}",
        '{instruction}\n\n"""\n{input}\n"""',
        "Task: {instruction}\nGiven: {input}",
    ),
    "zh": (
        "{instruction}\n\n{input}",
        "{instruction}\n\n输入：\n{input}",
        "{input}\n\n{instruction}",
        "我手上有这些内容：\n\n{input}\n\n{instruction}",
        "{instruction}\n\n「{input}」",
        "任务：{instruction}\n材料：{input}",
    ),
}


def laid_out(instruction: str, given: str, layout: Layout, rng: random.Random) -> str:
    """The prompt; an instruction without an input is the prompt."""
    if layout == "plain" or not given:
        return task_prompt(instruction, given)
    return filled(rng.choice(LAYOUTS[language_of(instruction)]), instruction=instruction, input=given)
