"""Constraints on an answer that a program can check, with what is asked of the model, in English and Chinese.

A model that follows instructions meets them whatever it is asked for. The idea is IFEval's (arXiv:2311.07911); kinds,
texts and checks are our own.
"""

from collections.abc import Sequence

from tuneworks.factory.constraints.characters import CHARACTERS
from tuneworks.factory.constraints.constraint import Asked, Constraint
from tuneworks.factory.constraints.layout import LAYOUT
from tuneworks.factory.constraints.length import LENGTH
from tuneworks.factory.constraints.tasks import constrained
from tuneworks.factory.constraints.wording import WORDING

CONSTRAINTS: Sequence[Constraint] = (*LENGTH, *WORDING, *LAYOUT, *CHARACTERS)

__all__ = ["CONSTRAINTS", "Asked", "Constraint", "constrained"]
