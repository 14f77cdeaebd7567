"""Packs: texts laid one after another without padding, and what they begin with alike laid down once.

Texts are taken in the order of their tokens, so that those with a common beginning (a system prompt, the examples of a
few-shot prompt, one prompt before several answers) stand side by side; of each only what the one before it did not
bring is laid down. Every layer but attention works token by token, and so reads no token twice and no padding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SHARED_WORTH = 3
"""Common first tokens from which on laying them down once beats the mask that a shared beginning needs."""


@dataclass(slots=True)
class Pack:
    """Some rows, as one row of tokens."""

    rows: list[int] = field(default_factory=list)
    """Which rows, by their places among all."""
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    """Where each token stands in its own row."""
    seen: list[list[int]] = field(default_factory=list)
    """For each row where its tokens lie in the pack, first to last."""
    shared: list[int] = field(default_factory=list)
    """How many of these the row before it laid down."""

    def add(self, row: int, text: Sequence[int], shared: int) -> None:
        before = self.seen[-1][:shared] if shared else []
        own = range(len(self.tokens), len(self.tokens) + len(text) - shared)
        self.rows.append(row)
        self.seen.append([*before, *own])
        self.shared.append(shared)
        self.tokens += text[shared:]
        self.positions += range(shared, len(text))


def packs(texts: Sequence[list[int]], budget: int) -> Iterator[Pack]:
    """Each text is in one pack. A pack holds up to `budget` tokens, or twice its first text where that is more: so a
    long beginning that many share is not read again for every few of them."""
    pack, last = Pack(), list[int]()
    for row in sorted(range(len(texts)), key=texts.__getitem__):
        shared = alike(last, texts[row])
        room = max(budget, 2 * len(pack.seen[0])) if pack.rows else 0
        if pack.rows and len(pack.tokens) + len(texts[row]) - shared > room:
            yield pack
            pack, shared = Pack(), 0
        pack.add(row, texts[row], shared)
        last = texts[row]
    if pack.rows:
        yield pack


def alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first tokens two texts have in common; 0 where too few to be worth sharing."""
    shorter = min(len(one), len(other))
    same = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    return same if same >= SHARED_WORTH else 0
