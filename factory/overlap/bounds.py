"""What a score asks of two sizes: how much they must share at least, and which sizes can reach each other.

m and n count the tokens of two rows (of sets, the members), c what they share: the longest common subsequence, or the
members in common. Every bound is a whole number found with the very float formula that decides, so none can
disagree with it at the edge.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

Measure = Literal["rouge_l", "jaccard", "containment"]
"""Containment is the share of the other's set (of two tables, the reference's) that the row holds."""


@dataclass(frozen=True, slots=True)
class Bound:
    measure: Measure
    least: float

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise ValueError(f"the least {self.measure} is {self.least}; give a number above 0 and at most 1")

    def score(self, c: Numbers, m: Numbers, n: Numbers) -> NDArray[np.float64]:
        """For c > 0; ROUGE-L by the arithmetic of the package rouge_score, to the last bit."""
        if self.measure == "rouge_l":
            precision, recall = c / m, c / n
            return 2 * precision * recall / (precision + recall)
        return c / (m + n - c) if self.measure == "jaccard" else c / n

    def fewest(self, m: Numbers, n: Numbers) -> Numbers:
        """The smallest c that is enough; above min(m, n) where the sizes alone keep the rows apart."""
        part = {"rouge_l": (m + n) / 2, "jaccard": (m + n) / (1 + self.least), "containment": n + 0.0 * m}
        c: Numbers = np.maximum(1, np.floor(self.least * part[self.measure]).astype(np.int64) - 1)
        while (short := self.score(c, m, n) < self.least).any():
            c += short
        return c

    def shortest(self, m: Numbers) -> Numbers:
        """The smallest n that can reach m."""
        part = {"rouge_l": self.least / (2 - self.least), "jaccard": self.least, "containment": 0.0}
        n: Numbers = np.maximum(1, np.floor(part[self.measure] * m).astype(np.int64) - 1)
        while (short := self.fewest(m, n) > n).any():
            n += short
        return n

    def longest(self, m: Numbers, c: Numbers) -> Numbers:
        """No n above this is content with c shared."""
        times = {"rouge_l": 2 / self.least, "jaccard": 1 + 1 / self.least, "containment": 1 / self.least}
        most: Numbers = np.floor(times[self.measure] * c).astype(np.int64) + 2  # for floats, and for rounded scores
        return most if self.measure == "containment" else most - m
