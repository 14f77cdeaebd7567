"""Every random choice comes from here: seeded by the recipe's seed, the stage and the place of the choice.

Never from arrival order or a global generator, so a resumed run makes the same choices as one that was not interrupted.
"""

import hashlib
import random
from dataclasses import dataclass

Place = str | int


@dataclass(frozen=True, slots=True)
class Dice:
    seed: int
    stage: str

    def number(self, *place: Place) -> int:
        """A 31-bit number for this place: what a request's `seed` takes (servers want it to fit 32 bits signed)."""
        text = "\x1f".join(str(part) for part in (self.seed, self.stage, *place))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) & 0x7FFFFFFF

    def random(self, *place: Place) -> random.Random:
        return random.Random(self.number(*place))
