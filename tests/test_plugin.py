"""Plugins: frozen options that know how they are written."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from tuneworks.factory.answer import AnswerPrompts
from tuneworks.factory.best_of_n import BestOfN
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.judge import Judge
from tuneworks.factory.plugin import File, Plugin
from tuneworks.factory.self_instruct import SelfInstruct


class Bait(Plugin):
    """What a fish bites on."""

    family: ClassVar[str] = "baits"
    kind: ClassVar[str] = "bait"

    name: Literal["worm", "bread"] = "worm"
    """Which."""
    weights: dict[str, float] = Field(default_factory=dict)
    """By colour."""


class Rod(Plugin):
    """What a fish hangs on."""

    family: ClassVar[str] = "rods"
    kind: ClassVar[str] = "rod"

    bait: Bait = Bait()
    """What is at its end."""
    length: float = Field(default=2.0, gt=0)
    """In metres."""

    @field_validator("bait", mode="before")
    @classmethod
    def _named(cls, value: object, info: ValidationInfo) -> Bait:
        return Bait.nested(value, info)


def build(family: str, spec: object, field: str) -> Plugin:
    assert (family, field) == ("baits", "bait")
    assert isinstance(spec, dict)
    return Bait.model_validate(spec["bait"])


def test_written_holds_every_default() -> None:
    assert Rod().written() == {"rod": {"bait": {"bait": {"name": "worm", "weights": {}}}, "length": 2.0}}


def test_what_is_written_makes_the_plugin_again() -> None:
    rod = Rod(bait=Bait(name="bread", weights={"red": 0.5}), length=3)
    spec = rod.written()
    again = Rod.model_validate(spec["rod"], context={"build": build})
    assert again == rod
    assert again.written() == spec


def test_a_name_inside_needs_the_catalog() -> None:
    with pytest.raises(ValidationError, match="give a baits object; names are for recipes"):
        Rod.model_validate({"bait": "bait"})


@pytest.mark.parametrize(
    "options", [{"lenght": 3}, {"length": 0}, {"length": "far"}, {"bait": {"bait": {"name": "x"}}}]
)
def test_wrong_options_are_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rod.model_validate(options, context={"build": build})


def test_options_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Rod().__setattr__("length", 5.0)


@pytest.mark.parametrize("plugin", [AnswerPrompts, BestOfN, SelfInstruct, Judge, OpenAI, Transformers])
def test_every_option_is_described(plugin: type[Plugin]) -> None:
    assert plugin.__doc__
    assert [name for name, field in plugin.model_fields.items() if not field.description] == []
    assert plugin.kind
    assert plugin.family


class Cooked(Plugin):
    kind: ClassVar[str] = "cooked"
    family: ClassVar[str] = "dishes"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": {"minutes": 7, "salt": False}}

    minutes: int = 3
    """How long."""
    salt: bool = True
    """Whether."""


def test_a_preset_sets_options_and_those_beside_it_win() -> None:
    assert Cooked.model_validate({"preset": "paper"}) == Cooked(minutes=7, salt=False)
    made = Cooked.model_validate({"preset": "paper", "minutes": 9})
    assert made.written() == {"cooked": {"minutes": 9, "salt": False}}


def test_an_unknown_preset_is_named_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"cooked has no preset 'papre'; did you mean 'paper'\?"):
        Cooked.model_validate({"preset": "papre"})
    with pytest.raises(ValidationError, match="has no preset 3; there are: paper"):
        Cooked.model_validate({"preset": 3})


class Cellar(Plugin):
    kind: ClassVar[str] = "cellar"
    family: ClassVar[str] = "rooms"

    list: File
    """What is in it."""
    map: File | None = None
    """Where it is."""
    owner: str = "nobody"
    """Whose."""


def test_files_are_the_options_of_that_type() -> None:
    assert Cellar(list="wine.txt", owner="me").reads() == ("wine.txt",)
    assert Cellar(list="wine.txt", map="plan.txt").reads() == ("wine.txt", "plan.txt")
