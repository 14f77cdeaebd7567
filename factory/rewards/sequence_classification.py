"""A sequence-classification model with its tokenizer, loaded once a process; import this where torch may be loaded."""

from functools import cache
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from tuneworks.factory.engines.decoding import device_and_dtype, know_adapter
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Answer, Record
from tuneworks.factory.reward import whole_prompt
from tuneworks.factory.rewards.folder import column, no_head
from tuneworks.factory.weights import loading, prepare

UNLIMITED = 10**9
"""Tokenizers that know no limit say 10^30."""


class SequenceClassifier:
    def __init__(self, name: str) -> None:
        place = prepare(name)
        disable_progress_bar()
        self.name = name
        self.device, _ = device_and_dtype()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(place)
        know_adapter(place)
        model, about = AutoModelForSequenceClassification.from_pretrained(
            place, dtype=torch.float32, output_loading_info=True
        )
        if about["missing_keys"]:
            raise no_head(name, f"its weights lack {min(about['missing_keys'])}")
        self.model: Any = model.to(self.device).eval()
        self.labels = {int(at): str(label) for at, label in model.config.id2label.items()}
        self.longest = longest(self.tokenizer, model.config)

    @torch.inference_mode()
    def score(self, record: Record, answer: Answer, label: str | int | None) -> float:
        place = column(self.labels, label, self.name)
        inputs = self.encode(record, answer)
        logits = self.model(**inputs).logits.reshape(-1).double().cpu()  # (labels,)
        if len(self.labels) == 1:
            return float(logits[place])
        several = self.model.config.problem_type == "multi_label_classification"
        return float((torch.sigmoid(logits) if several else torch.softmax(logits, dim=0))[place])

    def encode(self, record: Record, answer: Answer) -> dict[str, torch.Tensor]:
        """The conversation through the chat template, or prompt and answer as a pair; shape (1, tokens)."""
        if self.tokenizer.chat_template is None:
            inputs = self.tokenizer(whole_prompt(record), answer.text, return_tensors="pt")
        else:
            inputs = self.tokenizer(self._conversation(record, answer), add_special_tokens=False, return_tensors="pt")
        require_room(self.name, inputs["input_ids"].shape[1], self.longest)
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    def _conversation(self, record: Record, answer: Answer) -> str:
        turns = [{"role": m.role, "content": m.content} for m in record.prompt]
        turns.append({"role": "assistant", "content": answer.text})
        try:
            return str(self.tokenizer.apply_chat_template(turns, tokenize=False))
        except TemplateError as error:
            raise EngineError(f"the chat template of {self.name} refuses this conversation ({error})") from error


def longest(tokenizer: Any, config: Any) -> int:
    """Most tokens the model can read, by its tokenizer and its positions, whichever is less."""
    limits = (getattr(tokenizer, "model_max_length", None), getattr(config, "max_position_embeddings", None))
    return min([int(n) for n in limits if n and 0 < n < UNLIMITED], default=UNLIMITED)


def require_room(name: str, tokens: int, most: int) -> None:
    """Raise for an input that would be cut: the end of an answer may be what makes it good or bad."""
    if tokens > most:
        raise EngineError(f"{name} reads {most} tokens, and prompt and answer are {tokens - most} over")


@cache
def loaded(name: str) -> SequenceClassifier:
    with loading(f"the reward model {name}"):
        return SequenceClassifier(name)
