"""Scored tokens a CPU second: batches in the model's own dtype, beside one text at a time in float32.

The peer does what Superfiltering's released loop does: one row at a time, float32, logits of every token.

    python benchmarks/perplexity.py --data alpaca.parquet --rows 200
"""

import argparse
import time
from pathlib import Path
from typing import Any

import polars as pl

from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.record import Message
from tuneworks.factory.seeds import task_prompt
from tuneworks.factory.weights import SMOLLM2, prepare


def rows_of(path: Path, count: int) -> list[tuple[tuple[Message, ...], str]]:
    table = pl.read_parquet(path).filter(pl.col("output").str.strip_chars() != "").sample(count, seed=0)
    return [((Message("user", task_prompt(r["instruction"], r["input"])),), r["output"]) for r in table.to_dicts()]


def one_by_one(model: Any, rows: list[Any]) -> list[float]:
    import torch

    losses = []
    with torch.inference_mode():
        for row in rows:
            logits = model(torch.tensor([row.context + row.text])).logits[0]
            scored = torch.log_softmax(logits[len(row.context) - 1 : -1], -1)
            said = scored.gather(1, torch.tensor(row.text)[:, None])
            losses.append(-float(said.mean()))
    return losses


def linear_limit(model: Any, tokens: int) -> float:
    """CPU seconds that the linear layers alone take for one batch of `tokens`, head included."""
    import torch

    layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    inputs = {m.in_features: torch.randn(tokens, m.in_features, dtype=m.weight.dtype) for m in layers}
    with torch.inference_mode():
        for layer in layers:
            layer(inputs[layer.in_features])
        began = time.process_time()
        for layer in layers:
            layer(inputs[layer.in_features])
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    parser.add_argument("--rows", type=int, default=200)
    options = parser.parse_args()
    require_torch("this benchmark")
    import torch
    from transformers import AutoModelForCausalLM

    from tuneworks.factory.engines.likelihood import TOKENS, Likelihood

    torch.set_num_threads(1)
    scorer = Likelihood(SMOLLM2)
    rows = [scorer.answer(prompt, text) for prompt, text in rows_of(options.data, options.rows)]
    tokens, scored = sum(map(len, rows)), sum(len(r.text) for r in rows)
    began = time.process_time()
    ours = [loss.nats / loss.tokens for loss in scorer.losses(rows)]
    ours_seconds = time.process_time() - began
    plain: Any = AutoModelForCausalLM.from_pretrained(prepare(SMOLLM2), dtype=torch.float32).eval()
    began = time.process_time()
    theirs = one_by_one(plain, rows)
    theirs_seconds = time.process_time() - began
    floor = linear_limit(scorer._model.model, TOKENS) * tokens / TOKENS
    table = pl.DataFrame({"ours": ours, "theirs": theirs})
    spearman = table.select(pl.corr("ours", "theirs", method="spearman")).item()
    apart = table.select((pl.col("ours") - pl.col("theirs")).abs().max()).item()
    print(f"{options.rows} rows, {tokens} tokens of which {scored} are scored, 1 thread\n")
    print("| | CPU s | scored tokens a CPU s | ratio |\n|---|---|---|---|")
    print(f"| one by one, float32 | {theirs_seconds:.1f} | {scored / theirs_seconds:.0f} | 1 |")
    ratio = theirs_seconds / ours_seconds
    print(f"| batches | {ours_seconds:.1f} | {scored / ours_seconds:.0f} | {ratio:.2f} |")
    print(f"\nSpearman {spearman:.5f}; largest difference {apart:.3f} nats a token; ")
    print(f"{floor / ours_seconds:.0%} of the limit set by the linear layers alone")


if __name__ == "__main__":
    main()
