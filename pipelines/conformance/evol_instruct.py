"""Checks of the claims about Evol-Instruct, against a scripted model."""

import random
from collections import Counter
from functools import cache

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.evol_instruct import EvolInstruct
from tuneworks.factory.evol_instruct.elimination import blank, copied, hardly_new, sorry
from tuneworks.factory.evol_instruct.operators import OPERATORS, draw
from tuneworks.factory.evol_instruct.prompts import PROMPTS
from tuneworks.factory.evol_instruct.signs import bad_sign
from tuneworks.factory.record import Record
from tuneworks.pipelines.conformance.rule import Trial, tried

FISH = Record.born("Name three fish.", meta={"instruction": "Name three fish.", "input": ""})
BREAD = Record.born("Summarize it.\n\nBread rises.", meta={"instruction": "Summarize it.", "input": "Bread rises."})
PAPER = EvolInstruct.model_validate({"preset": "paper", "rules": ["copied"], "operators": {"deepen": 1}})


def _new(request: Request) -> str | Completion:
    """An evolution that is new each time; unequal to its parent; an answer of a line."""
    if request.candidates:
        equal, *others = request.candidates
        return Completion("", log_probs={equal: -3.0, **dict.fromkeys(others, -0.1)})
    rng = random.Random(request.seed)
    words = " ".join("".join(rng.choices("abcdefghij", k=5)) for _ in range(9))
    return f"Name three fish, and say of each how {words}."


@cache
def _paper() -> Trial:
    return tried(PAPER, [FISH], _new)


def six_operators() -> bool:
    return len(OPERATORS) == 6 and set(EvolInstruct.model_validate({"preset": "paper"}).operators) == set(OPERATORS)


def one_operator_a_round() -> bool:
    records = [Record.born(f"Name {n} fish.") for n in range(1200)]
    drawn = Counter(draw(dict.fromkeys(OPERATORS, 1.0), Dice(0, "a"), record, 1) for record in records)
    return set(drawn) == set(OPERATORS) and min(drawn.values()) > 150


def four_rounds() -> bool:
    return EvolInstruct.model_validate({"preset": "paper"}).rounds == 4


def settings() -> bool:
    asked = {(r.temperature, r.top_p, r.max_tokens) for r in _paper().requests}
    return asked == {(1.0, 0.95, 2048)}


def failures_are_tried_again() -> bool:
    made = tried(PAPER, [FISH], lambda request: "#New Prompt# given prompt")
    rounds = {item.record.meta.get("round") for item in made.gone if item.part == "reply"}
    return rounds == {1, 2, 3, 4} and len(made.requests) <= 3 * 4


def all_rounds_are_kept() -> bool:
    return [record.meta.get("round", 0) for record in _paper().kept] == [0, 1, 2, 3, 4]


def what_adds_nothing_goes() -> bool:
    before = "Name three fish that swim in cold rivers and say where each of them was first seen."
    return (
        hardly_new(before.replace("first", "last"), before) is not None
        and hardly_new(f"{before} {before}", before) is None
    )


def equality_is_asked_both_ways() -> bool:
    options = PAPER.model_copy(update={"rules": ("no_gain",), "rounds": 1})
    asked = [r.messages[-1].content for r in tried(options, [FISH], _new).requests if r.candidates]
    both = [text for text in asked if "Name three fish." in text and "and say of each" in text]
    return len(both) == len(set(both)) == 2


def sorry_under_80_words() -> bool:
    short, long = "Sorry, I cannot." + " word" * 76, "Sorry, I cannot." + " word" * 77
    return sorry(short, "Name a fish.", "en") is not None and sorry(long, "Name a fish.", "en") is None


def blank_answers() -> bool:
    return blank("It is, of the ... and.") is not None and blank("No.") is None


def copied_words() -> bool:
    words = PROMPTS["en"]
    return copied(f"{words.label} name a fish.", "Name a fish.", words, (), "en") is not None


def input_is_part_of_it() -> bool:
    made = tried(PAPER, [BREAD], _new)
    return any("Bread rises." in m.content for m in made.requests[0].messages)


def answers_are_kept() -> bool:
    options = PAPER.model_copy(update={"rules": ("sorry", "blank"), "rounds": 1})
    return [len(record.answers) for record in tried(options, [FISH], _new).kept] == [0, 1]


def cheap_signs() -> bool:
    words = PROMPTS["en"]
    bad = [
        "Name three fish:\n" + "\n".join(f"{n}. one" for n in range(11)),
        "I'm sorry, but name three fish as you like.",
    ]
    default = "cheap" in EvolInstruct().rules and "cheap" not in EvolInstruct.model_validate({"preset": "paper"}).rules
    return default and all(bad_sign(text, text, FISH, "deepen", words, "en") for text in bad)


def parents_are_named() -> bool:
    before = [FISH.id, *(record.id for record in _paper().kept[1:-1])]
    facts = {"operator", "round"} <= set(_paper().kept[-1].meta)
    return facts and [record.parents for record in _paper().kept[1:]] == [(parent,) for parent in before]
