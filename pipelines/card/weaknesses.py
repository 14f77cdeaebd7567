"""Weaknesses of a dataset, as far as its recipe and its numbers show them."""

from collections.abc import Iterator, Mapping

from tuneworks.factory.best_of_n import BestOfN
from tuneworks.factory.generator import Generator
from tuneworks.factory.judge import Judge
from tuneworks.pipelines.audit.findings import Audit
from tuneworks.pipelines.card.terms import is_ours
from tuneworks.pipelines.recipe import Recipe

LOPSIDED = 0.1
"""How far the share of longer chosen answers may be from a half before it is a weakness."""

FEW = 30
"""Fewer held-out rows tell differences apart that are large, and no others."""


def weaknesses(recipe: Recipe, audit: Audit | None, rows: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [*_of_recipe(recipe), *(_of_pairs(audit) if audit is not None else []), *_of_rows(rows)]


def asks(recipe: Recipe) -> bool:
    """Whether a model writes anything in it; formats, for one, may ask none."""
    return any(isinstance(stage, Generator) and stage.calls(1000) > 0 for stage in recipe.every_stage)


def _of_recipe(recipe: Recipe) -> Iterator[str]:
    kinds = {stage.kind for stage in recipe.every_stage}
    if asks(recipe):
        yield "A model wrote part of it. Nobody checked its facts, and what the model gets wrong stands here as right."
        if is_ours(recipe.engine):
            yield "The model that wrote it has 135 million parameters: many answers are weak, some are wrong or silly."
    judges = [s for s in recipe.every_stage if isinstance(s, BestOfN) and isinstance(s.reward, Judge)]
    if judges and any(judge.reward.engine is None for judge in judges if isinstance(judge.reward, Judge)):
        yield "Answers were marked by the model that wrote them, and models favour their own ways of writing."
    if not kinds & {"personal_data"}:
        yield "It was not searched for addresses and numbers that lead to a person."
    if not kinds & {"decontaminate"}:
        yield "It was not compared with test sets: scores on public benchmarks may come out too high."
    if not kinds & {"exact_duplicates", "near_duplicates", "rouge", "semantic_duplicates"}:
        yield "It was not searched for duplicates."


def _of_pairs(audit: Audit) -> Iterator[str]:
    longer = audit.characters.longer
    low, high = audit.characters.interval
    if longer.of and not low <= 0.5 <= high and abs(longer.share - 0.5) > LOPSIDED:
        which = "longer" if longer.share > 0.5 else "shorter"
        yield (
            f"The chosen answer has more characters in {longer.share:.0%} of {longer.of:,} pairs: a model may learn "
            f"that {which} is better."
        )
    found = {
        "are nearly the same text": audit.near_identical,
        "are decided by a margin of 0": audit.ties,
        "have a chosen answer that declines the task": audit.refusals_chosen,
        "are there twice": audit.duplicate_pairs,
    }
    for what, finding in found.items():
        if finding.count:
            yield f"{finding.count:,} of {finding.of:,} pairs {what}."


def _of_rows(rows: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    few = [f"{name} ({counts['test']:,})" for name, counts in rows.items() if 0 < counts.get("test", 0) < FEW]
    if few:
        yield f"Its test splits are small, so that only large differences show on them: {', '.join(few)}."
