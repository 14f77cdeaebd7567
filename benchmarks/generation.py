"""The embedded engine against plain transformers on the loads that data making puts on a model.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/generation.py [--load mixed] [--rows 32] [--tokens 64] [--rounds 3]

Sampling: four answers to each prompt of a few-shot kind. Judging: a mark after a long common beginning. Mixed: three
batches of prompts of all lengths, whose replies end after 32 to 256 tokens, and nobody knows before where.

Peers are transformers alone (`generate`, and one forward pass) over the same left-padded batches, and its continuous
batching (`generate_batch`'s manager) with as many rows under way as a batch has, and a cache that just holds them all:
same weights, dtype, device and process, turn about. The figure is the median ratio of wall times.
"""

import argparse
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.decoding import Model, device_and_dtype
from tuneworks.factory.record import Message
from tuneworks.factory.weights import prepare

PAGE = 128
"""Tokens of a block of the cache that continuous batching keeps."""

EXAMPLES = "\n".join(f"{n}. Tell me how to keep bees through winter number {n} in a cold valley." for n in range(1, 17))


class Plain:
    """transformers as it comes, with our tokens."""

    def __init__(self, ours: Model) -> None:
        self._ours = ours
        self._model = AutoModelForCausalLM.from_pretrained(prepare("smollm2"), dtype=device_and_dtype()[1])
        self._model = self._model.to(ours.device).eval()

    def _padded(self, rows: Sequence[list[int]]) -> dict[str, torch.Tensor]:
        batch = self._ours.tokenizer.pad({"input_ids": list(rows)}, padding_side="left", return_tensors="pt")
        return {name: batch[name].to(self._ours.device) for name in ("input_ids", "attention_mask")}

    @torch.inference_mode()
    def sample(self, rows: Sequence[list[int]], tokens: int) -> None:
        self._model.generate(
            **self._padded(rows),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=True,
            temperature=1.0,
            top_p=0.95,
        )

    def continuous(self, rows: Sequence[list[int]], lengths: Sequence[int], at_once: int) -> None:
        """Each row with its own length, so many of them under way at a time; the next begins where one ends."""
        self._model.set_attn_implementation("sdpa")
        settings = GenerationConfig(do_sample=True, temperature=1.0, top_p=0.95, eos_token_id=-1)
        blocks = sum(-(-(len(row) + length) // PAGE) for row, length in zip(rows, lengths, strict=True))
        cache = ContinuousBatchingConfig(
            page_size=PAGE, num_blocks=blocks, max_batch_tokens=1024, max_requests_per_batch=at_once
        )
        manager: Any = self._model.continuous_batching_context_manager(settings, continuous_batching_config=cache)
        with manager as running:
            for row, length in zip(rows, lengths, strict=True):
                running.add_request(row, max_new_tokens=length)
            made = [reply for _ in rows for reply in [self._finished(running)]]
        assert sorted(len(reply.generated_tokens) for reply in made) == sorted(lengths)

    @staticmethod
    def _finished(running: Any) -> Any:
        while True:
            reply = running.get_result(timeout=1)
            if reply is not None and reply.is_finished():
                return reply
            assert running.is_running()

    @torch.inference_mode()
    def judge(self, rows: Sequence[list[int]]) -> None:
        self._model(**self._padded(rows), logits_to_keep=1)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Load:
    says: str
    ours: Callable[[], object]
    peers: dict[str, Callable[[], object]]

    def row(self, rounds: int) -> str:
        """The medians, and by how much each peer takes longer."""
        taken = [[seconds(work) for work in (self.ours, *self.peers.values())] for _ in range(rounds)]
        mine, *others = zip(*taken, strict=True)
        cells = [f"{statistics.median(mine):.2f}"]
        for theirs in others:
            ratio = statistics.median(b / a for a, b in zip(mine, theirs, strict=True))
            cells.append(f"{statistics.median(theirs):.2f} ({ratio:.1f})")
        return f"| {self.says} | {' | '.join(cells)} |" + " |" * (len(PEERS) - len(others))


def sampling(ours: Model, plain: Plain, count: int, tokens: int) -> Load:
    prompts = [Message("user", f"{EXAMPLES}\nNow tell me about town {n // 4}.") for n in range(count)]
    asked = [Request((p,), max_tokens=tokens, top_p=0.95, seed=n) for n, p in enumerate(prompts)]
    rows = [ours.encode(r) for r in asked]
    return Load(
        f"sampling, 4 a prompt: {count} rows of {len(rows[0])} tokens, {tokens} more",
        lambda: ours.answer(asked, rows, NEVER),
        {
            "generate": lambda: plain.sample(rows, tokens),
            "continuous": lambda: plain.continuous(rows, [tokens] * count, count),
        },
    )


def judging(ours: Model, plain: Plain, count: int, tokens: int) -> Load:
    answers = [Message("user", f"{EXAMPLES}\nMark answer {n}.") for n in range(count)]
    asked = [Request((answer,), candidates=("1", "2", "3", "4", "5")) for answer in answers]
    rows = [ours.encode(r) for r in asked]
    says = f"judging, one beginning: {count} rows of {len(rows[0])} tokens"
    return Load(says, lambda: ours.answer(asked, rows, NEVER), {"generate": lambda: plain.judge(rows)})


def mixed(ours: Model, plain: Plain, count: int, tokens: int) -> Load:
    """Batches are formed by the prompts alone, as where a reply's own end is not known: `max_tokens` stands for it."""
    rng = random.Random(0)
    asked = []
    for n in range(3 * count):
        words = " ".join(rng.choices(EXAMPLES.split(), k=int(rng.triangular(8, 300, 40))))
        asked.append(Request((Message("user", words),), max_tokens=rng.randint(32, 256), top_p=0.95, seed=n))
    asked.sort(key=lambda r: -len(ours.encode(r)))
    rows, lengths = [ours.encode(r) for r in asked], [r.max_tokens for r in asked]
    parts = [slice(at, at + count) for at in range(0, len(asked), count)]
    return Load(
        f"mixed: {len(rows)} rows of {min(map(len, rows))} to {max(map(len, rows))} tokens, {sum(lengths)} more in all",
        lambda: [ours.answer(asked[part], rows[part], NEVER) for part in parts],
        {
            "generate": lambda: [plain.sample(rows[part], max(lengths[part])) for part in parts],
            "continuous": lambda: plain.continuous(rows, lengths, count),
        },
    )


LOADS = {"sampling": sampling, "judging": judging, "mixed": mixed}
PEERS = ("generate", "continuous")
NEVER = threading.Event()


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("rows", 32), ("tokens", 64), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--load", action="append", choices=LOADS, help="may be given several times; all by default")
    args = parser.parse_args()
    ours = Model("smollm2")
    ours.model.generation_config.eos_token_id = None  # so that both write the same number of tokens
    plain = Plain(ours)
    print(f"{ours.device} {device_and_dtype()[1]}, {torch.get_num_threads()} threads")
    print("| load | ours s | generate s (ratio) | continuous batching s (ratio) |\n|---|---|---|---|")
    for name in args.load or LOADS:
        load = LOADS[name](ours, plain, args.rows, args.tokens)
        print(load.row(args.rounds), flush=True)


if __name__ == "__main__":
    main()
