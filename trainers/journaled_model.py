"""A model in this process whose calls are journaled, whichever weights its folder holds at the time."""

from collections.abc import Callable

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.journal import Journal, Journaled
from tuneworks.trainers.plan import weights_of


def journaled_model(place: str, journal: Journal, seen: Callable[[], None]) -> Engine:
    """What is in the journal is not asked again, unless the folder `place` was trained again since: its weights are
    part of the name. `seen` is told of each reply."""
    opened = Transformers(model=place).open()
    weights = weights_of(place)
    opened.name += f"@{weights[:16]}" if weights else ""
    return Journaled(opened, journal, lambda reply, replayed: seen())
