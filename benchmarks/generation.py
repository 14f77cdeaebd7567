"""The embedded engine against plain transformers on the two loads that data making puts on a model.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/generation.py [--rows 32] [--tokens 64] [--rounds 3]

Sampling: four answers to each prompt of a few-shot kind. Judging: a mark after a long common beginning. The peer is
transformers alone (`generate`, and one forward pass) over the same left-padded batch: same weights, dtype, device and
process, turn about. The figure is the median ratio of wall times.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence

import torch
from transformers import AutoModelForCausalLM

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.decoding import Model, device_and_dtype
from tuneworks.factory.record import Message
from tuneworks.factory.weights import prepare

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

    @torch.inference_mode()
    def judge(self, rows: Sequence[list[int]]) -> None:
        self._model(**self._padded(rows), logits_to_keep=1)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("rows", 32), ("tokens", 64), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    ours = Model("smollm2")
    ours.model.generation_config.eos_token_id = None  # so that both write the same number of tokens
    plain = Plain(ours)
    prompts = [Message("user", f"{EXAMPLES}\nNow tell me about town {n // 4}.") for n in range(args.rows)]
    sampling = [Request((p,), max_tokens=args.tokens, top_p=0.95, seed=n) for n, p in enumerate(prompts)]
    answers = [Message("user", f"{EXAMPLES}\nMark answer {n}.") for n in range(args.rows)]
    judged = [Request((answer,), candidates=("1", "2", "3", "4", "5")) for answer in answers]
    rows, marks = [ours.encode(r) for r in sampling], [ours.encode(r) for r in judged]
    never = threading.Event()
    loads: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("sampling, 4 a prompt", lambda: ours.answer(sampling, rows, never), lambda: plain.sample(rows, args.tokens)),
        ("judging, one beginning", lambda: ours.answer(judged, marks, never), lambda: plain.judge(marks)),
    ]
    shape = f"{args.rows} rows of {len(rows[0])} tokens, {torch.get_num_threads()} threads"
    print(f"{ours.device} {device_and_dtype()[1]}, {shape}")
    print("| load | ours s | transformers s | ratio |\n|---|---|---|---|")
    for name, mine, theirs in loads:
        mine()
        pairs = [(seconds(mine), seconds(theirs)) for _ in range(args.rounds)]
        ratio = statistics.median(b / a for a, b in pairs)
        a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"| {name} | {a:.2f} | {b:.2f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
