"""Filter: options plus two verbs, measuring (may be expensive, never generates text) and deciding (cheap).

They are apart so that a threshold can be changed later without measuring again. Measuring looks at each row alone, so a
table is measured slice by slice, in one process or several, and never needs to be in memory whole. Deciding sees the
measurements of all rows at once, so that what stays does not depend on how the work was cut.
"""

from abc import abstractmethod
from typing import ClassVar

import polars as pl

from tuneworks.factory.engine import Engine
from tuneworks.factory.plugin import Plugin


class Filter(Plugin):
    family: ClassVar[str] = "filters"

    measured_by: ClassVar[tuple[str, ...] | None] = None
    """The options that `measure` reads. None: it may read any of them."""
    by_process: ClassVar[bool] = False
    """Whether measuring is Python's own work on every row, so that several processes are worth starting."""

    slice_rows: ClassVar[int] = 10_000
    """Rows measured at once. A slice is what a killed build keeps: fewer where a row takes long."""

    def measured_options(self) -> dict[str, object]:
        """All that decides the measurements: while it stays the same, they are used again."""
        options: dict[str, object] = self.written()[self.kind]
        return options if self.measured_by is None else {name: options[name] for name in self.measured_by}

    def asks_model(self) -> bool:
        """Whether measuring runs a model."""
        return False

    def asks_engine(self) -> bool:
        """Whether measuring asks the run's engine, through `ask`."""
        return False

    @abstractmethod
    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        """One row of measurements for each record of `table`, in its order, each a function of that record alone. No
        column depends on a threshold. The run adds the record's `id` where the frame has none."""
        ...

    async def ask(self, table: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        """`measure`, with the run's engine at hand. Raises RecipeError where the engine cannot tell what is asked."""
        return self.measure(table)

    def let_go(self) -> None:
        """Free what was loaded to measure: no more slices come for now."""

    @abstractmethod
    def reject(self, measures: pl.DataFrame) -> pl.Series:
        """For each row one sentence with the number that decided, or null where the record stays (dtype String)."""
        ...

    def verdicts(self, measures: pl.DataFrame) -> pl.DataFrame:
        """`reason` as `reject` gives it, and whatever else is known once all is decided, such as the `nearest` record
        that stays and its `score`."""
        return pl.DataFrame({"reason": self.reject(measures)})
