"""Rule 1: does an evolution gain information, or is it equal to its parent? The model is asked in both orders.

Examples go before the question, and the log-odds of "equal" are compared with a cut that sorts best what is known:
our own evolutions, and pairs that say the same. The paper's neutral cut is 0; small models lean to one answer whatever
they read (arXiv:2102.09690), so theirs moves, `MOST_CUT` at most. Where a model still cannot sort the known pairs, its
leaning hangs on the subject, and is taken out with the log-odds of the parent beside itself. If that does not help
either, only what is more equal than each known pair that differs is eliminated. Where an engine gives no
log-probabilities it is asked for the word instead.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.evol_instruct.examples import EXAMPLES
from tuneworks.factory.evol_instruct.operators import Operator
from tuneworks.factory.evol_instruct.prompts import Prompts
from tuneworks.factory.form import Form, Unfilled, fill
from tuneworks.factory.language import Language
from tuneworks.factory.prompts import filled
from tuneworks.factory.record import Message
from tuneworks.factory.self_instruct.sorting import UNSEEN, best_cut

MOST_CUT = 4.0
"""The cut stays between this and minus this: odds of about 55 to 1."""

TELLS_APART = 0.75
"""Share of the known pairs, the mean over both kinds, that a model must sort for its cut to be believed."""

VERDICT_TOKENS = 24

EQUALS: Mapping[Language, tuple[tuple[str, str], ...]] = {
    "en": (
        ("Suggest a name for a bakery.", "Please suggest a name for a bakery."),
        ("What is inflation?", "Tell me what inflation is."),
        ("List some tips for sleeping better.", "Give me a list of tips for better sleep."),
        ("Write a poem about the sea.", "Compose a poem about the sea."),
        ("How can I save money on food?", "What can I do to save money on food?"),
        ("Translate 'good morning' into French.", "How do you say 'good morning' in French?"),
        ("Is a tomato a fruit or a vegetable?", "Is a tomato a vegetable or a fruit?"),
        ("Describe a solar panel.", "Give a description of a solar panel."),
        ("Recommend a book.", "Could you recommend a book?"),
        ("Write a story about an animal.", "Can you write me a story about an animal?"),
    ),
    "zh": (
        ("给面包店起个名字。", "请给面包店取个名字。"),
        ("什么是通货膨胀？", "请说说通货膨胀是什么。"),
        ("介绍几个改善睡眠的方法。", "列出几个改善睡眠的办法。"),
        ("写一首关于大海的诗。", "请以大海为题写首诗。"),
        ("怎样省伙食费？", "有什么办法可以省伙食费？"),
        ("把“早上好”翻译成法语。", "“早上好”用法语怎么说？"),
        ("番茄是水果还是蔬菜？", "番茄是蔬菜还是水果？"),
        ("介绍一下太阳能板。", "请介绍太阳能板。"),
        ("推荐一本书。", "能推荐一本书吗？"),
        ("写一个关于动物的故事。", "请写个关于动物的故事。"),
    ),
}
"""Requests that say the same in other words."""


@dataclass(frozen=True, slots=True)
class Equality:
    words: Prompts
    language: Language
    engine: Engine
    dice: Dice
    cut: float | None = 0.0
    """None: the engine gives no log-probabilities."""
    against_itself: bool = False
    """Whether the log-odds of the first request beside itself are taken off."""

    async def calibrated(self) -> "Equality":
        """With the cut that sorts the known pairs best, or none where the engine cannot be read so."""
        for against_itself in (False, True):
            judge = replace(self, against_itself=against_itself)
            pairs = await judge.known_odds()
            if not pairs:
                return replace(self, cut=None)
            cut, right = known_cut(pairs)
            judge = replace(judge, cut=max(-MOST_CUT, min(MOST_CUT, cut)))
            if right >= TELLS_APART:
                return judge
        surest = max((odds for odds, equal in pairs if not equal), default=MOST_CUT)
        return replace(judge, cut=max(-MOST_CUT, min(MOST_CUT, surest)))

    async def known_odds(self) -> list[tuple[float, bool]]:
        """(log-odds, whether they are equal) of the known pairs that can be asked about and are not shown."""
        known = known_pairs(self.language)
        asked = await asyncio.gather(*(self._known_odds(first, second) for first, second in known))
        return [(odds, equal) for odds, equal in zip(asked, known.values(), strict=True) if odds is not None]

    async def no_gain(self, parent: str, evolved: str, place: str) -> str | None:
        """Why there is no information gain, or None. Raises EngineError if the model cannot be asked."""
        odds = None if self.cut is None else await self.odds(parent, evolved)
        if self.cut is not None and odds is not None:
            return (
                f"no information gain: log-odds {odds:.2f} of equal, over {self.cut:.2f}" if odds > self.cut else None
            )
        said = await asyncio.gather(self._said(parent, evolved, place), self._said(evolved, parent, place))
        return "no information gain: the model says they are equal, in both orders" if all(said) else None

    async def odds(self, first: str, second: str) -> float | None:
        """Log-odds of equal, the mean of both orders; None where the engine lists neither answer."""
        orders = [(first, second), (second, first), *([(first, first)] if self.against_itself else [])]
        asked = await asyncio.gather(*(self._log_odds(*order) for order in orders))
        seen = [odds for odds in asked[:2] if odds is not None]
        own = next(iter(asked[2:]), 0.0)
        return None if not seen or own is None else sum(seen) / len(seen) - own

    async def _log_odds(self, first: str, second: str) -> float | None:
        w = self.words
        reply = await self.engine.complete(Request(self._question(first, second), candidates=(w.same, w.different)))
        same, different = (reply.log_probs.get(word) for word in (w.same, w.different))
        if same is None and different is None:
            return None
        return (UNSEEN if same is None else same) - (UNSEEN if different is None else different)

    async def _known_odds(self, first: str, second: str) -> float | None:
        try:
            return await self.odds(first, second)
        except EngineUnavailable:
            raise
        except EngineError:
            return None

    async def _said(self, first: str, second: str, place: str) -> bool:
        """Whether the model calls them equal; what is neither word does not count as equal."""
        w = self.words
        request = Request(
            self._question(first, second),
            max_tokens=VERDICT_TOKENS,
            temperature=0,
            seed=self.dice.number("equal", place, first),
        )
        made = await fill(Form({"verdict": w.verdict}), request, self.engine, self.language, self._unclear, tries=2)
        if isinstance(made, Unfilled):
            if made.answered:
                return False
            raise EngineError(made.reason)
        return made.texts["verdict"].casefold().startswith(w.same.casefold())

    def _unclear(self, texts: Mapping[str, str]) -> str | None:
        said = texts["verdict"].casefold()
        clear = said.startswith((self.words.same.casefold(), self.words.different.casefold()))
        return None if clear else f"the verdict is neither {self.words.same} nor {self.words.different}"

    def _question(self, first: str, second: str) -> tuple[Message, ...]:
        turns: list[Message] = []
        for (one, other), equal in shown_pairs(self.language).items():
            asked = Message("user", filled(self.words.equal, first=one, second=other))
            turns += [asked, Message("assistant", self.words.same if equal else self.words.different)]
        return (*turns, Message("user", filled(self.words.equal, first=first, second=second)))


@cache
def shown_pairs(language: Language) -> dict[tuple[str, str], bool]:
    """The examples of the question: an equal pair and one that differs, by turns."""
    operators: tuple[Operator, ...] = ("constraints", "breadth", "deepen")
    different = [EXAMPLES[language][operator][1] for operator in operators]
    shown: dict[tuple[str, str], bool] = {}
    for equal, example in zip(EQUALS[language], different, strict=False):
        shown |= {equal: True, (example.before, example.after): False}
    return shown


@cache
def known_pairs(language: Language) -> dict[tuple[str, str], bool]:
    """Pairs of requests of which it is known whether they are equal, but for those that are shown."""
    evolved = {(e.before, e.after): False for examples in EXAMPLES[language].values() for e in examples}
    known = {**evolved, **dict.fromkeys(EQUALS[language], True)}
    return {pair: equal for pair, equal in known.items() if pair not in shown_pairs(language)}


def known_cut(pairs: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """The log-odds over which a pair counts as equal, from (log-odds, whether they are equal) of known ones; and the
    share that it sorts rightly, the mean over both kinds."""
    equal, different = ([odds for odds, same in pairs if same is kind] for kind in (True, False))
    cut = best_cut([odds for odds, _ in pairs], [same for _, same in pairs], balanced=True)
    if not equal or not different:
        return cut, 0.0
    hits = sum(o > cut for o in equal) / len(equal) + sum(o <= cut for o in different) / len(different)
    return cut, hits / 2
