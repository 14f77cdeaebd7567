"""One budget for every trial; and what there is too little for."""

from pathlib import Path

import pytest

from tuneworks.factory.errors import InputError
from tuneworks.trainers.trials.encoding import Encodings
from tuneworks.trainers.trials.lessons import Encoded
from tuneworks.trainers.trials.plan import Rows, Schedule, TrialsPlan
from tuneworks.trainers.trials.schedule import scheduled


def encodings(rows: int, answered: int) -> Encodings:
    return Encodings([Encoded(str(n), range(5 + answered), 5) for n in range(rows)], list(range(rows)), 0, 0)


def plan(tokens: int | None = None, **draws: int | None) -> TrialsPlan:
    arms = {name: Rows(f"{name}.parquet", name, draw) for name, draw in draws.items()}
    return TrialsPlan("m", "", 7, 3, tokens, arms, Rows("held-out.parquet", "held-out"))


ARMS = {"kept": encodings(50, 40), "random": encodings(80, 40), "rejected": encodings(30, 20)}


def test_the_smallest_arm_sets_the_budget_unless_tokens_do() -> None:
    found = scheduled(plan(kept=None, random=50, rejected=None), ARMS, encodings(20, 10))
    assert (found.budget, found.smallest, found.steps) == (600, "rejected", 8)
    assert found.arms["random"] == {"rows": 80, "tokens": 3200, "cut": 0, "dropped": 0}
    some = {name: ARMS[name] for name in ("kept", "random")}
    assert scheduled(plan(kept=None, random=40), some, encodings(20, 10)).budget == 40 * 40
    assert scheduled(plan(5000, kept=None, random=50), some, encodings(20, 10)).budget == 5000


def test_a_result_is_found_again_by_all_that_decides_it(tmp_path: Path) -> None:
    two = {name: ARMS[name] for name in ("kept", "rejected")}
    one = scheduled(plan(900, kept=None, rejected=None), two, encodings(20, 10))
    assert len({*one.trials["kept"], *one.trials["rejected"], one.base}) == 7
    longer = scheduled(plan(901, kept=None, rejected=None), two, encodings(20, 10))
    assert longer.base == one.base and not {*longer.trials["kept"]} & {*one.trials["kept"]}
    fewer = scheduled(plan(900, kept=None), {"kept": ARMS["kept"]}, encodings(20, 10))
    assert fewer.trials["kept"] == one.trials["kept"]
    one.write(tmp_path)
    assert Schedule.read(tmp_path) == one
    plan(900, kept=None, random=4).write(tmp_path)
    assert TrialsPlan.read(tmp_path) == plan(900, kept=None, random=4)


def test_too_little_is_a_sentence() -> None:
    with pytest.raises(InputError, match=r"150 tokens \(by --tokens\) are too few to learn from"):
        scheduled(plan(150, kept=None), {"kept": ARMS["kept"]}, encodings(20, 10))
    with pytest.raises(InputError, match=r"60 tokens \(all that the arm rejected has\) are too few .*--tokens 5000"):
        scheduled(plan(kept=None, rejected=None), {"kept": ARMS["kept"], "rejected": encodings(3, 20)}, encodings(9, 9))
    with pytest.raises(InputError, match="no row of the arm rejected has an answer within 1024 tokens"):
        scheduled(plan(kept=None, rejected=None), {"kept": ARMS["kept"], "rejected": encodings(0, 1)}, encodings(9, 9))
    with pytest.raises(InputError, match="only 7 held-out rows have an answer within 1024 tokens, and 8 are needed"):
        scheduled(plan(kept=None), {"kept": ARMS["kept"]}, encodings(7, 10))
