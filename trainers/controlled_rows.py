"""Rows of quality as tokens and labels: of hindsight both answers are learned, and a control may be a token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuneworks.trainers.labelled import Labelling, renderer, tokenised
from tuneworks.trainers.masks import Masked
from tuneworks.trainers.rows import NONE, answers_learned, without_control
from tuneworks.trainers.spoken import spoken


@dataclass(frozen=True, slots=True)
class ControlledLabelling(Labelling):
    tokens: Mapping[str, int] = field(default_factory=dict)
    """The number of the token of each quality, where these control and not words."""

    def batch(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        if not self.tokens:
            rows = zip(columns["prompt"], columns["completion"], columns["quality"], strict=True)
            return self.columns([(prompt, said, answers_learned(quality)) for prompt, said, quality in rows])
        names = ("prompt", "completion", "control", "quality")
        found = [self._led(*row) for row in zip(*(columns[name] for name in names), strict=True)]
        return self.labelled(found, [False] * len(found))

    def _led(self, prompt: Any, completion: Any, control: str | None, quality: str) -> Masked:
        """The row without the words of its control, and with its token before the answer; it is not learned itself."""
        (said,) = spoken(without_control(prompt, control), completion, "last", renderer(self.tokenizer))
        (masked,) = tokenised([said], self.tokenizer)
        if quality == NONE:
            return masked
        at = list(masked.in_loss).index(True)
        tokens = [*masked.tokens[:at], self.tokens[quality], *masked.tokens[at:]]
        return Masked(tokens, [*masked.in_loss[:at], False, *masked.in_loss[at:]])
