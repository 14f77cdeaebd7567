"""Checks that defects found in other systems are not ours."""

from tuneworks.factory.answer import AnswerPrompts
from tuneworks.factory.engine import Request
from tuneworks.factory.errors import EngineError
from tuneworks.factory.journal import key_of
from tuneworks.factory.prompts import filled
from tuneworks.factory.record import Message, Record, to_table
from tuneworks.factory.self_instruct.listing import split_tasks
from tuneworks.filters.exact_duplicates import ExactDuplicates
from tuneworks.filters.filter import Filter
from tuneworks.filters.rouge import Rouge
from tuneworks.pipelines.conformance import constitutional
from tuneworks.pipelines.conformance.rule import tried

prompts_are_never_cut = constitutional.prompts_are_never_cut


def _kept(chosen: Filter, *prompts: str) -> int:
    table = to_table([Record.born(prompt, meta={"row": at}) for at, prompt in enumerate(prompts)])
    return chosen.reject(chosen.measure(table)).null_count()


def one_duplicate_stays() -> bool:
    again = ["Name a fish that swims in rivers."] * 3
    return _kept(ExactDuplicates(), *again) == 1 and _kept(Rouge(), *again) == 1


def short_texts_are_compared() -> bool:
    return _kept(Rouge(), "", "Fish", "Fish", "Bird") == 3


def failures_stay_alone() -> bool:
    def reply(request: Request) -> str:
        if "3" in request.messages[0].content:
            raise EngineError("too long")
        return f"re: {request.messages[0].content}"

    made = tried(AnswerPrompts(), [Record.born(f"Name fish {n}.") for n in range(6)], reply)
    own = all(record.answers[0].text == f"re: {record.prompt_text}" for record in made.kept)
    return own and len(made.kept) == 5 and [gone.record.prompt_text for gone in made.gone] == ["Name fish 3."]


def numbers_are_taken_off() -> bool:
    return split_tasks("Name a fish.\n2. Name a bird.") == ["Name a fish.", "Name a bird."]


def system_prompt_is_in_the_key() -> bool:
    ask = Message("user", "Name a fish.")
    keys = {key_of("engine", Request((Message("system", guide), ask))) for guide in ("Be brief.", "Be kind.")}
    return len(keys) == 2


def braces_stay() -> bool:
    return filled('{"a": {task}, \n "question"}', task="b") == '{"a": b, \n "question"}'
