"""Does the control steer? Held-out answers scored and prompts answered under both controls.

The one number is `gap`: how much likelier, in nats per token, a good answer is when a good one is asked
for than when a bad one is. A model that ignores the control has a gap of 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any

import torch
from datasets import Dataset

from tuneworks.trainers.job import Job
from tuneworks.trainers.masks import encode
from tuneworks.trainers.rows import Quality

QUALITIES: tuple[Quality, Quality] = ("good", "bad")

SCORED = 32
"""Most held-out records that are scored."""

ANSWERED = 8
"""Most held-out prompts that are answered under both controls."""

NEW_TOKENS = 64
BATCH = 4

Turns = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Pair:
    """A held-out record: its prompt under either control, and its answers of either quality."""

    prompts: Mapping[Quality, Turns]
    answers: Mapping[Quality, Sequence[Turns]]


def pairs_of(rows: Dataset) -> list[Pair]:
    """The records of quality rows that have a row of either quality, in their order."""
    found: dict[str, dict[Quality, list[dict[str, Any]]]] = {}
    for row in rows:
        if row["quality"] in QUALITIES:
            found.setdefault(row["id"], {"good": [], "bad": []})[row["quality"]].append(row)
    return [
        Pair(
            {quality: rows[quality][0]["prompt"] for quality in QUALITIES},
            {quality: [row["completion"] for row in rows[quality]] for quality in QUALITIES},
        )
        for rows in found.values()
        if rows["good"] and rows["bad"]
    ]


def steering(pairs: Sequence[Pair], model: Any, job: Job) -> dict[str, Any]:
    """Metrics; the answers themselves go to samples.txt."""
    table = nll_table(pairs[:SCORED], model, job)
    gap = table["good"]["bad"] - table["good"]["good"]
    asked = pairs[:ANSWERED]
    answers = replies([pair.prompts[quality] for quality in QUALITIES for pair in asked], model, job)
    said = {"good": answers[: len(asked)], "bad": answers[len(asked) :]}
    differ = [good != bad for good, bad in zip(said["good"], said["bad"], strict=True)]
    write_samples(pairs, said, job)
    job.say(
        f"held-out: a good answer is {gap:+.3f} nats a token likelier when asked for; "
        f"{sum(differ)} of {len(differ)} greedy answers change with the control"
    )
    return {
        "records": len(pairs[:SCORED]),
        "nll": {
            f"{answer}_answer": {f"{control}_control": nll for control, nll in row.items()}
            for answer, row in table.items()
        },
        "gap": gap,
        "answered": len(differ),
        "answers_that_differ": fmean(differ),
    }


def nll_table(pairs: Sequence[Pair], model: Any, job: Job) -> dict[Quality, dict[Quality, float]]:
    """table[quality of the answer][quality asked for]: mean over records of the mean NLL per token."""
    cells = [(pair, answer, control) for pair in pairs for answer in QUALITIES for control in QUALITIES]
    sequences = [
        encode(job.tokenizer, pair.prompts[control], completion)
        for pair, answer, control in cells
        for completion in pair.answers[answer]
    ]
    scores = nlls(sequences, model, job)
    table: dict[Quality, dict[Quality, list[float]]] = {q: {"good": [], "bad": []} for q in QUALITIES}
    for pair, answer, control in cells:
        table[answer][control].append(fmean(islice(scores, len(pair.answers[answer]))))
    return {answer: {control: fmean(row[control]) for control in QUALITIES} for answer, row in table.items()}


@torch.inference_mode()
def nlls(sequences: Sequence[tuple[list[int], int]], model: Any, job: Job) -> Iterator[float]:
    """Mean negative log-likelihood of each answer's tokens, in nats, from (tokens, where it begins)."""
    limit = job.arguments.get("max_length")
    for first in range(0, len(sequences), BATCH):
        batch = [(tokens[:limit], start) for tokens, start in sequences[first : first + BATCH]]
        width = max(len(tokens) for tokens, _ in batch)
        ids = torch.full((len(batch), width), job.tokenizer.pad_token_id)
        attention = torch.zeros_like(ids)
        for row, (tokens, _) in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            attention[row, : len(tokens)] = 1
        with autocast(job):
            logits = model(input_ids=ids.to(model.device), attention_mask=attention.to(model.device)).logits
        logits = logits[:, -width:]  # a learned prompt stands before the text
        for row, (tokens, start) in enumerate(batch):
            wanted = ids[row, start : len(tokens)].to(model.device)
            yield float(torch.nn.functional.cross_entropy(logits[row, start - 1 : len(tokens) - 1].float(), wanted))


@torch.inference_mode()
def replies(prompts: Sequence[Turns], model: Any, job: Job) -> list[str]:
    """Greedy answers, of up to NEW_TOKENS tokens each."""
    tokenizer = job.tokenizer
    texts: Any = tokenizer.apply_chat_template(list(prompts), add_generation_prompt=True, tokenize=False)
    inputs = tokenizer(texts, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt")
    with autocast(job):
        out = model.generate(
            **inputs.to(model.device),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            use_cache=True,
            pad_token_id=tokenizer.pad_token_id,
        )
    made = out[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(made, skip_special_tokens=True)]


def autocast(job: Job) -> torch.autocast:
    return torch.autocast(job.device, dtype=torch.bfloat16, enabled=bool(job.arguments.get("bf16")))


def write_samples(pairs: Sequence[Pair], said: Mapping[str, Sequence[str]], job: Job) -> None:
    blocks = [
        f"PROMPT\n{pair.prompts['good'][-1]['content']}\n\nASKED FOR GOOD\n{good}\n\nASKED FOR BAD\n{bad}\n"
        for pair, good, bad in zip(pairs, said["good"], said["bad"], strict=False)
    ]
    (job.into / "samples.txt").write_text(("\n" + "-" * 60 + "\n\n").join(blocks), encoding="utf-8")
