"""Scored tokens a CPU second: packs in the model's own dtype, beside one text at a time in float32.

Both score every answer twice, after its prompt and alone, as IFD asks. The peer does what Superfiltering's released
loop does: one text at a time, float32, logits of every token. One thread, each side in a process of its own.

    python benchmarks/perplexity.py --data alpaca.parquet --rows 200
"""

import argparse
import time
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from measuring import began, cost, table

from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.record import Message
from tuneworks.factory.seeds import task_prompt
from tuneworks.factory.weights import SMOLLM2, prepare

ROWS = 150


@cache
def loaded() -> Any:
    from tuneworks.factory.engines.likelihood import likelihood

    return likelihood(SMOLLM2)


def rows_of(path: Path, count: int, answers: int) -> list[Any]:
    """What is scored: each answer after its prompt, then each alone. With `answers`, so many parts of each answer are
    given to its prompt, as if they were several answers."""
    scorer = loaded()
    data = pl.read_parquet(path).filter(pl.col("output").str.strip_chars() != "").sample(count, seed=0)
    rows = []
    for row in data.to_dicts():
        prompt = (Message("user", task_prompt(row["instruction"], row["input"])),)
        words = row["output"].split(" ")
        parts = [" ".join(words[at::answers]) for at in range(answers)] if answers > 1 else [row["output"]]
        rows += [given for part in parts if part.strip() and (given := scorer.answer(prompt, part))]
    return [*rows, *map(scorer.alone, rows)]


def packed(path: Path, count: int, answers: int) -> tuple[list[float], int]:
    """Nats a token, and how many tokens were read."""
    from tuneworks.factory.engines.likelihood import TOKENS
    from tuneworks.factory.engines.scoring_packs import packs

    rows = rows_of(path, count, answers)
    began()
    losses = loaded().losses(rows)
    read = sum(len(pack.tokens) for pack in packs([row.context + row.text for row in rows], TOKENS))
    return [loss.nats / loss.tokens for loss in losses], read


def one_by_one(path: Path, count: int, answers: int) -> tuple[list[float], int]:
    require_torch("this benchmark")
    import torch
    from transformers import AutoModelForCausalLM

    rows = rows_of(path, count, answers)
    model: Any = AutoModelForCausalLM.from_pretrained(prepare(SMOLLM2), dtype=torch.float32).eval()
    losses = []
    began()
    with torch.inference_mode():
        for row in rows:
            logits = model(torch.tensor([row.context + row.text])).logits[0]
            scored = torch.log_softmax(logits[len(row.context) - 1 : -1], -1)
            said = scored.gather(1, torch.tensor(row.text)[:, None])
            losses.append(-float(said.mean()))
    return losses, sum(map(len, rows))


def linear_limit(tokens: int) -> tuple[float, float]:
    """CPU seconds a token that the layers' matrices alone take, `tokens` at a time, and the same of the head."""
    model = loaded()._model.model
    head = model.get_output_embeddings()
    layers = [m for m in model.modules() if type(m) is type(head) and m is not head]
    return _seconds(layers, tokens) / tokens, _seconds([head], tokens // 2) / (tokens // 2)


def _seconds(layers: list[Any], tokens: int) -> float:
    import torch

    inputs = {m.in_features: torch.randn(tokens, m.in_features, dtype=m.weight.dtype) for m in layers}
    taken = []
    with torch.inference_mode():
        for _ in range(6):
            start = time.process_time()
            for layer in layers:
                layer(inputs[layer.in_features])
            taken.append(time.process_time() - start)
    return min(taken)


def run(data: Path, rows_wanted: int = ROWS, answers: int = 1) -> None:
    given = (data, rows_wanted, answers)
    theirs, ours = cost(one_by_one, *given), cost(packed, *given)
    layers, head = cost(linear_limit, 1024).result
    rows = rows_of(*given)
    scored = sum(len(row.text) for row in rows)
    sides = (("one by one, float32", theirs), ("packs", ours))
    lines: list[tuple[object, ...]] = [
        (side, made.result[1], scored, made.cpu, scored / made.cpu, theirs.cpu / made.cpu, made.peak_mb)
        for side, made in sides
    ]
    columns = ("", "tokens read", "tokens scored", "CPU s", "scored a CPU s", "ratio", "peak MB")
    table(f"{len(rows) // 2} answers, each after its prompt and alone", columns, lines)
    beside = pl.DataFrame({"ours": ours.result[0], "theirs": theirs.result[0]})
    beside = beside.with_columns(ifd=pl.Series([at < len(rows) // 2 for at in range(len(rows))]))
    apart = (pl.col("ours") - pl.col("theirs")).abs()
    for says, part in (("after the prompt", beside.filter("ifd")), ("alone", beside.filter(~pl.col("ifd")))):
        spearman = part.select(pl.corr("ours", "theirs", method="spearman")).item()
        print(f"\n{says}: Spearman {spearman:.5f}, nats a token apart: mean {part.select(apart.mean()).item():.4f}, "
              f"most {part.select(apart.max()).item():.3f}")  # fmt: skip
    limit = ours.result[1] * layers + scored * head
    print(f"\n{limit / ours.cpu:.0%} of the limit set by the linear layers alone, on the tokens read and scored")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--answers", type=int, default=1, help="cut each answer into so many of the same prompt")
    options = parser.parse_args()
    run(options.data, options.rows, options.answers)


if __name__ == "__main__":
    main()
