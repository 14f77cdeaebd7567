"""An answer's steps as tokens: what a process reward model is trained on, and what it reads.

After each step a tag stands twice. What the model says at the first, right (+) or wrong (-), is learned in the place of
the second; both stay the same whatever the verdict, so that no step gives away the label of one before it. Pieces are
tokenized apart, so that a tag is the same token whatever it stands beside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneworks.factory.errors import InputError

TAG, GOOD, BAD = "?", "+", "-"

PROCESS = "process_reward"
"""The entry in config.json of a model that judges steps, with its signs."""

SIGNS = {"tag": TAG, "good": GOOD, "bad": BAD}


@dataclass(frozen=True, slots=True)
class Signs:
    """Tokens of a vocabulary."""

    tag: int
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class Laid:
    tokens: list[int]
    places: list[int]
    """Of each step's first tag: the token after it is where its verdict is learned."""


def signs_of(tokenizer: Any, model: str) -> Signs:
    """Raises InputError where a sign is not one token, and one of its own."""
    found = {sign: tokenizer(sign, add_special_tokens=False)["input_ids"] for sign in (TAG, GOOD, BAD)}
    for sign, tokens in found.items():
        if len(tokens) != 1 or tokens[0] == tokenizer.unk_token_id:
            raise InputError(
                f"the tokenizer of {model} has no single token for {sign!r}, with which steps are judged; "
                "name another model"
            )
    if len({tokens[0] for tokens in found.values()}) < len(found):
        raise InputError(
            f"the tokenizer of {model} does not tell {TAG!r}, {GOOD!r} and {BAD!r} apart; name another model"
        )
    return Signs(*(tokens[0] for tokens in found.values()))


def laid_out(tokenizer: Any, signs: Signs, prompt: Sequence[Mapping[str, str]], steps: Sequence[str]) -> Laid:
    """The prompt as a chat, and after it the steps."""
    asked = tokenizer.apply_chat_template(list(prompt), tokenize=True, return_dict=True, add_generation_prompt=True)
    laid = Laid(list(asked["input_ids"]), [])
    for step in steps:
        laid.tokens.extend(tokenizer(f"{step.strip()}\n", add_special_tokens=False)["input_ids"])
        laid.places.append(len(laid.tokens))
        laid.tokens.extend([signs.tag, signs.tag])
    return laid
