"""Rule: one thing a published method says, what ours does, and a check that runs our code to see that it is so."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import yaml

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.generator import Generator
from tuneworks.factory.record import Record, Rejected

Status = Literal["same", "preset", "different", "absent"]

MEANS: dict[Status, str] = {
    "same": "ours does the same",
    "preset": "the preset does the same; what the default does is said",
    "different": "ours does something else, and why",
    "absent": "ours does not do it",
}


@dataclass(frozen=True, slots=True)
class Rule:
    published: str
    """What the paper or its released code does."""
    status: Status
    ours: str
    """What ours does where it is not simply the same, and why."""
    holds: Callable[[], bool] | None
    """Runs our code; false where `status` and `ours` do not tell the truth. Only what is absent has none."""


def rules_of(checks: ModuleType) -> tuple[Rule, ...]:
    """The rules in the YAML file beside a module, each with the module's function that its `check` names."""
    path = Path(str(checks.__file__)).with_suffix(".yaml")
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(
        Rule(e["published"], e["is"], e.get("ours", ""), vars(checks)[e["check"]] if "check" in e else None)
        for e in entries
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """What a generator asked of a scripted model, and what it made of the replies."""

    requests: Sequence[Request]
    items: Sequence[Record | Rejected]

    @property
    def kept(self) -> list[Record]:
        return [item for item in self.items if isinstance(item, Record)]

    @property
    def gone(self) -> list[Rejected]:
        return [item for item in self.items if isinstance(item, Rejected)]


def tried(
    generator: Generator,
    records: Sequence[Record],
    reply: Callable[[Request], str | Completion],
    structured: bool = False,
) -> Trial:
    engine = Scripted(reply, structured=structured)

    async def run() -> list[Record | Rejected]:
        return [item async for item in generator.generate(records, engine, Dice(0, "conformance"))]

    items = asyncio.run(run())
    return Trial(engine.calls, items)
