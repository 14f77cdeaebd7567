"""Does this data help? Arms of a finished run, trained alike, and what their held-out losses tell."""

from tuneworks.pipelines.proving.prove import PROVE, Wanted, prove
from tuneworks.pipelines.proving.verdicts import Proof, Told

__all__ = ["PROVE", "Proof", "Told", "Wanted", "prove"]
