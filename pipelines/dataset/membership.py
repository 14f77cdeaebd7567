"""Which records make the rows of which split: sides, and the phases of a mixture with what they replay."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuneworks.factory.dice import Dice
from tuneworks.pipelines.dataset.sides import HELD_OUT, TRAIN
from tuneworks.pipelines.mixing.options import Phase

Mask = NDArray[np.bool_]


def members(side: pl.Series, sources: pl.Series, phases: Mapping[str, Phase], dice: Dice) -> dict[str, Mask]:
    """For each split, in order, which records are in it. Training rows are in `train`, or each in the phase of its
    source; a phase also holds a draw of the training rows of the phases before it."""
    drawn = {"test", *side.unique().cast(pl.String)}
    held_out = {name: (side == name).to_numpy() for name in HELD_OUT if name in drawn}
    trained = (side == TRAIN).to_numpy()
    if not phases:
        return {TRAIN: trained, **held_out}
    own = {name: trained & sources.is_in(list(phase.sources)).to_numpy() for name, phase in phases.items()}
    replayed = {name: _replayed(name, own, phases[name].replay, dice) for name in phases}
    return {**{name: own[name] | replayed[name] for name in phases}, **held_out}


def held_out(side: pl.Series, sources: pl.Series, phases: Mapping[str, Phase]) -> dict[str, pl.Series]:
    """For each phase, which held-out records are of its sources: by these its training is watched."""
    return {name: side.is_in(HELD_OUT) & sources.is_in(list(phase.sources)) for name, phase in phases.items()}


def _replayed(phase: str, own: Mapping[str, Mask], share: float, dice: Dice) -> Mask:
    """A draw of the earlier phases' rows that makes the wanted share of the phase's; all where they are too few."""
    names = list(own)
    earlier: Any = np.zeros(len(own[phase]), dtype=bool)
    for name in names[: names.index(phase)]:
        earlier |= own[name]
    rows = np.flatnonzero(earlier)
    count = min(round(share / (1 - share) * int(own[phase].sum())), len(rows))
    drawn: Mask = np.zeros(len(earlier), dtype=bool)
    drawn[rows[dice.random("replay", phase).sample(range(len(rows)), count)]] = True
    return drawn
