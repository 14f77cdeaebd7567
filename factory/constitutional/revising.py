"""One round: the model criticises an answer by a principle, then revises it by what it said.

The whole conversation is shown as one text, so that it stays apart from the examples, which are earlier turns of the
chat: of critiques before a critique, of revisions before a revision, so that all replies in a chat are of one sort. The
next round shows the revision in the place of the answer (arXiv:2212.08073 section 3.1).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuneworks.factory.constitutional.constitution import Principle
from tuneworks.factory.constitutional.examples import Example
from tuneworks.factory.constitutional.prompts import Prompts
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.form import Filled, Form, Unfilled, fill
from tuneworks.factory.language import Language
from tuneworks.factory.prompts import filled
from tuneworks.factory.record import Message
from tuneworks.factory.wording import refusal, repetition, same_text

CRITIQUE, REVISION = "critique", "revision"

FEWEST_LETTERS = 6  # of a sentence of ours that nobody else says by chance
_PARTS = re.compile(r"\{[a-z_]+\}|\n|(?<=[.。])")

Turns = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Revised:
    critique: str
    text: str


@dataclass(frozen=True, slots=True)
class Reviser:
    """Asks one engine for critiques and revisions in one language."""

    engine: Engine
    language: Language
    prompts: Prompts
    examples: Sequence[Example]
    settings: Request
    """How to sample; its messages come before all others."""

    async def revised(
        self, prompt: Sequence[Message], answer: str, principle: Principle, seeds: tuple[int, int]
    ) -> Revised | Unfilled:
        """`seeds` are those of the critique and of the revision."""
        talk = self._conversation(prompt, answer)
        critique = await self._criticised(talk, principle, seeds[0])
        if isinstance(critique, Unfilled):
            return critique
        said = critique.texts[CRITIQUE]
        revision = await self._rewritten(talk, principle, said, answer, seeds[1])
        return revision if isinstance(revision, Unfilled) else Revised(said, revision.texts[REVISION])

    async def _criticised(self, talk: str, principle: Principle, seed: int) -> Filled | Unfilled:
        shown = [example.critique for example in self.examples]
        return await fill(
            self._form(CRITIQUE),
            self._request(self._critique_examples(), self._asks_critique(talk, principle.critique), seed),
            self.engine,
            self.language,
            lambda texts: unusable_critique(texts[CRITIQUE], self.prompts, shown),
        )

    async def _rewritten(self, talk: str, principle: Principle, said: str, answer: str, seed: int) -> Filled | Unfilled:
        shown = [example.revision for example in self.examples]
        return await fill(
            self._form(REVISION),
            self._request(self._revision_examples(), self._asks_revision(talk, said, principle.revision), seed),
            self.engine,
            self.language,
            lambda texts: unusable_revision(texts[REVISION], answer, said, self.prompts, shown),
        )

    def _critique_examples(self) -> Turns:
        asked = ((self._asks_critique(self._talk_of(e), e.critique_request), e.critique) for e in self.examples)
        return tuple(turn for ask, reply in asked for turn in self._exchange(CRITIQUE, ask, reply))

    def _revision_examples(self) -> Turns:
        asked = (
            (self._asks_revision(self._talk_of(e), e.critique, e.revision_request), e.revision) for e in self.examples
        )
        return tuple(turn for ask, reply in asked for turn in self._exchange(REVISION, ask, reply))

    def _talk_of(self, example: Example) -> str:
        return self._conversation([Message("user", example.prompt)], example.answer)

    def _exchange(self, name: str, asked: str, reply: str) -> Turns:
        """An example, laid out as the model is asked to lay out its own reply."""
        layout = self._form(name).layout(self.language, self.engine.structured)
        return (
            Message("user", f"{asked}\n\n{layout}" if layout else asked),
            Message("assistant", json.dumps({name: reply}, ensure_ascii=False) if self.engine.structured else reply),
        )

    def _asks_critique(self, talk: str, request: str) -> str:
        return filled(self.prompts.critique, conversation=talk, request=request)

    def _asks_revision(self, talk: str, critique: str, request: str) -> str:
        return filled(self.prompts.revision, conversation=talk, critique=critique, request=request)

    def _conversation(self, prompt: Sequence[Message], answer: str) -> str:
        p = self.prompts
        names = {"system": p.system, "user": p.user, "assistant": p.assistant}
        return "\n\n".join(f"{names[m.role]} {m.content}" for m in [*prompt, Message("assistant", answer)])

    def _form(self, name: str) -> Form:
        label = self.prompts.critique_label if name == CRITIQUE else self.prompts.revision_label
        return Form({name: label})

    def _request(self, examples: Turns, asked: str, seed: int) -> Request:
        turns = (*self.settings.messages, *examples, Message("user", asked))
        return replace(self.settings, messages=turns, seed=seed)


def unusable_critique(critique: str, prompts: Prompts, shown: Sequence[str]) -> str | None:
    """Why a text is no critique, or None; `shown` are those of the examples."""
    if critique in shown:
        return "the critique is that of an example"
    return leak(critique, prompts) or refusal(critique) or repetition(critique)


def unusable_revision(revision: str, answer: str, critique: str, prompts: Prompts, shown: Sequence[str]) -> str | None:
    """Why a text is no revision, or None; `shown` are those of the examples.

    The answer as it was is fine, and so is one that declines.
    """
    if revision == answer:
        return None
    if revision in shown:
        return "the revision is that of an example"
    if same_text(revision, critique):
        return "the revision only says the critique again"
    return leak(revision, prompts) or repetition(revision)


def leak(text: str, prompts: Prompts) -> str | None:
    """A sentence of our requests that comes back, or a line with which the conversation goes on."""
    asked = _PARTS.split(prompts.critique) + _PARTS.split(prompts.revision)
    said = next((part.strip() for part in asked if len(part.strip()) >= FEWEST_LETTERS and part.strip() in text), None)
    if said is not None:
        return f'it says our request again: "{said}"'
    speakers = (prompts.system, prompts.user, prompts.assistant)
    line = next((line for line in map(str.strip, text.splitlines()) if line.startswith(speakers)), None)
    return None if line is None else f'it goes on with the conversation: "{line[:40]}"'
