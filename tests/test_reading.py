"""Reading a run: what its operators made."""

import time
from pathlib import Path

from tuneworks.factory.record import Record, Rejected, to_rejected_table, to_table
from tuneworks.pipelines.reading import Survival, steps_made, survivals
from tuneworks.pipelines.stages import Step, write_step


def evolved(text: str, operator: str, round_: int) -> Record:
    return Record.born(text, meta={"operator": operator, "round": round_})


def made_by(folder: Path, kept: list[Record], gone: list[Rejected]) -> list[Survival]:
    seeds = [Record.born("Name a fish."), evolved("Name a bird.", "earlier", 0)]
    first = Step("01-seeds", "seeds", None, (), "", "a")
    second = Step("02-evol", "evol", None, ("01-seeds",), "", "b")
    nothing = to_rejected_table([])
    write_step(folder / first.folder, first, 2, to_table(seeds), nothing, time.monotonic())
    write_step(folder / second.folder, second, 2, to_table([*seeds, *kept]), to_rejected_table(gone), time.monotonic())
    return survivals(steps_made(folder)[1])


def test_what_each_operator_made_and_kept_by_round(tmp_path: Path) -> None:
    kept = [evolved("a", "deepen", 1), evolved("b", "breadth", 1), evolved("c", "deepen", 2)]
    gone = [
        Rejected(evolved("d", "deepen", 1), "evol", "equal", "reply"),
        Rejected(evolved("e", "deepen", 1), "evol", "equal", "reply"),
        Rejected(evolved("f", "deepen", 1), "evol", "an answer", "answer"),
    ]
    assert made_by(tmp_path, kept, gone) == [
        Survival("breadth", 1, 1, 1),
        Survival("deepen", 1, 3, 1),
        Survival("deepen", 2, 1, 1),
    ]


def test_a_step_of_one_operator_has_no_such_table(tmp_path: Path) -> None:
    assert made_by(tmp_path, [evolved("a", "deepen", 1), Record.born("b")], []) == []
