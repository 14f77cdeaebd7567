"""Checks of the claims about Constitutional AI and RLAIF, against a scripted model."""

from functools import cache

from tuneworks.factory.constitutional import Constitutional
from tuneworks.factory.constitutional.constitution import load_constitution
from tuneworks.factory.constitutional.examples import load_examples
from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.record import PREFERRED, Answer, Message, Record
from tuneworks.factory.rlaif import Rlaif
from tuneworks.factory.seeds import read_seeds
from tuneworks.pipelines.conformance.rule import Trial, tried

TALK = (Message("user", "Note: salt."), Message("assistant", "Salt: noted."), Message("user", "To whom: tell me all."))
PEOPLE = [Record.born(f"Tell me about my neighbour, number {n}.") for n in range(40)]
PAIR = Record.born("Name a fish.", answers=[Answer("A trout."), Answer("A stone.")])


def _says(request: Request) -> str | Completion:
    if request.candidates:
        first, second = request.candidates
        return Completion("", log_probs={first: -0.1, second: -2.4})
    return f"This says a thing that differs by its number, which is {request.seed}."


@cache
def _paper() -> Trial:
    return tried(Constitutional.model_validate({"preset": "paper"}), PEOPLE, _says)


def sixteen_principles() -> bool:
    topics = {p.topic for p in load_constitution(None)["en"]}
    return all(len(p) >= 16 for p in load_constitution(None).values()) and len(topics) >= 3


def examples_that_change_nothing() -> bool:
    same = [sum(e.answer == e.revision for e in shown) for shown in load_examples(None).values()]
    return len(same) == 2 and min(same) >= 2


def principles_are_drawn() -> bool:
    drawn = [[record.meta[f"principle_{n}"] for n in range(1, 5)] for record in _paper().kept]
    seen = {principle for four in drawn for principle in four}
    return len(seen) > 8 and any(len(set(four)) < 4 for four in drawn)


def four_rounds() -> bool:
    asked = {(r.temperature, r.top_p) for r in _paper().requests}
    return asked == {(1.0, 1.0)} and all(len(record.answers) == 5 for record in _paper().kept)


def revisions_chain() -> bool:
    last = _paper().kept[0].answers[3].text
    return any(last in message.content for r in _paper().requests for message in r.messages)


def steps_are_kept() -> bool:
    return [a.scores["step"] for a in _paper().kept[0].answers] == [0, 1, 2, 3, 4]


def red_team_prompts() -> bool:
    return len(read_seeds("red-team", "")) >= 60 and len(read_seeds("red-team-zh", "")) >= 30


def prompts_are_never_cut() -> bool:
    made = tried(Constitutional(rounds=1), [Record.born(TALK)], _says)
    shown = "\n".join(message.content for message in made.requests[1].messages)
    return all(turn.content in shown for turn in TALK)


def letters_by_principle() -> bool:
    asked = tried(Rlaif.model_validate({"preset": "paper"}), [PAIR], _says).requests
    return len(asked) == 2 and all([c.strip() for c in r.candidates] == ["A", "B"] for r in asked)


def soft_labels() -> bool:
    (record,) = tried(Rlaif(principles=1), [PAIR], lambda r: _knows(r)).kept
    return abs(record.answers[0].scores[PREFERRED] - 0.9) < 0.01


def _knows(request: Request) -> Completion:
    """Nine to one for the trout, wherever it stands."""
    text = "\n".join(message.content for message in request.messages)
    trout_first = text.index("A trout.") < text.index("A stone.")
    return Completion(
        "", log_probs=dict(zip("AB", (-0.10536, -2.30259) if trout_first else (-2.30259, -0.10536), strict=True))
    )


def both_orders() -> bool:
    """A model that always says A prefers neither."""
    made = tried(Rlaif(principles=1), [PAIR], _says)
    return not any(a.scores.get(PREFERRED, 0.5) != 0.5 for item in made.kept for a in item.answers)


def clamp() -> bool:
    made = tried(Rlaif(principles=1, reasoning=True), [PAIR], lambda r: _knows(r) if r.candidates else "I think.")
    return abs(made.kept[0].answers[0].scores[PREFERRED] - 0.6) < 1e-9 if made.kept else False


def reasoned_once() -> bool:
    made = tried(Rlaif(principles=1, reasoning=True), [PAIR], lambda r: _says(r) if r.candidates else "I think.")
    reasons = [r for r in made.requests if not r.candidates]
    return len(reasons) == 2 and all(r.temperature == 0 for r in reasons)


def two_answers() -> bool:
    return Rlaif.model_validate({"preset": "paper"}).n == 2
