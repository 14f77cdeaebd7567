"""The forecast: the run played through many times, step by step, with all that the pilot leaves open drawn anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tuneworks.factory.generator import Generator
from tuneworks.filters.cap import Cap
from tuneworks.filters.diversity import Diversity
from tuneworks.filters.exact_duplicates import ExactDuplicates
from tuneworks.filters.filter import Filter
from tuneworks.filters.near_duplicates import NearDuplicates
from tuneworks.filters.rouge import Rouge
from tuneworks.filters.semantic_duplicates import SemanticDuplicates
from tuneworks.pipelines.planning import chances
from tuneworks.pipelines.planning.asking import Asked, asked
from tuneworks.pipelines.planning.chances import PASSED_PRIOR, PRIOR, Draws
from tuneworks.pipelines.planning.durations import Load, Pace, measuring
from tuneworks.pipelines.planning.growing import Growth, growth
from tuneworks.pipelines.planning.lengths import records_given
from tuneworks.pipelines.planning.observed import Seen
from tuneworks.pipelines.recipe import Recipe, Source
from tuneworks.pipelines.stages import Step, steps_of

DRAWS = 4000

COMPARING = (Rouge, NearDuplicates, ExactDuplicates, SemanticDuplicates)
"""Filters that hold records against each other, so that the more there are the more go."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Records between two steps, for each draw; `parts` says of which source they are."""

    parts: Mapping[str, Draws]
    same: bool
    """Whether the pilot's records are among those of the run."""
    compared: bool = False
    """Whether a step has compared them with each other."""

    @property
    def records(self) -> Draws:
        return np.asarray(sum(self.parts.values(), np.zeros(DRAWS)))

    def thinned(self, records: Draws, same: bool | None = None, compared: bool | None = None) -> "Flow":
        """So many records, each source in proportion."""
        share = records / np.maximum(self.records, 1)
        return Flow(
            {name: part * share for name, part in self.parts.items()},
            self.same if same is None else same,
            self.compared if compared is None else compared,
        )


@dataclass(frozen=True, slots=True)
class Played:
    """One step in all draws."""

    seen: Seen
    taken: Draws
    flow: Flow
    asked: Asked | None
    """None for a step that asks no engine."""
    seconds: Draws | None


@dataclass(slots=True)
class Forecast:
    recipe: Recipe
    rng: np.random.Generator = field(init=False)
    load: Load = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.recipe.seed, 0x51A7])
        self.load = Load.drawn(self.rng, DRAWS)

    def played(self, seen: Sequence[Seen]) -> list[Played]:
        """Every step that the pilot came to, in order; it may have come to the first few alone."""
        flows: dict[str, Flow] = {}
        played: list[Played] = []
        for step, one in zip(steps_of(self.recipe), seen, strict=False):
            befores = [flows[name] for name in step.takes]
            made = self._step(step, one, befores)
            flows[step.folder] = made.flow
            played.append(made)
        return played

    def _step(self, step: Step, seen: Seen, befores: list[Flow]) -> Played:
        if isinstance(step.work, Source):
            return self._loaded(step, seen)
        if step.work is None:
            return self._mixed(seen, befores)
        if not seen.taken:  # nothing is known of it: at most, all stay
            return Played(seen, befores[0].records, replace(befores[0], same=False), None, None)
        if isinstance(step.work, Generator):
            pace = Pace.of(step.work.engine or self.recipe.engine)
            return self._generated(step.work, seen, befores[0], pace)
        return self._filtered(step.work, seen, befores[0])

    def _loaded(self, step: Step, seen: Seen) -> Played:
        assert seen.loaded is not None
        records = np.full(DRAWS, float(seen.loaded.records))
        taken = records + seen.loaded.broken
        return Played(seen, taken, Flow({step.source: records}, same=True), None, np.full(DRAWS, seen.seconds))

    def _mixed(self, seen: Seen, befores: list[Flow]) -> Played:
        taken = np.asarray(sum((flow.records for flow in befores), np.zeros(DRAWS)))
        parts = self._quotas(befores, seen.lengths)
        given = np.asarray(sum(parts.values(), np.zeros(DRAWS)))
        same = all(flow.same for flow in befores) and bool((given == np.round(taken)).all())
        compared = len(befores) == 1 and befores[0].compared
        flow = Flow(parts, same, compared)
        return Played(seen, taken, flow, None, measuring(seen.seconds, seen.taken, taken, self.rng))

    def _quotas(self, befores: list[Flow], lengths: Mapping[str, float]) -> dict[str, Draws]:
        """What each source gives, by the recipe's own rule."""
        names = list(self.recipe.mixed_sources)
        rows = np.stack([np.round(flow.records) for flow in befores], axis=1).astype(int)
        ways, at = np.unique(rows, axis=0, return_inverse=True)
        counts = [dict(zip(names, map(int, way), strict=True)) for way in ways]
        given = [records_given(one, lengths, self.recipe.mix) for one in counts]
        table = np.array([[way[name] for name in names] for way in given], dtype=np.float64)
        return dict(zip(names, table[at.ravel()].T, strict=True))

    def _generated(self, work: Generator, seen: Seen, before: Flow, pace: Pace) -> Played:
        limit = self.recipe.limits.rows or np.inf
        target = getattr(work, "target", None)
        if target is not None and seen.grown is not None:
            return self._grown(seen, before, int(min(target, limit)), pace)
        taken = np.minimum(before.records, limit)
        flow = before.thinned(taken, same=before.same and bool((before.records <= limit).all()))
        whole = flow.same and bool((taken == seen.taken).all())
        asking = asked(self.rng, self.load, pace, seen, taken, whole)
        made = np.full(DRAWS, float(seen.kept)) if whole else self._made(seen, taken)
        new = seen.kept > seen.carried
        return Played(seen, taken, flow.thinned(made, compared=flow.compared and not new), asking, asking.seconds)

    def _made(self, seen: Seen, taken: Draws) -> Draws:
        """Records handed on, and new ones."""
        new = seen.kept - seen.carried
        carried = chances.kept(self.rng, seen.carried, seen.taken, taken) if seen.carried else np.zeros(DRAWS)
        if new == seen.parents:  # of each record one at most
            return np.asarray(carried + (chances.kept(self.rng, new, seen.taken, taken) if new else 0))
        return np.asarray(carried + chances.many(self.rng, new, seen.taken, taken))

    def _grown(self, seen: Seen, before: Flow, target: int, pace: Pace) -> Played:
        grown = seen.grown
        assert grown is not None
        if before.same and target <= grown.tasks:
            asking = asked(self.rng, self.load, pace, seen, np.full(DRAWS, float(grown.tasks)), whole=True)
            flow = before.thinned(np.full(DRAWS, float(seen.kept)), compared=True)
            return Played(seen, before.records, flow, asking, asking.seconds)
        latencies = np.array([call.seconds for call in seen.growth if call.asked] or [0.0])
        grows = growth(self.rng, grown, latencies, target, DRAWS) if grown.accepts else _nothing()
        asking = asked(self.rng, self.load, pace, seen, grows.tasks, whole=False, grows=grows)
        if not seen.unit and not seen.fixed and seen.kept == grown.tasks:
            made = grows.tasks
        elif seen.kept <= grown.tasks:
            made = chances.kept(self.rng, seen.kept, grown.tasks, np.round(grows.tasks))
        else:
            made = chances.many(self.rng, seen.kept, grown.tasks, grows.tasks)
        return Played(seen, before.records, before.thinned(made, same=False, compared=True), asking, asking.seconds)

    def _filtered(self, work: Filter, seen: Seen, before: Flow) -> Played:
        records = np.round(before.records)
        whole = before.same and bool((records == seen.taken).all())
        pace = Pace.of(self.recipe.engine)
        asking = asked(self.rng, self.load, pace, seen, records, whole) if seen.unit else None
        seconds = asking.seconds if asking else measuring(seen.seconds, seen.taken, records, self.rng)
        if whole:
            flow = before.thinned(np.full(DRAWS, float(seen.kept)))
        elif isinstance(work, Cap):
            flow = self._capped(work, seen, before)
        else:
            flow = before.thinned(self._stay(work, seen, records, before))
        if isinstance(work, COMPARING):
            flow = flow.thinned(flow.records, compared=True)
        return Played(seen, records, flow, asking, seconds)

    def _stay(self, work: Filter, seen: Seen, records: Draws, before: Flow) -> Draws:
        if isinstance(work, Diversity):
            wanted = records if work.share is None else np.maximum(1, np.round(work.share * records))
            wanted = wanted if work.records is None else np.minimum(records, work.records)
            return np.minimum(self._apart(seen, records, before), wanted) if work.by == "score_first" else wanted
        compares = seen.collided > 0 or isinstance(work, COMPARING)
        if not compares:
            return self._alone(seen, records, before)
        apart = seen.kept + seen.collided
        rest = chances.kept(self.rng, apart, seen.taken, records) if apart < seen.taken else records
        return self._apart(seen, rest, before)

    def _alone(self, seen: Seen, records: Draws, before: Flow) -> Draws:
        """Each record is judged by itself; the pilot's own are known where they are among the run's."""
        if not before.same:
            return chances.kept(self.rng, seen.kept, seen.taken, records)
        return seen.kept + chances.kept(self.rng, seen.kept, seen.taken, np.maximum(records - seen.taken, 0))

    def _apart(self, seen: Seen, records: Draws, before: Flow) -> Draws:
        prior = PASSED_PRIOR if before.compared else PRIOR
        return chances.apart(self.rng, records, seen.collided, seen.kept, prior)

    def _capped(self, work: Cap, seen: Seen, before: Flow) -> Flow:
        if work.per == "source":
            return Flow({n: np.minimum(p, work.most) for n, p in before.parts.items()}, False, before.compared)
        records = before.records
        if work.per == "cluster":
            most = np.minimum(records, work.most * work.clusters)
            return before.thinned(most * (1 - 0.5 * self.rng.random(DRAWS)), same=False)
        sizes = np.array([*seen.groups, max(seen.taken - sum(seen.groups), 0)], dtype=np.float64)
        shares = self.rng.dirichlet(np.append(sizes, _once(seen) + PRIOR) + 1e-3, DRAWS)
        counts = shares * records[:, None]
        stay = np.concatenate([np.minimum(counts[:, :-2], work.most), counts[:, -2:]], axis=1)
        return before.thinned(np.round(stay.sum(axis=1)), same=False)


def _once(seen: Seen) -> int:
    """Groups seen once: as likely as these is a group that was not seen (Good and Turing)."""
    return sum(size == 1 for size in seen.groups)


def _nothing() -> Growth:
    return Growth(np.zeros(DRAWS), np.zeros(DRAWS), np.zeros(DRAWS))
