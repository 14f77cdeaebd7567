"""Does the control steer? Held-out answers scored and prompts answered under every control.

The one number is `gap`: how much likelier, in nats per token, an answer of the best quality is when that is asked for
than when the worst is. A model that ignores the control has a gap of 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset

from tuneworks.trainers.held import Held, Turns
from tuneworks.trainers.job import Job
from tuneworks.trainers.rewarded import rewarded
from tuneworks.trainers.rows import controlled, messages, ordered, turns, without_control

if TYPE_CHECKING:
    from tuneworks.trainers.quality import Quality

SCORED = 32
"""Most held-out records that are scored."""

ANSWERED = 8
"""Most held-out prompts that are answered under two controls; where a reward scores answers, as many as are scored."""

NEW_TOKENS = 64
BATCH = 4

Table = Mapping[str, Mapping[str, float]]
"""Loss by the quality of the answer, then by the one asked for."""


def texts_of(rows: Dataset) -> dict[str, dict[str, str]]:
    """The control of each quality, by language."""
    found: dict[str, dict[str, str]] = {}
    for quality, text in zip(rows["quality"], rows["control"], strict=True):
        if quality in ordered([quality]):
            found.setdefault(_language(text), {})[quality] = text
    return found


def _language(text: str) -> str:
    return "zh" if any("\u3400" <= c <= "\u9fff" for c in text) else "en"


def held_of(job: Job) -> list[Held]:
    """The held-out records that have answers of two qualities, in their order."""
    assert job.test is not None
    texts, records = texts_of(job.train), dict[str, dict[str, list[dict[str, Any]]]]()
    for row in job.test:
        if ordered([row["quality"]]):
            records.setdefault(row["id"], {}).setdefault(row["quality"], []).append(row)
    token = getattr(job.trainer, "control", "text") == "token"
    return [_held(rows, texts, token) for rows in records.values() if len(rows) > 1]


def _held(rows: Mapping[str, list[dict[str, Any]]], texts: Mapping[str, Mapping[str, str]], token: bool) -> Held:
    first = next(iter(rows.values()))[0]
    plain = without_control(first["prompt"], first["control"])
    asked = texts[_language(first["control"])]
    prompts = {label: plain if token else _asking(plain, text) for label, text in asked.items()}
    return Held(prompts, {label: [row["completion"] for row in same] for label, same in rows.items()})


def _asking(plain: Turns, text: str) -> Turns:
    return turns(controlled(messages(plain), text))


def steering(held: Sequence[Held], model: Any, job: Job, trainer: "Quality") -> dict[str, Any]:
    """Metrics; the answers themselves go to samples.txt."""
    labels = trainer.labels(job)
    worst, best = labels[0], labels[-1]
    table = nll_table(held[:SCORED], labels, model, job, trainer)
    for line in lines(table):
        job.say(line)
    asked = held[: SCORED if trainer.reward else ANSWERED]
    said = {
        label: replies([trainer.asked(job, one.prompts[label], label) for one in asked], model, job)
        for label in (best, worst)
    }
    differ = [good != bad for good, bad in zip(said[best], said[worst], strict=True)]
    write_samples(asked, said, job)
    gap = table[best][worst] - table[best][best] if best in table else None
    likelier = (
        "no held-out answer is of the best quality"
        if gap is None
        else (f"a {_adjective(best)} answer is {gap:+.3f} nats a token likelier when asked for")
    )
    job.say(f"held-out: {likelier}; {sum(differ)} of {len(differ)} greedy answers change with the control")
    scores = {"reward": rewarded(asked, said, job, trainer.reward)} if trainer.reward else {}
    return {
        "records": len(held[:SCORED]),
        "nll": {
            f"{answer}_answer": {f"{control}_control": nll for control, nll in row.items()}
            for answer, row in table.items()
        },
        "gap": gap,
        "diagonal_wins": all(row[answer] == min(row.values()) for answer, row in table.items()),
        "answered": len(differ),
        "answers_that_differ": fmean(differ),
        **scores,
    }


def _adjective(label: str) -> str:
    return label if label in ("good", "bad") else f"level {label}"


def lines(table: Table) -> Iterator[str]:
    """The table as text: a line an answer's quality, a column a control."""
    controls = list(next(iter(table.values())))
    yield "held-out loss of answers, by what was asked for:"
    yield "  " + "answer".ljust(10) + "".join(f"{control:>9}" for control in controls)
    for answer, row in table.items():
        yield "  " + answer.ljust(10) + "".join(f"{row[control]:9.4f}" for control in controls)


def nll_table(held: Sequence[Held], labels: Sequence[str], model: Any, job: Job, trainer: "Quality") -> Table:
    """table[quality of the answer][quality asked for]: mean over records of the mean NLL per token."""
    cells = [(one, answer, control) for one in held for answer in one.answers for control in labels]
    sequences = [
        trainer.encoded(job, one.prompts[control], completion, control)
        for one, answer, control in cells
        for completion in one.answers[answer]
    ]
    scores = nlls(sequences, model, job)
    table: dict[str, dict[str, list[float]]] = {}
    for one, answer, control in cells:
        mean = fmean(islice(scores, len(one.answers[answer])))
        table.setdefault(answer, {}).setdefault(control, []).append(mean)
    return {answer: {control: fmean(table[answer][control]) for control in labels} for answer in ordered(table)}


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
def replies(prompts: Sequence[str], model: Any, job: Job) -> list[str]:
    """Greedy answers to rendered prompts, of up to NEW_TOKENS tokens each."""
    return [
        text for at in range(0, len(prompts), ANSWERED) for text in _replies(prompts[at : at + ANSWERED], model, job)
    ]


def _replies(prompts: Sequence[str], model: Any, job: Job) -> list[str]:
    tokenizer = job.tokenizer
    inputs: Any = tokenizer(
        list(prompts), add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt"
    )
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


def write_samples(held: Sequence[Held], said: Mapping[str, Sequence[str]], job: Job) -> None:
    (best, high), (worst, low) = said.items()
    blocks = [
        f"PROMPT\n{one.prompts[best][-1]['content']}\n\nASKED FOR {best.upper()}\n{good}\n\n"
        f"ASKED FOR {worst.upper()}\n{bad}\n"
        for one, good, bad in zip(held, high, low, strict=True)
    ]
    (job.into / "samples.txt").write_text(("\n" + "-" * 60 + "\n\n").join(blocks), encoding="utf-8")
