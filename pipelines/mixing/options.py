"""What a recipe says of its mixture."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tuneworks.factory.formats import Format
from tuneworks.factory.weights import SMOLLM2
from tuneworks.pipelines.section import Section

Unit = Literal["records", "tokens"]
Group = Literal["source", "kind", "licence", "difficulty"]
Share = Annotated[float, Field(ge=0, le=1)]
Most = Annotated[int, Field(ge=1)]


class Phase(Section):
    """One of several trainings that follow each other: which sources it learns from."""

    sources: tuple[str, ...] = Field(min_length=1)
    """Names of sources; each belongs to one phase."""
    size: int | None = Field(default=None, ge=1)
    """Records (or tokens, with `by: tokens`) that its sources give; as many as keep the rates when left out."""
    replay: float = Field(default=0.0, ge=0, lt=1)
    """Share of its training rows that are repeated from the phases before it, so that they are not forgotten."""


class Mix(Section):
    """How the sources are put together."""

    by: Unit = "records"
    """What counts: `records`, or `tokens` of prompt and best answer; then sizes and caps are tokens, too."""
    tokenizer: str = SMOLLM2
    """With `by: tokens`, whose tokens: `smollm2`, a model's folder or a Hub id."""
    cap: int | None = Field(default=None, ge=1)
    """Most records for which one source counts; a source without a share gives no more, unless `size` asks for it."""
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Over 1, small sources count for more: a source's rate is min(scale x its records, cap) ** (1/temperature)."""
    scale: float = Field(default=1.0, gt=0, le=1e9)
    """What a source's records are multiplied by before the cap."""
    size: int | None = Field(default=None, ge=1)
    """Records of the mixture; as many as keep the rates when left out."""
    repeat: int = Field(default=1, ge=1, le=1000)
    """Most times that one record may be taken. A copy names its original as its parent."""
    shares: dict[str, Share] = Field(default_factory=dict)
    """Fixed shares of the mixture, by the name of the source; the others share out the rest by the rule."""
    most: dict[Group, Most | dict[str, Most]] = Field(default_factory=dict)
    """Most records of one `source`, `kind` of task, `licence` or `difficulty` (the quarters easiest, easier, harder and
    hardest of a source's perplexity) that are mixed: of every one, `kind: 500`, or by name, `kind: {poem: 300}`. Which
    records stay is drawn before sources are shared out."""
    formats: dict[Format, Share] = Field(default_factory=dict)
    """Shares of `few_shot`, `zero_shot_cot` ... in each source, as far as it has them; others share out the rest."""
    phases: dict[str, Phase] = Field(default_factory=dict)
    """Trainings that follow each other, in order. Each is mixed by itself and becomes a split of its name."""

    @model_validator(mode="after")
    def _shares_add_up(self) -> Self:
        for name, shares in (("shares", self.shares), ("formats", self.formats)):
            if sum(shares.values()) > 1 + 1e-9:
                raise ValueError(f"the {name} of mix add up to {sum(shares.values()):g}; lower them to 1 or less")
        return self

    @model_validator(mode="after")
    def _phases_are_apart(self) -> Self:
        if self.phases and self.size is not None:
            raise ValueError("mix has both a size and phases; give each phase its own size")
        named: dict[str, str] = {}
        for phase, held in self.phases.items():
            if phase in RESERVED or not phase.replace("_", "").isalnum():
                raise ValueError(
                    f"a phase cannot be called {phase!r}: its name becomes a split's, of letters, digits and _, and "
                    f"none of {', '.join(RESERVED)}; name it otherwise"
                )
            for source in held.sources:
                if source in named:
                    raise ValueError(
                        f"the source {source} is in the phases {named[source]} and {phase}; keep it in one"
                    )
                named[source] = phase
        first = next(iter(self.phases), None)
        if first is not None and self.phases[first].replay:
            raise ValueError(f"the phase {first} is the first one and has nothing to replay; remove its replay")
        return self

    def phase_of(self, source: str) -> str | None:
        """The phase that a source belongs to, where there are any."""
        return next((name for name, phase in self.phases.items() if source in phase.sources), None)


COPY = "copy"
"""The fact of a record that was taken before: 2 for its second time, and so on."""

RESERVED = ("train", "validation", "test", "all")
"""Names of splits that are no phases; `all` is `datasets`' own word."""
