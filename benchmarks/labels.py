"""What RLAIF labels are worth: the share that finds the right answer where it is known which one is.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/labels.py --tasks 40 --principles 4

Each of the packaged tasks' own answer is compared with the answer to another task, and with its own words shuffled.
"""

import argparse
import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from tuneworks.factory.dice import Dice
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.record import Record
from tuneworks.factory.rlaif.comparing import Comparer
from tuneworks.factory.rlaif.principles import PRINCIPLES
from tuneworks.factory.rlaif.prompts import PROMPTS
from tuneworks.factory.seeds import read_seeds
from tuneworks.factory.weights import SMOLLM2

LONGEST, TUNED_ON = 500, 36
"""Characters of a prompt or answer; the first tasks of the draw, which the prompts were chosen on, are left out."""


@dataclass(frozen=True, slots=True)
class Readings:
    """P(the right answer is better) by each principle, shown first and shown second."""

    first: Sequence[float]
    second: Sequence[float]


def tasks(count: int, rng: random.Random) -> list[Record]:
    seeds = [
        s
        for s in read_seeds("builtin", "")
        if len(s.prompt_text) < LONGEST and len(s.answers[0].text) < LONGEST and not s.meta["is_classification"]
    ]
    rng.shuffle(seeds)
    return seeds[TUNED_ON : TUNED_ON + count]


def shuffled(text: str, rng: random.Random) -> str:
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


async def readings(comparer: Comparer, asked: str, right: str, wrong: str, principles: Sequence[str]) -> Readings:
    orders = [(right, wrong), (wrong, right)]
    found = await asyncio.gather(*(comparer._reading(asked, *o, p) for p in principles for o in orders))
    return Readings(found[0::2], [1 - reading for reading in found[1::2]])


def report(name: str, found: Sequence[Readings]) -> None:
    n = len(found)
    first = sum(mean(r.first) > 0.5 for r in found)
    second = sum(mean(r.second) > 0.5 for r in found)
    one = sum(r.first[0] + r.second[0] > 1 for r in found)
    every = sum(mean([*r.first, *r.second]) > 0.5 for r in found)
    apart = mean(abs(a - b) for r in found for a, b in zip(r.first, r.second, strict=True))
    print(f"| {name} | {first} of {n} | {second} of {n} | {one} of {n} | {every} of {n} | {apart:.2f} |")


async def compared(model: str, count: int, principles: int) -> None:
    rng = random.Random(7)
    seeds = tasks(count, rng)
    engine = Transformers(model=model).open()
    comparer = Comparer(engine, PROMPTS["en"], Dice(0, "labels"), False, (0.0, 1.0))
    drawn = [random.Random(at).sample(PRINCIPLES["en"], principles) for at in range(len(seeds))]
    broken = [shuffled(s.answers[0].text, rng) for s in seeds]
    others = [s.answers[0].text for s in [*seeds[1:], seeds[0]]]
    print("| the other answer | shown first | shown second | one principle, both orders | all of them | orders apart |")
    print("|---|---|---|---|---|---|")
    for name, wrong in (("the same, its words shuffled", broken), ("that of another task", others)):
        jobs = zip(seeds, wrong, drawn, strict=True)
        made = await asyncio.gather(
            *(readings(comparer, s.prompt_text, s.answers[0].text, text, ps) for s, text, ps in jobs)
        )
        report(name, made)
    await engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=SMOLLM2)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--principles", type=int, default=4)
    options = parser.parse_args()
    asyncio.run(compared(options.model, options.tasks, options.principles))


if __name__ == "__main__":
    main()
