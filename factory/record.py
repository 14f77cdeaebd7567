"""Record: a prompt and any number of answers. The one shape of data; every stage takes and gives it.

In memory a stage hands over a table (`SCHEMA`, one Polars frame); on disk it is Parquet. `Record` objects appear only
where a model is asked about one record at a time.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, cast

import polars as pl

Role = Literal["system", "user", "assistant"]
Fact = str | int | float | bool

REWARD = "reward"
"""The score that ranks a record's answers."""

PAIR = "pair"
"""The score that picks a preference by hand: 1 for the chosen answer, 0 for the rejected one. Without it the answers
with the highest and the lowest reward are the pair."""

PREFERRED = "preferred"
"""The score that holds the probability that this answer is the better one of its pair: a soft label."""

_TEXT = pl.String()
_MESSAGES = pl.List(pl.Struct({"role": _TEXT, "content": _TEXT}))
_SCORES = pl.List(pl.Struct({"name": _TEXT, "value": pl.Float64()}))
_ANSWERS = pl.List(pl.Struct({"text": _TEXT, "by": _TEXT, "scores": _SCORES}))

SCHEMA = pl.Schema(
    {
        "id": _TEXT,
        "source": _TEXT,
        "prompt": _MESSAGES,
        "answers": _ANSWERS,
        "parents": pl.List(_TEXT),
        "meta": _TEXT,  # a JSON object of flat facts, keys sorted
    }
)

REJECTED_SCHEMA = pl.Schema({**SCHEMA, "stage": _TEXT, "part": _TEXT, "reason": _TEXT})


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply to the prompt: its text, who wrote it, and named scores (higher is better)."""

    text: str
    by: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """A prompt and its answers, with where they came from.

    `id` is a hash of the content at birth and stays when answers or scores are added; a record with another prompt is
    another record, and names the first among its `parents`.
    """

    id: str
    prompt: tuple[Message, ...]
    answers: tuple[Answer, ...] = ()
    source: str = ""
    parents: tuple[str, ...] = ()
    meta: Mapping[str, Fact] = field(default_factory=dict)

    @classmethod
    def born(
        cls,
        prompt: Sequence[Message] | str,
        *,
        answers: Sequence[Answer] = (),
        source: str = "",
        parents: Sequence[str] = (),
        meta: Mapping[str, Fact] | None = None,
    ) -> Self:
        """A new record; a plain string is one user message."""
        messages = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
        content = [
            [[m.role, m.content] for m in messages],
            [[a.text, a.by, dict(a.scores)] for a in answers],
            source,
            list(parents),
            dict(meta or {}),
        ]
        return cls(fingerprint(content), messages, tuple(answers), source, tuple(parents), dict(meta or {}))

    @property
    def prompt_text(self) -> str:
        """The last user message: what is asked."""
        return next((m.content for m in reversed(self.prompt) if m.role == "user"), "")

    @property
    def instruction(self) -> str:
        """What is asked, without its input: the fact "instruction" where there is one, else the last user message."""
        return str(self.meta.get("instruction") or self.prompt_text)

    def with_answers(self, answers: Iterable[Answer]) -> "Record":
        return replace(self, answers=tuple(answers))

    def with_meta(self, **facts: Fact) -> "Record":
        return replace(self, meta={**self.meta, **facts})


def best_answer(record: Record) -> Answer | None:
    """The answer with the highest reward, of equals the first; one without it ranks below."""

    def rank(answer: Answer) -> tuple[bool, float]:
        reward = answer.scores.get(REWARD, math.nan)
        return (False, 0.0) if math.isnan(reward) else (True, reward)

    return max(record.answers, key=rank, default=None)


Part = Literal["record", "answer", "reply"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """What was not used, where, and why in one sentence with the number that decided. Nothing is thrown away.

    `part` says what went: the whole record, one of its answers (the record holds just that one), or a model's
    reply from which no record came (the record's prompt is what was asked, its answer the raw reply).
    """

    record: Record
    stage: str
    reason: str
    part: Part = "record"


def fingerprint(content: object) -> str:
    """16 hexadecimal digits that stand for any JSON-able content, the same on every machine and Python."""
    canonical = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


def to_table(records: Iterable[Record]) -> pl.DataFrame:
    return pl.DataFrame([_row(r) for r in records], schema=SCHEMA)


def to_rejected_table(rejected: Iterable[Rejected]) -> pl.DataFrame:
    rows = [{**_row(r.record), "stage": r.stage, "part": r.part, "reason": r.reason} for r in rejected]
    return pl.DataFrame(rows, schema=REJECTED_SCHEMA)


def from_table(table: pl.DataFrame) -> list[Record]:
    return [_record(row) for row in table.iter_rows(named=True)]


def _row(record: Record) -> dict[str, Any]:
    answers = [
        {"text": a.text, "by": a.by, "scores": [{"name": n, "value": float(v)} for n, v in sorted(a.scores.items())]}
        for a in record.answers
    ]
    return {
        "id": record.id,
        "source": record.source,
        "prompt": [{"role": m.role, "content": m.content} for m in record.prompt],
        "answers": answers,
        "parents": list(record.parents),
        "meta": json.dumps(dict(record.meta), ensure_ascii=False, sort_keys=True),
    }


def _record(row: Mapping[str, Any]) -> Record:
    return Record(
        id=row["id"],
        prompt=tuple(Message(m["role"], m["content"]) for m in row["prompt"]),
        answers=tuple(Answer(a["text"], a["by"], {s["name"]: s["value"] for s in a["scores"]}) for a in row["answers"]),
        source=row["source"],
        parents=tuple(row["parents"]),
        meta=cast(dict[str, Fact], json.loads(row["meta"])),
    )
