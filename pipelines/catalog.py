"""Every plugin, by family and name. Built-ins are listed here; other packages add theirs by entry points.

A package that declares the entry point `tuneworks.filters: my_filter = my_package:MyFilter` is in the same table.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from tuneworks.factory.answer import AnswerPrompts
from tuneworks.factory.back_translation import BackTranslation
from tuneworks.factory.best_of_n import BestOfN
from tuneworks.factory.constitutional import Constitutional
from tuneworks.factory.engines.batch import OpenAIBatch
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.engines.vllm import Vllm
from tuneworks.factory.errors import RecipeError
from tuneworks.factory.evol_instruct import EvolInstruct
from tuneworks.factory.formats import Formats
from tuneworks.factory.judge import Judge
from tuneworks.factory.multi_turn import MultiTurn
from tuneworks.factory.plugin import Plugin
from tuneworks.factory.rewards.classifier import Classifier
from tuneworks.factory.rewards.combined import Combined
from tuneworks.factory.rewards.cross_encoder import CrossEncoder
from tuneworks.factory.rewards.function import Function
from tuneworks.factory.rewards.process import Process as ProcessReward
from tuneworks.factory.rewards.remote import Remote
from tuneworks.factory.rlaif import Rlaif
from tuneworks.factory.self_instruct import SelfInstruct
from tuneworks.factory.self_instruct.one_call import OneCall
from tuneworks.filters.cap import Cap
from tuneworks.filters.credentials import Secrets
from tuneworks.filters.decontaminate import Decontaminate
from tuneworks.filters.diversity import Diversity
from tuneworks.filters.exact_duplicates import ExactDuplicates
from tuneworks.filters.language import Language
from tuneworks.filters.length import Length
from tuneworks.filters.near_duplicates import NearDuplicates
from tuneworks.filters.perplexity import Perplexity
from tuneworks.filters.personal_data import PersonalData
from tuneworks.filters.rouge import Rouge
from tuneworks.filters.rules import Rules
from tuneworks.filters.semantic_duplicates import SemanticDuplicates
from tuneworks.filters.wording.answer_signs import CodeFences, Refusal, SelfReference
from tuneworks.filters.wording.copied_input import CopiedInput
from tuneworks.filters.wording.instruction_signs import AsksNothing, NeedsAttachment
from tuneworks.filters.wording.listed_words import ListedWords
from tuneworks.filters.wording.prompt_leakage import PromptLeakage
from tuneworks.filters.wording.repetition import Repetition
from tuneworks.filters.wording.truncated import Truncated
from tuneworks.trainers.contrast import Contrast
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.kto import Kto
from tuneworks.trainers.online import Grpo, Rloo
from tuneworks.trainers.process import Process
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.rejection_sampling import RejectionSampling
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.sft import Sft

BUILT_IN: Mapping[str, tuple[type[Plugin], ...]] = {
    "engines": (Transformers, Vllm, OpenAI, OpenAIBatch),
    "generators": (
        SelfInstruct,
        OneCall,
        EvolInstruct,
        AnswerPrompts,
        BestOfN,
        Constitutional,
        Rlaif,
        BackTranslation,
        MultiTurn,
        Formats,
    ),
    "rewards": (Judge, Classifier, ProcessReward, CrossEncoder, Function, Remote, Combined),
    "filters": (
        Length,
        ExactDuplicates,
        Rouge,
        NearDuplicates,
        SemanticDuplicates,
        Decontaminate,
        Rules,
        Refusal,
        SelfReference,
        Repetition,
        Truncated,
        CodeFences,
        CopiedInput,
        NeedsAttachment,
        AsksNothing,
        PromptLeakage,
        ListedWords,
        Language,
        PersonalData,
        Secrets,
        Perplexity,
        Cap,
        Diversity,
    ),
    "trainers": (Sft, Dpo, Kto, Contrast, Quality, Reward, Process, RejectionSampling, Grpo, Rloo),
}

STAGES = ("generators", "filters")
"""The families a recipe's `stages` may name."""

Path = tuple[str | int, ...]


class OptionError(RecipeError):
    """A mistake in a recipe, with the path of keys that leads to it."""

    def __init__(self, path: Path, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path
        self.sentence = sentence


@cache
def family(name: str) -> Mapping[str, type[Plugin]]:
    """The plugins of a family by their kind, built-ins first."""
    plugins = {plugin.kind: plugin for plugin in BUILT_IN[name]}
    for entry in entry_points(group=f"tuneworks.{name}"):
        plugins.setdefault(entry.name, _third_party(name, entry.name, entry.load()))
    return plugins


def _third_party(family_name: str, kind: str, loaded: object) -> type[Plugin]:
    if isinstance(loaded, type) and issubclass(loaded, Plugin) and loaded.family == family_name:
        return loaded
    raise RecipeError(
        f"the entry point {kind} in tuneworks.{family_name} is no plugin of that family; "
        "correct or uninstall the package that declares it"
    )


def families() -> Iterator[tuple[str, Mapping[str, type[Plugin]]]]:
    for name in BUILT_IN:
        yield name, family(name)


def kinds(*names: str) -> dict[str, type[Plugin]]:
    """All kinds of these families in one table."""
    return {kind: plugin for name in names for kind, plugin in family(name).items()}


def build(names: tuple[str, ...], spec: object, path: Path) -> Plugin:
    """The plugin that `spec` (a name, or {name: options}) names in these families; raises OptionError."""
    table = kinds(*names)
    if names == ("engines",) and isinstance(spec, str) and spec not in table:
        return _model(spec, path, table)
    kind, options = _split(spec, path, table)
    plugin = table.get(kind)
    if plugin is None:
        what = " or ".join(n.removesuffix("s") for n in names)
        raise OptionError(path, f"there is no {what} {kind!r}; {nearest(kind, table)}")

    def nested(family_name: str, value: object, field: str) -> Plugin:
        return build((family_name,), value, (*path, kind, field))

    try:
        return plugin.model_validate(options, context={"build": nested})
    except ValidationError as error:
        raise option_error(error, (*path, kind), kind, tuple(plugin.model_fields)) from error


def _model(name: str, path: Path, engines: Mapping[str, object]) -> Plugin:
    """A bare model name such as smollm2, a folder or a Hub id means the transformers engine."""
    if not re.search(r"[/~.]|smollm2", name):
        raise OptionError(path, f"there is no engine or model {name!r}; {nearest(name, (*engines, 'smollm2'))}")
    return Transformers(model=name)


def _split(spec: object, path: Path, table: Mapping[str, object]) -> tuple[str, Mapping[str, Any]]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        kind, options = next(iter(spec.items()))
        if options is None:
            return str(kind), {}
        if isinstance(options, Mapping):
            return str(kind), options
        raise OptionError((*path, str(kind)), f"the options of {kind} must be a mapping such as {{option: value}}")
    some = ", ".join(sorted(table)[:4])
    raise OptionError(path, f"write a name or {{name: {{option: value}}}} here, with one name, such as {some}")


def option_error(error: ValidationError, path: Path, owner: str, known: tuple[str, ...]) -> OptionError:
    """The first of pydantic's complaints as one sentence."""
    # A misspelt key is also missing under its right name; the misspelling is what to say.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    place = (*path, *first["loc"])
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return OptionError(place, f"{owner} has no option {name!r}; {nearest(name, known)}")
    if first["type"] == "missing":
        return OptionError(path, f"{owner} needs {name!r}; add it")
    complaint = str(first["msg"]).removeprefix("Value error, ")
    if not name:  # the plugin speaks of its options as a whole
        return OptionError(path, complaint)
    complaint = complaint.replace("Input should be", "it must be").replace("Input should have", "it must have")
    return OptionError(place, f"{name} of {owner} cannot be {first['input']!r}: {complaint}")


def nearest(wrong: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """'did you mean x?' where something is close, else what there is."""
    close = get_close_matches(wrong, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
