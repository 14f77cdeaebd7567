"""Batched decoding with transformers: shared prompts read once, rows dropped as they end, candidates scored.

Left-padded tokens have the shape (batch, time); scores have the shape (batch, vocabulary).
"""

import importlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, LogitsProcessorList, StoppingCriteriaList
from transformers.utils.logging import disable_progress_bar

from tuneworks.factory.engine import Completion, Finish, Request, Usage
from tuneworks.factory.engines.attention import growing_cache, register
from tuneworks.factory.engines.ends import Ends
from tuneworks.factory.engines.prompts import Prompts
from tuneworks.factory.engines.sampling import SeededSampling
from tuneworks.factory.errors import EngineError, EngineUnavailable, MissingExtra
from tuneworks.factory.weights import prepare

SHARED_WORTH = 16
"""Common first tokens from which on reading them once beats reading them with each row."""

BEFORE_THE_PROMPT = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING")
"""Kinds of PEFT's that transformers does not load into a model."""

UNBOUNDED = 1 << 30
"""Tokens that a model reads which names no limit."""


def device_and_dtype() -> tuple[str, torch.dtype]:
    """The GPU where there is one; bfloat16 where the hardware multiplies it, else float32."""
    if torch.cuda.is_available():
        return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    capability = torch.cpu.get_capabilities()
    fast = bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("amx_tile"))
    return "cpu", torch.bfloat16 if fast else torch.float32


def know_adapter(place: str) -> str | None:
    """Where `place` is an adapter's folder, have PEFT know every kind that one may be of; returns this one's."""
    config = Path(place) / "adapter_config.json"
    if not config.is_file():
        return None
    if find_spec("peft") is None:
        raise MissingExtra("peft", "train", f"the adapter {place}")
    importlib.import_module("tuneworks.factory.bottleneck")
    return str(json.loads(config.read_text(encoding="utf-8")).get("peft_type"))


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
        self.prompts = Prompts(self.tokenizer)
        attention = register() if self.device == "cpu" else None
        if know_adapter(place) in BEFORE_THE_PROMPT:
            raise EngineUnavailable(
                f"what was learned in {name} stands before the prompt, where this engine has nothing; name a whole "
                "model, or an adapter inside one, as tuning: lora leaves it"
            )
        loaded: Any = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, attn_implementation=attention)
        if attention and not loaded._supports_sdpa:  # its attention has what ours leaves out, such as gpt-oss's sinks
            loaded.set_attn_implementation("eager")
        self.model: Any = loaded.to(self.device).eval()
        self.longest: int = getattr(loaded.config.get_text_config(), "max_position_embeddings", None) or UNBOUNDED
        """Most tokens of prompt and reply together."""
        self._in_use = threading.RLock()

    @contextmanager
    def attending(self, attention: str | None = None) -> Iterator[None]:
        """The model for one user at a time, attending in a way that transformers knows by this name, or in its own."""
        with self._in_use:
            own = self.model.config._attn_implementation
            try:
                self.model.set_attn_implementation(attention or own)
                yield
            finally:
                self.model.set_attn_implementation(own)

    def encode(self, request: Request) -> list[int]:
        """The prompt's tokens; raises EngineError where the model cannot be asked this."""
        self.prompts.first_tokens(request.candidates)
        tokens = self.prompts.encode(request)
        if len(tokens) >= self.longest:
            raise EngineError(
                f"the prompt has {len(tokens)} tokens, and the model reads {self.longest} with the reply; shorten it, "
                "or name a model that reads more"
            )
        return tokens

    @torch.inference_mode()
    def answer(
        self, requests: Sequence[Request], tokens: Sequence[list[int]], stop: threading.Event
    ) -> list[Completion]:
        """One completion a request; `tokens` are the encoded prompts. `stop` ends a long batch early."""
        with self.attending():
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
        """Decode until a good share of the rows is done, drop those, and go on with the others."""
        inputs, cache = self._read(tokens)
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        limits = [min(r.max_tokens, self.longest - len(row)) for r, row in zip(requests, tokens, strict=True)]
        ends = Ends(requests, limits, self.tokenizer, self._enders(), ids.shape[1], stop)
        sampling = SeededSampling(requests, ids.shape[1])
        while True:
            ids = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                max_new_tokens=ends.left(ids),
                do_sample=False,
                logits_processor=LogitsProcessorList([sampling]),
                stopping_criteria=StoppingCriteriaList([ends]),
                pad_token_id=self.tokenizer.pad_token_id,
            )
            going_on = ends.take(ids)
            if not going_on:
                break
            index = torch.tensor(going_on, device=self.device)
            cache.batch_select_indices(index)
            sampling.keep(going_on)
            ids, mask = ids[index], mask[index]
            mask = torch.nn.functional.pad(mask, (0, ids.shape[1] - mask.shape[1]), value=1)
        replies = zip(requests, tokens, ends.replies, strict=True)
        return [self._completion(request, prompt, reply) for request, prompt, reply in replies]

    def _enders(self) -> set[int]:
        """The tokens that end a reply."""
        ids = self.model.generation_config.eos_token_id
        return {ids} if isinstance(ids, int) else set(ids or [])

    def _completion(self, request: Request, prompt: list[int], row: list[int]) -> Completion:
        finish: Finish = "length"
        made = len(row)
        if row and row[-1] in self._enders():
            row, finish = row[:-1], "stop"
        text = self.tokenizer.decode(row, skip_special_tokens=True)
        cut = min((at for at in (text.find(s) for s in request.stop) if at >= 0), default=-1)
        if cut >= 0:
            text, finish = text[:cut], "stop"
        return Completion(text, finish, Usage(len(prompt), made))

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
        return {c: float(log_probs[token]) for c, token in self.prompts.first_tokens(request.candidates).items()}


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


def give_back() -> None:
    """Memory of models that nobody holds any more goes back to the GPU, for other processes."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


_models: "WeakValueDictionary[tuple[object, ...], Model]" = WeakValueDictionary()
_one_loads = threading.Lock()


def shared(name: str) -> Model:
    """The model, loaded once for all in this process who hold it at the same time; its memory is free when none does.

    Weights lie at a place: two names for one folder are one model.
    """
    place = prepare(name)
    folder = Path(place)
    key = (str(folder.resolve()) if folder.is_dir() else place, *device_and_dtype())
    with _one_loads:
        model = _models.get(key)
        if model is None:
            model = _models[key] = Model(name)
        return model
