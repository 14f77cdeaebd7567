"""Views: records as training rows in TRL's conversational format, computed at the end, never carried along.

A view is one function that yields rows, one schema to write them with, and one function that says why a
record gave no row.
"""

from collections.abc import Mapping
from functools import partial

from tuneworks.trainers.rows.controls import CONTROLS, control, controlled, ordered, without_control
from tuneworks.trainers.rows.preference import PREFERENCE, preference_reason, preference_rows
from tuneworks.trainers.rows.prompts import PROMPTS, prompts_reason, prompts_rows
from tuneworks.trainers.rows.quality import (
    NONE,
    QUALITY,
    Levels,
    answers_learned,
    quality_reason,
    quality_rows,
    uncontrolled,
)
from tuneworks.trainers.rows.ranked import RANKED, ranked_reason, ranked_rows
from tuneworks.trainers.rows.sft import SFT, sft_reason, sft_rows
from tuneworks.trainers.rows.steps import STEPS, steps_reason, steps_rows
from tuneworks.trainers.rows.turns import Row, View, messages, turns
from tuneworks.trainers.rows.unpaired import UNPAIRED, unpaired_reason, unpaired_rows

__all__ = [
    "CONTROLS",
    "NONE",
    "PREFERENCE",
    "PROMPTS",
    "QUALITY",
    "RANKED",
    "SFT",
    "STEPS",
    "UNPAIRED",
    "VIEWS",
    "Levels",
    "Row",
    "View",
    "answers_learned",
    "control",
    "controlled",
    "messages",
    "ordered",
    "preference_reason",
    "preference_rows",
    "prompts_reason",
    "prompts_rows",
    "quality_reason",
    "quality_rows",
    "quality_view",
    "ranked_reason",
    "ranked_rows",
    "sft_reason",
    "sft_rows",
    "steps_reason",
    "steps_rows",
    "turns",
    "uncontrolled",
    "unpaired_reason",
    "unpaired_rows",
    "without_control",
]


def quality_view(levels: Levels) -> View:
    return View(QUALITY, partial(quality_rows, levels=levels), partial(quality_reason, levels=levels))


VIEWS: Mapping[str, View] = {
    "sft": View(SFT, sft_rows, sft_reason),
    "preference": View(PREFERENCE, preference_rows, preference_reason),
    "quality": View(QUALITY, quality_rows, quality_reason),
    "ranked": View(RANKED, ranked_rows, ranked_reason),
    "unpaired": View(UNPAIRED, unpaired_rows, unpaired_reason),
    "prompts": View(PROMPTS, prompts_rows, prompts_reason),
    "steps": View(STEPS, steps_rows, steps_reason),
}
"""The dataset configurations, by the name of their folder."""
