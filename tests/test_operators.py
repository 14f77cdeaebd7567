"""Which operator a round draws, and when one is retired."""

from collections import Counter

from tuneworks.factory.dice import Dice
from tuneworks.factory.evol_instruct.operators import OPERATORS, UNIFORM, Operator, draw, standing, survival
from tuneworks.factory.record import Part, Record, Rejected

DICE = Dice(3, "made.evol_instruct")


def record(number: int) -> Record:
    return Record.born(f"Name fish {number}.")


def made(operator: str) -> Record:
    return Record.born("Name a fish.", meta={"operator": operator, "round": 1})


def gone(operator: str, part: Part = "reply") -> Rejected:
    return Rejected(made(operator), "s", "why", part)


def test_every_operator_is_as_likely() -> None:
    drawn = Counter(draw(UNIFORM, DICE, record(n), 1) for n in range(1200))
    assert set(drawn) == set(OPERATORS)
    assert all(140 < times < 260 for times in drawn.values())


def test_weights_are_kept_and_the_draw_hangs_on_record_and_round() -> None:
    drawn = Counter(draw({"deepen": 3, "breadth": 1, "reasoning": 0}, DICE, record(n), 1) for n in range(400))
    assert set(drawn) == {"deepen", "breadth"} and 2 < drawn["deepen"] / drawn["breadth"] < 4.5
    of_one = [draw(UNIFORM, DICE, record(1), round_) for round_ in range(1, 40)]
    assert of_one == [draw(UNIFORM, DICE, record(1), round_) for round_ in range(1, 40)]
    assert len(set(of_one)) == 6


def test_survival_counts_kept_records_and_rejected_replies() -> None:
    items: list[Record | Rejected] = [
        made("deepen"),
        made("deepen"),
        gone("deepen"),
        gone("breadth"),
        gone("deepen", "answer"),
        made("other"),
    ]
    assert survival(items) == {"deepen": (2, 3), "breadth": (0, 1)}


def test_an_operator_under_the_bound_goes_once_enough_is_known() -> None:
    assert standing(UNIFORM, {"deepen": (1, 19)}, 0.5) == UNIFORM
    assert set(standing(UNIFORM, {"deepen": (9, 20), "breadth": (10, 20)}, 0.5)) == set(OPERATORS) - {"deepen"}


def test_the_best_operator_is_never_retired() -> None:
    weights: dict[Operator, float] = {"deepen": 1.0, "breadth": 2.0, "reasoning": 0.0}
    assert standing(weights, {"deepen": (1, 30), "breadth": (2, 30)}, 0.5) == {"breadth": 2.0}
