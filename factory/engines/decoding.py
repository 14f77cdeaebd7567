"""Batched decoding with transformers: shared prompts read once, stop texts by row, log-probabilities of candidates.

Left-padded tokens have the shape (batch, time); scores have the shape (batch, vocabulary).
"""

import threading
from collections.abc import Sequence
from typing import Any, cast

import torch
from jinja2 import TemplateError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.utils.logging import disable_progress_bar

from tuneworks.factory.engine import Completion, Finish, Request, Usage
from tuneworks.factory.engines.attention import growing_cache, register
from tuneworks.factory.engines.sampling import SeededSampling
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.weights import prepare

SHARED_WORTH = 16
"""Common first tokens from which on reading them once beats reading them with each row."""

STOP_TAIL = 24
"""Tokens decoded to look for a stop text that has just been completed."""


def device_and_dtype() -> tuple[str, torch.dtype]:
    """The GPU where there is one; bfloat16 where the hardware multiplies it, else float32."""
    if torch.cuda.is_available():
        return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    capability = torch.cpu.get_capabilities()
    fast = bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("amx_tile"))
    return "cpu", torch.bfloat16 if fast else torch.float32


class Model:
    """A causal language model with its tokenizer and chat template, ready to answer batches."""

    def __init__(self, name: str) -> None:
        place = prepare(name)  # the one slow step, once; it draws its own bar
        disable_progress_bar()
        self.device, dtype = device_and_dtype()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(place)
        if self.tokenizer.chat_template is None:
            raise EngineUnavailable(f"the model {name} has no chat template; name an instruct or chat model")
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        attention = register() if self.device == "cpu" else None
        loaded: Any = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, attn_implementation=attention)
        if attention and not loaded._supports_sdpa:  # its attention has what ours leaves out, such as gpt-oss's sinks
            loaded.set_attn_implementation("eager")
        self.model: Any = loaded.to(self.device).eval()

    def encode(self, request: Request) -> list[int]:
        """The prompt's tokens; raises EngineError where the model cannot be asked this."""
        self._first_tokens(request)
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        try:
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise EngineError(f"the model's chat template refuses these messages ({error})") from error
        return list(self.tokenizer(text + request.opening, add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def answer(
        self, requests: Sequence[Request], tokens: Sequence[list[int]], stop: threading.Event
    ) -> list[Completion]:
        """One completion a request; `tokens` are the encoded prompts. `stop` ends a long batch early."""
        if requests[0].candidates:
            return self._score(requests, tokens)
        return self._generate(requests, tokens, stop)

    def _read(self, tokens: Sequence[list[int]]) -> tuple[dict[str, torch.Tensor], DynamicCache]:
        """Padded inputs, and a cache that has read all but each row's last token, reading nothing twice.

        What all rows begin with (the examples of a few-shot prompt) is read once, and so is a prompt that several rows
        share (the samples of best-of-N).
        """
        rows, places = distinct(tokens)
        shared = common_prefix(rows)
        if shared < SHARED_WORTH:
            shared = 0
        cache = growing_cache(self.model.config)
        if shared:
            self.model(torch.tensor([rows[0][:shared]], device=self.device), past_key_values=cache, logits_to_keep=1)
            cache.batch_repeat_interleave(len(rows))
        inputs = self._padded(rows, shared)
        if inputs["input_ids"].shape[1] > shared + 1:
            mask = inputs["attention_mask"][:, :-1]
            self.model(
                inputs["input_ids"][:, shared:-1],
                attention_mask=mask,
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, shared:],
                past_key_values=cache,
                logits_to_keep=1,
            )
        index = torch.tensor(places, device=self.device)
        cache.batch_select_indices(index)
        return {name: value[index] for name, value in inputs.items()}, cache

    def _padded(self, tokens: Sequence[list[int]], shared: int) -> dict[str, torch.Tensor]:
        """Rows of one width: the `shared` first tokens, then padding, then the rest, so that all end together."""
        width = max(map(len, tokens))
        ids = torch.full((len(tokens), width), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(tokens), width), dtype=torch.long)
        for row, prompt in enumerate(tokens):
            rest = len(prompt) - shared
            ids[row, :shared] = torch.tensor(prompt[:shared])
            ids[row, width - rest :] = torch.tensor(prompt[shared:])
            mask[row, :shared] = 1
            mask[row, width - rest :] = 1
        return {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}

    def _generate(
        self, requests: Sequence[Request], tokens: Sequence[list[int]], stop: threading.Event
    ) -> list[Completion]:
        inputs, cache = self._read(tokens)
        width = inputs["input_ids"].shape[1]
        ends = Ends(requests, self.tokenizer, width, stop)
        out = self.model.generate(
            **inputs,
            past_key_values=cache,
            max_new_tokens=max(r.max_tokens for r in requests),
            do_sample=False,
            logits_processor=LogitsProcessorList([SeededSampling(requests, width)]),
            stopping_criteria=StoppingCriteriaList([ends]),
            pad_token_id=self.tokenizer.pad_token_id,
        )
        rows = out[:, width:].tolist()
        return [
            self._completion(r, prompt, row[:length])
            for r, prompt, row, length in zip(requests, tokens, rows, ends.lengths, strict=True)
        ]

    def _completion(self, request: Request, prompt: list[int], row: list[int]) -> Completion:
        finish: Finish = "length"
        ids = self.model.generation_config.eos_token_id
        enders = {ids} if isinstance(ids, int) else set(ids or [])
        end = next((i for i, token in enumerate(row) if token in enders), None)
        if end is not None:
            row, finish = row[:end], "stop"
        text = self.tokenizer.decode(row, skip_special_tokens=True)
        cut = min((at for at in (text.find(s) for s in request.stop) if at >= 0), default=-1)
        if cut >= 0:
            text, finish = text[:cut], "stop"
        return Completion(text, finish, Usage(len(prompt), len(row) + (end is not None)))

    def _score(self, requests: Sequence[Request], tokens: Sequence[list[int]]) -> list[Completion]:
        inputs, cache = self._read(tokens)
        mask = inputs["attention_mask"]
        logits = self.model(
            inputs["input_ids"][:, -1:],
            attention_mask=mask,
            position_ids=mask.sum(-1, keepdim=True) - 1,
            past_key_values=cache,
        ).logits[:, -1]
        log_probs = torch.log_softmax(logits.float(), dim=-1).cpu()
        return [
            Completion("", "stop", Usage(len(prompt), 0), self._candidates(request, row))
            for request, prompt, row in zip(requests, tokens, log_probs, strict=True)
        ]

    def _candidates(self, request: Request, log_probs: torch.Tensor) -> dict[str, float]:
        return {c: float(log_probs[token]) for c, token in self._first_tokens(request).items()}

    def _first_tokens(self, request: Request) -> dict[str, int]:
        first = {c: self.tokenizer(c, add_special_tokens=False)["input_ids"][0] for c in request.candidates}
        if len(set(first.values())) < len(first):
            raise EngineError(f"two of the candidates {list(first)} begin with the same token")
        return first


def distinct(tokens: Sequence[list[int]]) -> tuple[list[list[int]], list[int]]:
    """The different rows in order of first appearance, and for every row its place among them."""
    place: dict[tuple[int, ...], int] = {}
    places = [place.setdefault(tuple(row), len(place)) for row in tokens]
    return [list(row) for row in place], places


def common_prefix(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with, leaving each at least its last one."""
    low, high = min(rows), max(rows)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return min(same, min(map(len, rows)) - 1)


class Ends(StoppingCriteria):
    """Which rows are done: a stop text was said, the row's own token limit is reached, or everything must stop."""

    def __init__(self, requests: Sequence[Request], tokenizer: Any, width: int, stop: threading.Event):
        self._requests, self._tokenizer, self._width, self._stop = requests, tokenizer, width, stop
        self.lengths: list[int | None] = [None] * len(requests)
        """Tokens of each row when it was done; what follows is padding."""

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: object) -> torch.BoolTensor:
        made = input_ids.shape[1] - self._width
        open_rows = [i for i, length in enumerate(self.lengths) if length is None]
        watched = [i for i in open_rows if self._requests[i].stop]
        tails = input_ids[watched][:, self._width :][:, -STOP_TAIL:].tolist()
        texts = dict(zip(watched, self._tokenizer.batch_decode(tails) if tails else [], strict=True))
        for i in open_rows:
            request = self._requests[i]
            said = any(s in texts.get(i, "") for s in request.stop)
            if said or made >= request.max_tokens or self._stop.is_set():
                self.lengths[i] = made
        return cast(torch.BoolTensor, torch.tensor([n is not None for n in self.lengths], device=input_ids.device))
