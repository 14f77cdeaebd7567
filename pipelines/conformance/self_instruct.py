"""Checks of the claims about Self-Instruct and Alpaca's variant of it, against a scripted model."""

import json
import random
from functools import cache

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.rouge import RougeIndex, ascii_tokens, rouge_l
from tuneworks.factory.seeds import read_seeds
from tuneworks.factory.self_instruct import SelfInstruct
from tuneworks.factory.self_instruct.growth import WINDOW
from tuneworks.factory.self_instruct.layouts import LAYOUTS
from tuneworks.factory.self_instruct.listing import split_published, split_tasks
from tuneworks.factory.self_instruct.one_call import OneCall
from tuneworks.factory.self_instruct.pool import Gate
from tuneworks.factory.self_instruct.text_rules import (
    ALPACA_RULES,
    INSTANCE_RULES,
    PUBLISHED_RULES,
    group_complaints,
    instance_complaint,
    task_complaint,
)
from tuneworks.pipelines.conformance.rule import Trial, tried
from tuneworks.pipelines.recipe import parse_recipe
from tuneworks.trainers.rows import SFT

TARGET = 120


def _lists_tasks(request: Request) -> bool:
    return request.max_tokens == 1024


def _reply(request: Request) -> str:
    """A list of tasks nobody has thought of, or an instance, whichever is asked for."""
    rng = random.Random(request.seed)
    words = ["".join(rng.choices("abcdefghij", k=6)) for _ in range(12)]
    if _lists_tasks(request):
        return f" Tell {' '.join(words[:6])}.\n10. Tell {' '.join(words[6:])}.\n"
    return f"Example 1\nInput: {words[0]}\nOutput: {words[1]}\n\n"


@cache
def _paper() -> Trial:
    return tried(SelfInstruct.model_validate({"preset": "paper", "target": TARGET}), read_seeds("builtin", ""), _reply)


def _listing() -> list[Request]:
    return [r for r in _paper().requests if _lists_tasks(r)]


def _asking(tokens: int) -> Request:
    return next(r for r in _paper().requests if r.max_tokens == tokens)


def seeds() -> bool:
    return len(read_seeds("builtin", "")) == 175 and len(read_seeds("builtin-zh", "")) == 60


def shows_six_and_two() -> bool:
    known = {s.id for s in read_seeds("builtin", "")}
    first, *_, last = [record.parents for record in _paper().kept]
    people = [sum(parent in known for parent in parents) for parents in (first, last)]
    return len(first) == len(last) == 8 and people == [8, 6]


def listing_settings() -> bool:
    asked = {(r.temperature, r.top_p, r.presence_penalty, r.max_tokens) for r in _listing()}
    return asked == {(0.7, 0.5, 2.0, 1024)}


def stops_at_16() -> bool:
    return all({"\n\n", "\n16"} <= set(r.stop) for r in _listing())


def grows_by_a_window() -> bool:
    return WINDOW == 32 and len(_paper().kept) == TARGET


def drops_a_cut_reply() -> bool:
    cut = Completion(" Name a fish that swims.\n10. Name a bird that", "length")
    options = SelfInstruct.model_validate({"preset": "paper", "target": 1})
    made = tried(options, read_seeds("builtin", ""), lambda request: cut)
    return not made.kept and all("dropped whole" in gone.reason for gone in made.gone)


def splits() -> bool:
    return split_published(" a b\n10. c  d\n11) e") == ["a b", "c d 11) e"] and len(split_tasks("a\n10、b")) == 2


def _dropped(*texts: str) -> list[bool]:
    return [task_complaint(text, PUBLISHED_RULES) is not None for text in texts]


def keeps_case() -> bool:
    task = {"instruction": "Tell me what NASA did.", "input": "", "output": "It flew."}
    made = tried(OneCall(target=1), read_seeds("builtin", ""), lambda r: json.dumps({"tasks": [task]}), structured=True)
    return made.kept[0].meta["instruction"] == task["instruction"]


def word_limits() -> bool:
    return _dropped("Name a fish", "Name a nice fish", "w " * 150, "w " * 151) == [True, False, False, True]


def listed_words() -> bool:
    return _dropped("Please draw a conclusion now", "Please do redraw nothing now") == [True, False]


def write_a_program() -> bool:
    return _dropped("write a PROGRAM that sorts it") == [True]


def punctuation_first() -> bool:
    return _dropped('"Good day" is said when?', "Good day is said when?") == [True, False]


def not_ascii_first() -> bool:
    return _dropped("鱼 为什么 会 游泳 呢") == [True]


def order() -> bool:
    names = [
        "too_few_words",
        "too_many_words",
        "listed_word",
        "write_a_program",
        "punctuation_first",
        "not_ascii_first",
    ]
    return [name for name, _ in PUBLISHED_RULES] == names


def novelty_at_the_limit() -> bool:
    """Seven of ten words in common is exactly 0.7, which stays; eight is over."""
    index = RougeIndex(ascii_tokens)
    index.add("a b c d e f g h i j")
    at, over = index.nearest("a b c d e f g x y z"), index.nearest("a b c d e f g h y z")
    limit = Gate.of("published", 0.7).most_similar
    return at is not None and over is not None and at.score == rouge_l("abcdefghij", "abcdefgxyz") <= limit < over.score


def nearest_is_kept() -> bool:
    return all({"nearest", "nearest_score"} <= set(record.meta) for record in _paper().kept)


def question() -> bool:
    return _asking(3).temperature == 0


def instances_by_examples() -> bool:
    return _asking(350).opening.count("\n\n") >= 2


def instance_settings() -> bool:
    return (_asking(350).temperature, _asking(350).presence_penalty) == (0, 1.5)


def five_instances() -> bool:
    return SelfInstruct.model_validate({"preset": "paper"}).instances == 5


def _instance_dropped(given: str, output: str) -> bool:
    return instance_complaint("Do it.", given, output, INSTANCE_RULES) is not None


def output_equals_input() -> bool:
    return _instance_dropped("a b", "a b")


def no_output() -> bool:
    return _instance_dropped("a", "")


def ends_with_colon() -> bool:
    return _instance_dropped("a:", "b") and _instance_dropped("a", "b:")


def contradictions() -> bool:
    all_gone = None not in group_complaints([("a", "b"), ("a", "c"), ("d", "e")])
    return all_gone and [c is None for c in group_complaints([("a", "b"), ("a", "b")])] == [True, False]


def layouts() -> bool:
    varied = SelfInstruct.model_validate({"preset": "paper"}).layout == "varied"
    return varied and all(len(set(texts)) == 6 for texts in LAYOUTS.values())


def seeds_can_be_a_source() -> bool:
    return "both" in parse_recipe("name: a\nsources: {both: {seeds: builtin}, made: {seeds: builtin}}", "a").sources


def no_loss_on_prompts() -> bool:
    return {"prompt", "completion"} <= set(SFT)


@cache
def _alpaca() -> Trial:
    task = {"instruction": "Tell me how bees see.", "input": "", "output": "With eyes."}
    options = OneCall.model_validate({"preset": "alpaca", "target": 1})
    return tried(options, read_seeds("builtin", ""), lambda r: json.dumps({"tasks": [task]}), structured=True)


def alpaca_settings() -> bool:
    known = {s.id for s in read_seeds("builtin", "")}
    settings = {(r.temperature, r.max_tokens) for r in _alpaca().requests} == {(1.0, 3072)}
    (record,) = _alpaca().kept
    return settings and len(record.parents) == 3 and set(record.parents) <= known


def alpaca_keeps_what_is_before_a_cut() -> bool:
    cut = "Instruction: Tell me how bees see.\nInput: none\nOutput: With eyes.\n\nInstruction: Tell me how"
    options = OneCall.model_validate({"preset": "alpaca", "target": 1})
    made = tried(options, read_seeds("builtin", ""), lambda r: Completion(cut, "length"))
    return [r.meta["instruction"] for r in made.kept] == ["Tell me how bees see."]


def alpaca_words() -> bool:
    return task_complaint("Describe the music you like most", ALPACA_RULES) is not None


def alpaca_asks_once() -> bool:
    return not any(r.candidates or r.opening for r in _alpaca().requests)
