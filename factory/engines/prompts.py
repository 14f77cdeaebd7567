"""Requests as tokens, by the model's own chat template: the same for every engine that has the model's tokenizer."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from jinja2 import TemplateError

from tuneworks.factory.engine import Request
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Message


class Prompts:
    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, request: Request) -> list[int]:
        """The messages and the reply's opening; raises EngineError where the template refuses them."""
        return self._tokens(self._laid_out(request.messages, "these messages") + request.opening)

    def given(self, messages: Sequence[Message], text: str, opening: str = "") -> tuple[list[int], list[int]]:
        """What stands before a reply that is there already, and the reply. The template ends where the reply begins, so
        the two are tokenised apart: as they are when the model writes. Raises EngineError as `encode` does."""
        context = self._laid_out(messages, "the prompt") if messages else ""
        return self._tokens(context + opening) or self.header, self._tokens(text)

    def first_tokens(self, candidates: Sequence[str]) -> dict[str, int]:
        first = {c: self._tokens(c)[0] for c in candidates}
        if len(set(first.values())) < len(first):
            raise EngineError(f"two of the candidates {list(first)} begin with the same token")
        return first

    @cached_property
    def header(self) -> list[int]:
        """The template's sign that a reply begins."""
        turns = [{"role": "user", "content": "."}]
        without = str(self._tokenizer.apply_chat_template(turns, tokenize=False))
        header = self._laid_out([Message("user", ".")], "a question").removeprefix(without)
        return self._tokens(header) or [self._tokenizer.eos_token_id]

    def _laid_out(self, messages: Sequence[Message], called: str) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        try:
            return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        except TemplateError as error:
            raise EngineError(f"the model's chat template refuses {called} ({error})") from error

    def _tokens(self, text: str) -> list[int]:
        whole = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text to a tokenizer
        return list(self._tokenizer(whole, add_special_tokens=False)["input_ids"])
