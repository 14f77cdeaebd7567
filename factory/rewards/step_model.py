"""A language model that judges steps, loaded once a process; import this where torch may be loaded."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from tuneworks.factory.engines.decoding import device_and_dtype
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Record
from tuneworks.factory.rewards.folder import require_process
from tuneworks.factory.rewards.sequence_classification import longest, require_room
from tuneworks.factory.step_tokens import Laid, Signs, laid_out, signs_of
from tuneworks.factory.weights import loading, prepare

BATCH = 8


@torch.inference_mode()
def probabilities(model: Any, batch: Sequence[Laid], signs: Signs, pad: int) -> list[list[float]]:
    """For each answer, of each step the probability that it is right; all in one forward pass, padded on the right."""
    width = max(len(laid.tokens) for laid in batch)
    tokens = torch.tensor([[*laid.tokens, *[pad] * (width - len(laid.tokens))] for laid in batch])
    attention = torch.tensor([[at < len(laid.tokens) for at in range(width)] for laid in batch]).long()
    logits = model(input_ids=tokens.to(model.device), attention_mask=attention.to(model.device)).logits
    logits = logits[:, -width:]  # a learned prompt stands before the text
    verdicts = [
        logits[row, laid.places][:, [signs.good, signs.bad]].double().softmax(-1)[:, 0]
        for row, laid in enumerate(batch)
    ]
    return [[float(p) for p in own.cpu()] for own in verdicts]


class StepModel:
    def __init__(self, name: str) -> None:
        place = prepare(name)
        disable_progress_bar()
        self.name = name
        self.device, _ = device_and_dtype()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(place)
        model: Any = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
        require_process(name, model.config.to_dict())
        self.model = model.to(self.device).eval()
        self.signs = signs_of(self.tokenizer, name)
        self.longest = longest(self.tokenizer, model.config)

    def encode(self, record: Record, steps: Sequence[str]) -> Laid:
        prompt = [{"role": message.role, "content": message.content} for message in record.prompt]
        try:
            laid = laid_out(self.tokenizer, self.signs, prompt, steps)
        except TemplateError as error:
            raise EngineError(f"the chat template of {self.name} refuses this conversation ({error})") from error
        require_room(self.name, len(laid.tokens), self.longest)
        return laid

    def judge(self, answers: Sequence[Laid]) -> list[list[float]]:
        found: list[list[float]] = []
        for first in range(0, len(answers), BATCH):
            found += probabilities(self.model, answers[first : first + BATCH], self.signs, self.signs.tag)
        return found


@cache
def loaded(name: str) -> StepModel:
    with loading(f"the process reward model {name}"):
        return StepModel(name)
