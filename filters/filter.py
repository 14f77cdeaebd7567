"""Filter: options plus two verbs, measuring (may be expensive, never generates text) and rejecting (cheap).

They are apart so that a threshold can be changed later without measuring again.
"""

from abc import abstractmethod
from typing import ClassVar

import polars as pl

from tuneworks.factory.plugin import Plugin


class Filter(Plugin):
    family: ClassVar[str] = "filters"

    @abstractmethod
    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        """One row of measurements for each record of `table`, in its order; no column depends on a threshold."""
        ...

    @abstractmethod
    def reject(self, measures: pl.DataFrame) -> pl.Series:
        """For each row one sentence with the number that decided, or null where the record stays (dtype String)."""
        ...
