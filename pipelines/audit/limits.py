"""Limits of an audit: how much of each finding a recipe bears before its build fails."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from tuneworks.pipelines.audit.findings import Audit, Finding
from tuneworks.pipelines.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


class AuditLimits(Section):
    """Largest shares of the pairs that the build bears; one that is left out is not looked at."""

    longer: float | None = Field(default=None, ge=0.5, le=1)
    """Share of pairs whose chosen answer has more characters; 0.5 is chance."""
    near_identical: Share | None = None
    """Share of pairs whose two answers are nearly the same text."""
    ties: Share | None = None
    """Share of pairs with a margin of 0, or a probability of 0.5."""
    refusals: Share | None = None
    """Share of pairs whose chosen answer declines the task."""
    duplicates: Share | None = None
    """Share of pairs that were there before: the same prompt and both answers."""
    contradictory: Share | None = None
    """Share of pairs that another pair of the same prompt turns round."""
    reversed: Share | None = None
    """Share of pairs whose margin or probability speaks against the label."""
    differing_prompts: Share | None = None
    """Share of the rows of source files whose two answers are to different prompts."""


def broken(audit: Audit, limits: AuditLimits) -> list[str]:
    """One sentence for each limit that the audit breaks: what was found, the limit, and the fix."""
    return [
        f"{what} in {finding.share:.2%} of {finding.of:,} pairs ({finding.count:,}, such as {finding.examples[0]}), "
        f"and audit.{name} allows {limit:.2%}; {fix}, or raise audit.{name}"
        for name, what, finding, fix in _limited(audit)
        if (limit := getattr(limits, name)) is not None and finding.count and finding.share > limit
    ]


def _limited(audit: Audit) -> Iterator[tuple[str, str, Finding, str]]:
    """(limit, what it is about, what was found, the fix)."""
    longer = "the chosen answer is the longer one"
    yield "longer", longer, audit.characters.longer, "give best_of_n a length_penalty, or balance the source's pairs"
    near = "chosen and rejected are nearly the same text"
    yield "near_identical", near, audit.near_identical, "sample at a higher temperature, or ask for a min_margin"
    ties = "neither answer is the better one"
    yield "ties", ties, audit.ties, "take more answers a prompt, or another reward"
    yield "refusals", "the chosen answer declines the task", audit.refusals_chosen, "add refusal to the stages"
    again = "exact_duplicates: {on: prompt_and_answer}"
    yield "duplicates", "the pair was there before", audit.duplicate_pairs, f"add {again} to the stages"
    against = "another pair prefers the answers the other way round"
    yield "contradictory", against, audit.contradictory, "remove one of each two from its source's file"
    label = "margin or probability speaks against the label"
    yield "reversed", label, audit.reversed, "swap or remove those pairs in their source's file"
    differ = "chosen and rejected answer different prompts"
    yield "differing_prompts", differ, audit.differing_prompts, "correct or remove those rows in their source's file"
