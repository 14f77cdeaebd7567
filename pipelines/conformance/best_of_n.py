"""Checks of the claims about best-of-N and rejection sampling, against a scripted model."""

from functools import cache

from tuneworks.factory.best_of_n import BestOfN
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.judge import Judge, expected_mark
from tuneworks.factory.record import PAIR, REWARD, Answer, Record
from tuneworks.factory.reward import Reward
from tuneworks.factory.rewards.combined import Combined
from tuneworks.pipelines.conformance.rule import Trial, tried
from tuneworks.trainers.rows import preference_rows

FISH = Record.born("Name a fish.")
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Words(Reward):
    """As many as it has words."""

    kind = "words"

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return float(len(answer.text.split()))


class Harmless(Reward):
    """0 for an answer that says five, else 1."""

    kind = "harmless"

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return 0.0 if "five" in answer.text else 1.0


def _counts(request: Request) -> str:
    return " ".join(WORDS[: request.seed % 10 + 1])


@cache
def _ranked() -> Trial:
    return tried(BestOfN(n=16, reward=Words()), [FISH], _counts)


def _rewards(record: Record) -> list[float]:
    return [answer.scores[REWARD] for answer in record.answers]


def best_is_first_choice() -> bool:
    (row,) = preference_rows(_ranked().kept)
    (record,) = _ranked().kept
    return len(row["chosen"][0]["content"].split()) == max(_rewards(record))


def all_rounds_compete() -> bool:
    brought = FISH.with_answers([Answer("a " * 20, "earlier")])
    (record,) = tried(BestOfN(n=6, rounds=2, keep=2, reward=Words()), [brought], _counts).kept
    everything = tried(BestOfN(n=6, rounds=2, reward=Words()), [brought], _counts).kept[0]
    return sorted(_rewards(record)) == sorted(_rewards(everything))[-2:] and max(_rewards(record)) == 20


def gain() -> bool:
    (record,) = _ranked().kept
    ordered = sorted(_rewards(record))
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return record.meta["reward_gain"] == ordered[-1] - median


def gate() -> bool:
    reward = Combined(rewards=(Harmless(), Words()), by="gate", threshold=0.15)
    (record,) = tried(BestOfN(n=16, reward=reward), [FISH], _counts).kept
    best = max(record.answers, key=lambda answer: answer.scores[REWARD])
    return "five" not in best.text and any("five" in answer.text for answer in record.answers)


def margin() -> bool:
    (row,) = preference_rows(_ranked().kept)
    (record,) = _ranked().kept
    return bool(row["margin"] == max(_rewards(record)) - min(_rewards(record)))


def eight_at_one() -> bool:
    options = BestOfN.model_validate({"preset": "paper"})
    return (options.n, options.temperature, options.pair) == (8, 1.0, "best_worst")


def two_are_enough() -> bool:
    made = tried(BestOfN(n=6, reward=Words()), [FISH], lambda r: _counts(r) if r.seed % 2 else "")
    return any(a.scores.get(PAIR) for record in made.kept for a in record.answers) and bool(made.gone)


def _pair(**options: object) -> tuple[int, int]:
    chosen = BestOfN.model_validate({"n": 16, **options, "reward": Words()})
    (row,) = preference_rows(tried(chosen, [FISH], _counts).kept)
    return len(row["chosen"][0]["content"].split()), len(row["rejected"][0]["content"].split())


def pair_rules() -> bool:
    ordered = sorted(set(_rewards(_ranked().kept[0])))
    best, second, worst = int(ordered[-1]), int(ordered[-2]), int(ordered[0])
    return (
        _pair(pair="best_worst") == (best, worst)
        and _pair(pair="best_second") == (best, second)
        and _pair(pair="best_random")[0] == best > _pair(pair="best_random")[1]
        and _pair(length_penalty=0.1)[0] == best
    )


def repeats_go() -> bool:
    made = tried(BestOfN(n=3, reward=Words()), [FISH], lambda r: "A Trout." if r.seed % 2 else "a  trout.")
    return not list(preference_rows(made.kept)) and any("same as another" in g.reason for g in made.gone)


def no_mark_is_no_score() -> bool:
    made = tried(BestOfN(n=3, reward=Judge()), [FISH], lambda r: Completion("") if r.candidates else _counts(r))
    return not made.kept and any("none of the marks" in gone.reason for gone in made.gone)


def expected_mark_stays() -> bool:
    return abs(expected_mark({"1": 0.0}) - 1) < 1e-12 and abs(expected_mark({"1": -1.0, "5": -1.0}) - 3) < 1e-12


def one_number_an_answer() -> bool:
    return all(
        isinstance(value, float)
        for n in (1, 2, 3)
        for value in _rewards(tried(BestOfN(n=n, reward=Words()), [FISH], _counts).kept[0])
    )
