"""Prompts for consumers that know only a system turn, then a person and an assistant in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Turn = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Conversation:
    system: str
    """Nothing where there is no system turn."""
    history: tuple[tuple[str, str], ...]
    """What was asked and answered before."""
    asked: str

    def turns(self) -> list[tuple[str, str]]:
        """(role, text) in order, up to what is asked."""
        earlier = [turn for asked, said in self.history for turn in (("user", asked), ("assistant", said))]
        return [*([("system", self.system)] if self.system else []), *earlier, ("user", self.asked)]


def conversation(prompt: Sequence[Turn]) -> Conversation | str:
    """The prompt, or why it does not have that shape, in words that follow "because"."""
    system = prompt[0]["content"] if prompt and prompt[0]["role"] == "system" else None
    turns = prompt if system is None else prompt[1:]
    if any(turn["role"] == "system" for turn in turns):
        return "a system turn stands inside the conversation"
    if reason := empty_turn(prompt):
        return reason
    if len(turns) % 2 == 0 or any(t["role"] != ("user", "assistant")[at % 2] for at, t in enumerate(turns)):
        return "its turns do not alternate between user and assistant"
    texts = [turn["content"] for turn in turns]
    return Conversation(system or "", tuple(zip(texts[:-1:2], texts[1::2], strict=True)), texts[-1])


def empty_turn(turns: Sequence[Turn]) -> str | None:
    blank = next((turn["role"] for turn in turns if not turn["content"].strip()), None)
    return None if blank is None else f"its turn of the {blank} has no text"
