"""The sections of a recipe: where records come from, and what a run may use, hold out and send."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tuneworks.factory.generator import Generator
from tuneworks.filters.filter import Filter
from tuneworks.pipelines.section import Section
from tuneworks.trainers.rows.controls import Phrasing

Stage = Generator | Filter

ORIGINS = ("seeds", "file", "hub")


class Source(Section):
    """Where records come from, and what is done to them before they are mixed."""

    seeds: str | None = None
    """Seed tasks to make more from: `builtin` (English), `builtin-zh` (Chinese), or a JSON Lines file. Also `red-team`
    and `red-team-zh`, prompts that test an answer, and `documents` and `documents-zh`, short texts."""
    file: str | None = None
    """Records as they are: a .jsonl, .json, .parquet, .csv or .tsv file of instructions, messages, prompts, preferences
    or documents."""
    hub: str | None = None
    """Records of a dataset on the Hugging Face Hub: owner/name."""
    config: str | None = None
    """With `hub`, which configuration of the dataset, where it has several."""
    split: str = "train"
    """With `hub`, which split."""
    revision: str | None = None
    """With `hub`, a branch, a tag or a commit."""
    commit: str | None = None
    """With `hub`, the commit itself. A run writes the one that it was built from, and keeps to it."""
    licence: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    """Its licence, as the Hub writes it: apache-2.0, cc-by-4.0, cc-by-nc-4.0 ... It stands in the dataset's card."""
    stages: tuple[Stage, ...] = ()
    """Generators and filters, in order."""

    @property
    def origin(self) -> Literal["seeds", "file", "hub"]:
        if self.seeds is not None:
            return "seeds"
        return "file" if self.file is not None else "hub"

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(getattr(self, name) is not None for name in ORIGINS) != 1:
            raise ValueError("a source has either seeds, a file or hub; write one of them")
        named = [name for name in ("config", "revision", "commit") if getattr(self, name) is not None]
        named += ["split"] * (self.split != "train")
        if named and self.hub is None:
            raise ValueError(f"{named[0]} is of a dataset on the Hub; write hub: owner/name beside it, or remove it")
        return self


class Limits(Section):
    """What a run may use. The command line's --max-tokens and its like win over them."""

    tokens: int | None = Field(default=None, ge=1)
    """Most tokens, asked and answered, that models may use for this run in all its builds."""
    usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most money that models may cost for this run in all its builds."""
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most hours that one build may ask models."""
    rows: int | None = Field(default=None, ge=1)
    """Most records that each generator takes, drawn by the seed, or makes towards its target: to try a recipe out."""


class Pretraining(Section):
    """Plain text beside the rows, so that a model that learns from them does not forget how to write."""

    source: str
    """Whose records are the texts: a source of documents. It is not mixed with the others."""
    share: float = Field(default=0.05, gt=0, lt=1)
    """Share of all training tokens, those of `sft` and the texts, that are texts."""


class QualityPrompts(Section):
    """How `quality` tells answers apart, and asks for them."""

    levels: int = Field(default=2, ge=2, le=10)
    """2: good and bad, above and below the mean reward of the record's own answers. More: quantiles of all rewards of
    the same kind of task."""
    phrasing: Phrasing = "good_bad"
    """How an answer is asked for: as good or bad, by its `rank` among the levels, or by the `reward` it would get."""
    uncontrolled: float = Field(default=0.1, ge=0, lt=1)
    """Share of the records that are asked for nothing and keep their best answers alone."""
    hindsight: bool = False
    """Besides, the best and the worst answer of a record in one conversation, both learned (Chain of Hindsight)."""

    @model_validator(mode="after")
    def _levels_have_words(self) -> Self:
        if self.levels > 2 and self.phrasing == "good_bad":
            raise ValueError(f"good and bad are two levels, not {self.levels}; write phrasing: rank, or reward")
        return self


class Holdout(Section):
    """Shares of the records that are kept from training."""

    test: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the test split."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the validation split, by which trainings are watched; without one they are watched by the test split."""

    @model_validator(mode="after")
    def _some_are_left(self) -> Self:
        if self.test + self.validation >= 1:
            raise ValueError("holdout keeps everything from training; lower test and validation to less than 1 in all")
        return self


class Push(Section):
    """Where the dataset goes at the end of a build."""

    repo: str
    """The dataset on the Hugging Face Hub: owner/name."""
    public: bool = False
    """Whether everybody may see a repo that is made."""
    overwrite: bool = False
    """Whether it may take the place of what Tuneworks did not put there for this run."""
