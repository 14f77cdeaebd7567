"""The pilot: the recipe made small and built for good, in a folder of its own beside the run's steps.

Its calls go through the run's own journal. Where the run asks the same, it finds the reply there.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from tuneworks.factory.engine import Completion
from tuneworks.factory.record import fingerprint
from tuneworks.pipelines.making import Making
from tuneworks.pipelines.mixing.parts import parts_of
from tuneworks.pipelines.models import opened_models
from tuneworks.pipelines.planning.forecast import Forecast, Played
from tuneworks.pipelines.planning.lengths import mean_lengths, records_given
from tuneworks.pipelines.planning.observed import Seen, observed
from tuneworks.pipelines.planning.observing import Notes, Observed
from tuneworks.pipelines.planning.outcome import PilotCost
from tuneworks.pipelines.planning.sampling import sample_mixture, sample_source
from tuneworks.pipelines.recipe import Recipe, Source
from tuneworks.pipelines.run_folder import JOURNAL, opened
from tuneworks.pipelines.stages import Counts, Step, counts_of, steps_of
from tuneworks.pipelines.watcher import Watcher

PILOT, SEEN = "pilot", "seen.json"


@dataclass(frozen=True, slots=True)
class Pilot:
    print: str
    """Stands for all that decides what a pilot does."""
    steps: list[Seen]
    cost: PilotCost


def small(recipe: Recipe, rows: int) -> Recipe:
    """The recipe with so many records for each generator, or as its target, and without trainings."""
    most = min(rows, recipe.limits.rows or rows)
    return recipe.model_copy(update={"limits": recipe.limits.model_copy(update={"rows": most}), "train": ()})


async def piloted(recipe: Recipe, folder: Path, rows: int, watcher: Watcher) -> Pilot:
    """Build the pilot under the run's folder, or take the one that lies there whole."""
    little, into = small(recipe, rows), folder / PILOT
    stamp = fingerprint([steps_of(recipe)[-1].print, steps_of(little)[-1].print, rows])
    held = _held(into / SEEN, stamp)
    if held is not None:
        return held
    with opened(little, into, update=True):
        for step in steps_of(little):
            shutil.rmtree(into / step.folder, ignore_errors=True)
        pilot = await _Building(recipe, little, into, rows, watcher, Notes()).pilot(folder / JOURNAL, stamp)
        half = into / f"{SEEN}.part"
        half.write_bytes(TypeAdapter(Pilot).dump_json(pilot))
        half.rename(into / SEEN)
    return pilot


def _held(path: Path, stamp: str) -> Pilot | None:
    if not path.is_file():
        return None
    try:
        pilot = TypeAdapter(Pilot).validate_json(path.read_bytes())
    except ValueError:  # of another version
        return None
    return pilot if pilot.print == stamp else None


@dataclass(frozen=True, slots=True)
class _Building:
    recipe: Recipe
    little: Recipe
    folder: Path
    rows: int
    watcher: Watcher
    notes: Notes

    async def pilot(self, journal: Path, stamp: str) -> Pilot:
        began, steps = time.monotonic(), list[Seen]()

        def seen(reply: Completion, replayed: bool) -> None:
            self.notes.seen(reply, replayed)
            self.watcher.reply(reply, replayed)

        async with opened_models(self.little, journal, False, seen, self.watcher.waits) as engine:
            watching = Observed(engine, self.notes)
            making = Making(self.little, self.folder, watching, self.watcher)
            for step in steps_of(self.little):
                steps.append(await self._step(step, making, steps, engine.room))
        return Pilot(stamp, steps, self._cost(steps, time.monotonic() - began))

    async def _step(self, step: Step, making: Making, before: list[Seen], room: int) -> Seen:
        """Nothing comes of nothing: a step whose input is empty is passed over, for generators refuse it."""
        if isinstance(step.work, Source):
            return self._loaded(step, step.work)
        if not any(self._records(name) for name in step.takes):
            return Seen(step.title, 0, 0, 0.0)
        mixing = step.work is None
        lengths = mean_lengths(parts_of(self.little, self.folder), self.recipe.mix) if mixing else {}
        mixture = self._expected(before, lengths) if mixing and not self._mixes_all(step, before) else None
        began, clock = time.perf_counter(), time.monotonic()
        if mixture is not None:
            sample_mixture(self.little, step, self.folder, mixture)
            counts = self._counts(step)
        else:
            counts = await making.make(step)
        self.watcher.done(step.title, counts, False)
        seconds = time.monotonic() - clock
        seen = observed(step, self.folder, counts, self.notes.take(), began, seconds)
        return replace(seen, room=room, lengths=lengths)

    def _loaded(self, step: Step, source: Source) -> Seen:
        self.watcher.step(step.title, 0)
        clock = time.monotonic()
        loaded = sample_source(self.little, step, source, self.folder, self.rows)
        self.watcher.done(step.title, self._counts(step), False)
        return Seen(step.title, loaded.drawn, loaded.drawn, time.monotonic() - clock, loaded=loaded)

    def _records(self, name: str) -> int:
        step = next(step for step in steps_of(self.little) if step.folder == name)
        counts = counts_of(self.folder / name, step.print)
        return counts.kept if counts else 0

    def _counts(self, step: Step) -> Counts:
        counts = counts_of(self.folder / step.folder, step.print)
        assert counts is not None
        return counts

    def _mixes_all(self, step: Step, before: list[Seen]) -> bool:
        """Whether the pilot has all that the run will mix: then it is mixed as the run does it."""
        ends = [self._records(name) for name in step.takes]
        flows = [one.flow for one in self._last(before)]
        whole = (flow.same and bool((flow.records == end).all()) for flow, end in zip(flows, ends, strict=True))
        return all(whole) and all(ends)

    def _expected(self, before: list[Seen], lengths: Mapping[str, float]) -> Mapping[str, float]:
        """Records of each source in the run's mixture."""
        ends = zip(self.recipe.mixed_sources, self._last(before), strict=True)
        rows = {name: round(float(np.median(one.flow.records))) for name, one in ends}
        return records_given(rows, lengths, self.recipe.mix)

    def _last(self, before: list[Seen]) -> list[Played]:
        """The forecast of each source's last step."""
        played = Forecast(self.recipe).played(before)
        ends = {step.source: one for step, one in zip(steps_of(self.recipe), played, strict=False)}
        return [ends[name] for name in self.recipe.mixed_sources]

    def _cost(self, steps: list[Seen], seconds: float) -> PilotCost:
        paid, calls = self.notes.paid, [call for one in steps for call in one.calls]
        asking = [one.units for one in steps if one.calls] or [one.taken for one in steps]
        return PilotCost(
            max(asking), len(paid), sum(u.prompt_tokens + u.completion_tokens for u in paid),
            sum(u.usd for u in paid), seconds, sum(not call.asked for call in calls),
        )  # fmt: skip
