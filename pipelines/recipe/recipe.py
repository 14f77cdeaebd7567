"""Recipe: everything a run does, in order."""

from collections.abc import Iterable
from typing import Self

from pydantic import Field, field_validator, model_validator

from tuneworks.factory.engine import EngineOptions
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.filters.perplexity import Perplexity
from tuneworks.pipelines.audit.limits import AuditLimits
from tuneworks.pipelines.catalog import nearest
from tuneworks.pipelines.mixing.options import Mix
from tuneworks.pipelines.recipe.sections import Holdout, Limits, Pretraining, Push, QualityPrompts, Source, Stage
from tuneworks.pipelines.recipe.trainings import check_mixtures, check_order
from tuneworks.pipelines.section import Section
from tuneworks.trainers.rows import VIEWS
from tuneworks.trainers.trainer import Trainer

DATASETS = ("sft", "preference", "quality")
"""The configurations that are written where a recipe names none."""


class Recipe(Section):
    """Everything a run does, in order: sources, mix, stages, datasets, training."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What the run's folder is called."""
    seed: int = Field(default=0, ge=0)
    """Every random choice follows from it."""
    engine: EngineOptions = Transformers()
    """Which model answers: smollm2, or {openai: {model: ..., base_url: ...}}."""
    sources: dict[str, Source] = Field(min_length=1)
    """Named sources of records."""
    mix: Mix = Mix()
    """How the sources are put together."""
    stages: tuple[Stage, ...] = ()
    """Generators and filters over the mixture, in order."""
    datasets: tuple[str, ...] = Field(default=DATASETS, min_length=1)
    """Which configurations are written under dataset/: sft, preference, quality, ranked, unpaired, prompts."""
    quality: QualityPrompts = QualityPrompts()
    """How `quality` tells answers apart and asks for them: levels, phrasing, uncontrolled, hindsight."""
    holdout: Holdout = Holdout()
    """Share of the records kept for the test split, or {test: 0.1, validation: 0.05}; a record and what gives it away
    stay on one side."""
    pretraining: Pretraining | None = None
    """Plain text carried beside the rows, as a configuration of its own: pretraining."""
    audit: AuditLimits = AuditLimits()
    """Largest shares of findings among the preference pairs; a build that is over one stops before it writes them."""
    train: tuple[Trainer, ...] = ()
    """Trainings, in order."""
    limits: Limits = Limits()
    """What the run may use: tokens, usd, hours, rows. A build that reaches a limit stops and keeps all it has."""
    push: Push | None = None
    """Where the dataset goes at the end of a build: owner/name on the Hugging Face Hub."""

    @field_validator("holdout", mode="before")
    @classmethod
    def _share_of_tests(cls, given: object) -> object:
        return {"test": given} if isinstance(given, int | float) else given

    @field_validator("push", mode="before")
    @classmethod
    def _repo_alone(cls, given: object) -> object:
        return {"repo": given} if isinstance(given, str) else given

    @field_validator("datasets")
    @classmethod
    def _views(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in VIEWS:
                raise ValueError(f"there is no dataset {name!r}; {nearest(name, tuple(VIEWS))}")
        if len(set(names)) < len(names):
            raise ValueError(f"a dataset stands twice in {', '.join(names)}; remove one")
        return names

    @property
    def every_stage(self) -> tuple[Stage, ...]:
        """Those of the sources and those over the mixture."""
        return (*(stage for source in self.sources.values() for stage in source.stages), *self.stages)

    @property
    def mixed_sources(self) -> tuple[str, ...]:
        """The sources that are mixed: all but that of the plain text."""
        apart = self.pretraining.source if self.pretraining else None
        return tuple(name for name in self.sources if name != apart)

    @property
    def training_splits(self) -> tuple[str, ...]:
        """Splits to train on: train, or one a phase."""
        return tuple(self.mix.phases) or ("train",)

    @model_validator(mode="after")
    def _sources_are_there(self) -> Self:
        if self.pretraining and self.pretraining.source not in self.sources:
            raise ValueError(_no_source("pretraining takes", self.pretraining.source, self.sources))
        if not self.mixed_sources:
            raise ValueError("the only source is that of pretraining; add one to mix")
        for name in (*self.mix.shares, *(s for phase in self.mix.phases.values() for s in phase.sources)):
            if name not in self.mixed_sources:
                raise ValueError(_no_source("mix names", name, self.mixed_sources))
        if self.mix.phases:
            for name in self.mixed_sources:
                if self.mix.phase_of(name) is None:
                    raise ValueError(f"the source {name} is in no phase of mix; add it to one")
        return self

    @model_validator(mode="after")
    def _difficulty_is_measured(self) -> Self:
        if "difficulty" in self.mix.most:
            for name in self.mixed_sources:
                if not any(isinstance(stage, Perplexity) for stage in self.sources[name].stages):
                    raise ValueError(
                        f"mix limits difficulty, and nothing measures that of the source {name}; add perplexity to its "
                        "stages (keep: [0, 1] drops none)"
                    )
        return self

    @model_validator(mode="after")
    def _trains_on_what_is_written(self) -> Self:
        for trainer in self.train:
            if trainer.rows not in self.datasets:
                raise ValueError(f"{trainer.kind} trains on the dataset {trainer.rows}; add it to datasets")
            if trainer.split not in self.training_splits:
                raise ValueError(
                    f"{trainer.kind} trains on the split {trainer.split}; write split: "
                    f"{' or '.join(self.training_splits)} among its options"
                )
        check_order(self.train)
        check_mixtures(self.train, self.pretraining is not None)
        return self


def _no_source(who: str, name: str, known: Iterable[str]) -> str:
    return f"{who} {name!r}, which is no source of the mixture; {nearest(name, tuple(known))}"
