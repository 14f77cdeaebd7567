"""Asking for an evolution: examples as earlier turns of the chat, the prompt, and where a small model is helped along.

An engine that holds replies to a schema writes the whole new request. Elsewhere, with leads, the reply is begun for it:
with the old request and a few words that go on from there, or with the old one's first words. A small model left to
itself answers the request that it should rewrite.
"""

import json
from dataclasses import dataclass

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Request
from tuneworks.factory.evol_instruct.examples import DATA, DATA_LEADS, EXAMPLES, LEADS, Data
from tuneworks.factory.evol_instruct.operators import Operator
from tuneworks.factory.evol_instruct.prompts import Prompts
from tuneworks.factory.form import Filled, Form
from tuneworks.factory.language import Language
from tuneworks.factory.prompts import filled
from tuneworks.factory.record import Message, Record
from tuneworks.factory.seeds import task_prompt

FIRST_WORDS: dict[Language, int] = {"en": 2, "zh": 4}
"""How many words, in Chinese characters, of the old request a new one begins with where no lead fits."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A request for an evolution. What it makes is `begun`, the reply, `close`, and then the input `given`."""

    request: Request
    begun: str = ""
    close: str = ""
    given: str = ""

    def task(self, reply: Filled) -> tuple[str, str]:
        """(instruction, input) of the evolved request; a block of data at its end is the input."""
        text = reply.texts["request"]
        if self.begun:
            text = f"{self.begun}{_glue(reply.reply.text, text, self.begun)}{text}{self.close}"
        return (text, self.given) if self.given else split_data(text)


def form(words: Prompts) -> Form:
    return Form({"request": words.label})


def split_data(text: str) -> tuple[str, str]:
    """What comes before a fenced block or a table at the end of a text, and that block; else the text and nothing."""
    text = text.strip()
    lines = text.split("\n")
    start = len(lines)
    if lines[-1].strip() == "```" and text.count("```") == 2:
        start = next(at for at, line in enumerate(lines) if "```" in line)
    elif not text.count("```"):
        while start and lines[start - 1].startswith("|") and lines[start - 1].rstrip().endswith("|"):
            start -= 1
    before, data = "\n".join(lines[:start]).strip(), "\n".join(lines[start:])
    return (before, data) if before and data.startswith(("```", "|")) else (text, "")


def instruction_and_input(record: Record) -> tuple[str, str]:
    """As the record's facts say, where they still are what its prompt is made of."""
    instruction, given = str(record.meta.get("instruction", "")), str(record.meta.get("input", ""))
    whole = record.prompt_text
    return (instruction, given) if instruction and task_prompt(instruction, given) == whole else (whole, "")


@dataclass(frozen=True, slots=True)
class Drafting:
    """Options of asking, and the words for it in one language."""

    words: Prompts
    language: Language
    structured: bool
    leads: bool
    max_tokens: int
    temperature: float
    top_p: float

    def draft(self, parent: Record, operator: Operator, round_: int, dice: Dice) -> Draft:
        rng = dice.random("draft", parent.id, round_)
        data: Data | None = None
        if operator == "complicate_input":
            data = rng.choice(list(DATA[self.language]))
        request = Request(
            messages=self._messages(operator, parent.prompt_text, data),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=dice.number("evolve", parent.id, round_),
        )
        if self.structured or not self.leads:
            return Draft(request)
        leads = LEADS[self.language].get(operator)
        return self._begun(request, parent, rng.choice(leads) if leads else "", operator, data)

    def _messages(self, operator: Operator, prompt: str, data: Data | None) -> tuple[Message, ...]:
        template: str = getattr(self.words, operator)
        examples = sorted(EXAMPLES[self.language][operator], key=lambda e: e.data == data)  # the same form comes last
        turns: list[Message] = []
        for example in examples:
            made = json.dumps({"request": example.after}, ensure_ascii=False) if self.structured else example.after
            turns += [self._asked(template, example.before, example.data), Message("assistant", made)]
        return (*turns, self._asked(template, prompt, data))

    def _asked(self, template: str, prompt: str, data: Data | None) -> Message:
        return Message("user", filled(template, prompt=prompt, data=DATA[self.language][data] if data else ""))

    def _begun(self, request: Request, parent: Record, lead: str, operator: Operator, data: Data | None) -> Draft:
        instruction, given = instruction_and_input(parent)
        if data:  # the old input stays in front of the new one
            start, stop = DATA_LEADS[data]
            begun = f"{parent.prompt_text}{self._space}{lead}\n\n{start}"
            return _going_on(request, begun, (stop,), close="\n```" if stop == "```" else "")
        if operator == "breadth":  # a new task needs a new input
            return _going_on(request, self._first_words(instruction), () if "\n" in parent.prompt_text else ("\n",))
        begun = f"{instruction}{self._space}{lead}" if lead else self._first_words(instruction)
        return _going_on(request, begun, () if "\n" in instruction else ("\n",), given=given)

    @property
    def _space(self) -> str:
        return " " if self.language == "en" else ""

    def _first_words(self, text: str) -> str:
        if self.language == "zh":
            return text[: min(FIRST_WORDS["zh"], len(text) // 3)]
        words = text.split()
        return " ".join(words[: min(FIRST_WORDS["en"], max(1, len(words) // 3))])


def _going_on(request: Request, begun: str, stop: tuple[str, ...], close: str = "", given: str = "") -> Draft:
    asked = Request(
        request.messages, begun, request.max_tokens, request.temperature, request.top_p, stop=stop, seed=request.seed
    )
    return Draft(asked, begun, close, given)


def _glue(raw: str, text: str, begun: str) -> str:
    """What stood between our words and the reply's; a space where a server took it off between English words."""
    space = raw[: len(raw) - len(raw.lstrip())]
    words = begun[-1].isascii() and begun[-1].isalnum() and text[0].isascii() and text[0].isalnum()
    return space or (" " if words or (begun[-1] in ".,;:?!" and text[0].isalnum() and text[0].isascii()) else "")
