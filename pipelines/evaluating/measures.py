"""The lines of an evaluation's table, from what the two models gave."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tuneworks.factory.constraints import Asked
from tuneworks.factory.constraints.counting import words
from tuneworks.factory.engine import Completion, Loss
from tuneworks.factory.wording.loops import repetition
from tuneworks.pipelines.evaluating.asking import Told
from tuneworks.pipelines.evaluating.contestants import Contestant
from tuneworks.pipelines.evaluating.differences import Line, differing, paired
from tuneworks.pipelines.evaluating.held_out import Graded, HeldRow
from tuneworks.pipelines.evaluating.wins import Pair

LOSS, ANSWERS, CONSTRAINTS, CONTROL, REWARD = "held-out loss", "answers", "constraints", "control", "reward"


def loss_lines(rows: Sequence[HeldRow], model: Told, base: Told) -> Iterator[Line]:
    """Over all rows, then by source where there are several. A record counts once, whatever its length."""
    known: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        one, other = model.losses[row.id], base.losses[row.id]
        if one is not None and other is not None:
            known.setdefault(row.source, []).append((per_token(one), per_token(other)))
    if not known:
        return
    yield paired(LOSS, "of all rows", "nats", [pair for pairs in known.values() for pair in pairs], "lower")
    if len(known) > 1:
        for source, pairs in sorted(known.items()):
            yield paired(LOSS, f"of {source or 'no source'}", "nats", pairs, "lower")


def per_token(loss: Loss) -> float:
    return loss.nats / loss.tokens


def answer_lines(pairs: Sequence[Pair]) -> Iterator[Line]:
    """How the answers are, whatever they say."""
    if not pairs:
        return
    both = [(pair.model, pair.base) for pair in pairs]
    yield paired(ANSWERS, "end by themselves", "share", [(_stops(one), _stops(other)) for one, other in both], "higher")
    yield paired(ANSWERS, "run in a loop", "share", [(_loops(one), _loops(other)) for one, other in both], "lower")
    yield paired(
        ANSWERS, "different pairs of words", "share",
        [(distinct(one.text), distinct(other.text)) for one, other in both], "higher",
    )  # fmt: skip
    lengths = [(float(len(words(one.text))), float(len(words(other.text)))) for one, other in both]
    yield paired("length", "words in an answer", "words", lengths, "")


def _stops(reply: Completion) -> float:
    return float(reply.finish == "stop")


def _loops(reply: Completion) -> float:
    return float(repetition(reply.text) is not None)


def distinct(text: str) -> float:
    """Distinct-2 (arXiv:1510.03055) of one answer: different pairs of neighbours among all of them. 1 of one word."""
    said = words(text)
    pairs = Counter(pairwise(said))
    return len(pairs) / pairs.total() if pairs else 1.0


def constraint_lines(asked: Sequence[Asked], model: Told, base: Told) -> Iterator[Line]:
    """Over all, then each kind of constraint."""
    kept: dict[str, list[tuple[float, float]]] = {}
    for one, mine, its in zip(asked, model.constrained, base.constrained, strict=True):
        if mine is not None and its is not None:
            met = (float(one.met_by(mine.text)), float(one.met_by(its.text)))
            kept.setdefault(one.constraint.name, []).append(met)
    if not kept:
        return
    yield paired(CONSTRAINTS, "of all kinds", "share", [pair for pairs in kept.values() for pair in pairs], "higher")
    for name, pairs in kept.items():
        yield paired(CONSTRAINTS, name, "share", pairs, "higher")


def control_lines(contestant: Contestant, graded: Sequence[Graded], told: Told) -> Iterator[Line]:
    """How much likelier answers of the best and of the worst quality are when they are asked for, in nats a token."""
    qualities = list(contestant.controls)
    if len(qualities) < 2:
        return
    best = contestant.best
    worst = next(quality for quality in qualities if quality != best) if len(qualities) == 2 else qualities[0]
    for quality, other in ((best, worst), (worst, best)):
        gaps = [gap for one in graded if (gap := _gap(told.graded.get(one.id, {}), quality, other)) is not None]
        if gaps:
            name = f"{quality} answers asked for, not {other}"
            yield Line(CONTROL, name, "nats", None, None, differing(gaps), len(gaps), "higher")


def _gap(nats: Mapping[tuple[str, str], float | None], quality: str, other: str) -> float | None:
    wanted, unwanted = nats.get((quality, quality)), nats.get((quality, other))
    return None if wanted is None or unwanted is None else unwanted - wanted
