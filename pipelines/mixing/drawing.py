"""Drawing: which records of each source go into the mixture, and how often.

First the groups that hold too many (a kind of task, a licence ...) are thinned over all sources; what is left are the
sources' rows to the rule of quotas; then each source's records are drawn. All draws follow the seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuneworks.factory.dice import Dice
from tuneworks.factory.formats import FORMATS
from tuneworks.filters.shares import shared_out
from tuneworks.pipelines.mixing.facts import AMOUNT, FORMAT
from tuneworks.pipelines.mixing.options import Mix
from tuneworks.pipelines.mixing.quotas import Quota, quotas

Counts = NDArray[np.int64]

GROUP_NAMES = {"source": "source", "kind": "kind of task", "licence": "licence", "difficulty": "difficulty"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one source gives."""

    quota: Quota
    """In records, or in tokens where tokens are mixed."""
    held: int
    """Its records."""
    times: Counts
    """For each record, how often it is taken."""
    reasons: pl.Series
    """Why a record is not taken, or null; an Enum, for the same few sentences stand in millions of rows."""
    amount: int
    """What was drawn, in the quota's unit: by tokens, as near to the quota as whole records come."""
    thinned: int
    """Records that a group's limit left out before."""
    formats: Mapping[str, int]
    """Records taken by format, where the recipe gives formats shares."""

    @property
    def records(self) -> int:
        return int(self.times.sum())


def drawn(sources: Mapping[str, pl.DataFrame], options: Mix, dice: Dice) -> dict[str, Drawn]:
    """For each source, by the facts of its records."""
    over, why = _thinned(sources, options, dice)
    free = {name: out == 0 for name, out in over.items()}
    amounts = {name: int(table[AMOUNT].to_numpy()[free[name]].sum()) for name, table in sources.items()}
    given = quotas_of(amounts, options)
    made: dict[str, Drawn] = {}
    for name, table in sources.items():
        times = _taken(table, free[name], given[name].quota, options, dice, name)
        said = [*why, _left_out(name, given[name], table.height, options)]
        reasons = np.where(times > 0, 0, np.where(free[name], len(said), over[name]))
        made[name] = Drawn(
            given[name],
            table.height,
            times,
            _sentences(reasons, said),
            int((times * table[AMOUNT].to_numpy()).sum()),
            int((~free[name]).sum()),
            _by_format(times, table) if options.formats else {},
        )
    return made


def quotas_of(rows: Mapping[str, int], options: Mix) -> dict[str, Quota]:
    """What each source gives, by the options of a recipe's mix; each phase is mixed by itself."""
    parts = [(set(phase.sources), phase.size) for phase in options.phases.values()] or [(set(rows), options.size)]
    given: dict[str, Quota] = {}
    for names, size in parts:
        held = {name: n for name, n in rows.items() if name in names}
        given |= quotas(held, options.cap, options.temperature, options.scale, size, options.shares, options.repeat)
    return {name: given[name] for name in rows}


def _thinned(
    sources: Mapping[str, pl.DataFrame], options: Mix, dice: Dice
) -> tuple[dict[str, NDArray[np.int32]], list[str]]:
    """For each record 0, or the number, from 1, of the sentence why a group's limit leaves it out; and the sentences.

    One limit after the other: what an earlier one left out is not counted for a later one.
    """
    ends = np.cumsum([table.height for table in sources.values()])
    over, why = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.int32), list[str]()
    for group, most in options.most.items():
        named = pl.concat([table[group] for table in sources.values()])
        for value in named.drop_nulls().unique().sort():
            limit = most.get(value) if isinstance(most, dict) else most
            rows = np.flatnonzero((named == value).fill_null(False).to_numpy() & (over == 0))
            if limit is None or len(rows) <= limit:
                continue
            what = f'{len(rows):,} records whose {GROUP_NAMES[group]} is "{value}"'
            why.append(f"of {what} {limit:,} may be mixed; the draw left it out")
            over[rows[dice.random("most", group, value).sample(range(len(rows)), len(rows) - limit)]] = len(why)
    return dict(zip(sources, np.split(over, ends[:-1]), strict=True)) if sources else {}, why


def _taken(table: pl.DataFrame, free: NDArray[np.bool_], quota: int, options: Mix, dice: Dice, name: str) -> Counts:
    """How often each record of a source is taken, so that the quota is met and the formats have their shares."""
    times = np.zeros(table.height, dtype=np.int64)
    amounts = table[AMOUNT].to_numpy().astype(np.int64)
    if not options.formats:
        _take(times, np.flatnonzero(free), amounts, quota, dice, name)
        return times
    codes = table[FORMAT].to_physical().to_numpy()
    parts = [np.flatnonzero(free & (codes == code)) for code in range(len(FORMATS))]
    sums = [int(amounts[rows].sum()) for rows in parts]
    wanted = shared_out([n * options.repeat for n in sums], _format_shares(sums, options), quota)
    for form, rows, want in zip(FORMATS, parts, wanted, strict=True):
        _take(times, rows, amounts, want, dice, name, form)
    return times


def _format_shares(sums: list[int], options: Mix) -> list[float]:
    """Formats without a share of their own share out the rest by their size."""
    rest = sum(n for form, n in zip(FORMATS, sums, strict=True) if form not in options.formats)
    free = max(0.0, 1 - sum(options.formats.values()))
    # A tenth of a millionth lets a format that was given no share fill in where the others have too little.
    shares = [free * n / rest if rest else 0.0 for n in sums]
    return [options.formats.get(form, max(share, 1e-7)) for form, share in zip(FORMATS, shares, strict=True)]


def _take(times: Counts, rows: Counts, amounts: Counts, quota: int, dice: Dice, *place: str) -> None:
    """Take so much of these rows: all of them as often as that goes, and of the rest a draw."""
    whole = int(amounts[rows].sum())
    if not whole:
        return
    times[rows], rest = divmod(quota, whole)
    if rest == 0:
        return
    if (amounts[rows] == 1).all():
        times[rows[dice.random(*place).sample(range(len(rows)), rest)]] += 1
        return
    order = rows[dice.random(*place).sample(range(len(rows)), len(rows))]
    times[order[: _nearest(np.cumsum(amounts[order]), rest)]] += 1


def _nearest(sums: Counts, wanted: int) -> int:
    """How many rows come nearest to the wanted amount."""
    under = int(np.searchsorted(sums, wanted, side="right"))
    before = int(sums[under - 1]) if under else 0
    return under + 1 if under < len(sums) and int(sums[under]) - wanted < wanted - before else under


def _left_out(name: str, quota: Quota, held: int, options: Mix) -> str:
    unit = "records" if options.by == "records" else "tokens"
    whole = held if options.by == "records" else quota.rows
    return f"the source {name} gives {quota.quota} of its {whole} {unit}; the draw left it out"


def _sentences(numbers: NDArray[np.integer[Any]], said: list[str]) -> pl.Series:
    """Sentences by their number from 1, and null for 0."""
    known = dict.fromkeys(said)
    texts = pl.Series("reason", said, dtype=pl.Enum(list(known)))
    return texts.gather(pl.Series(numbers - 1, dtype=pl.Int64).replace(-1, None))


def _by_format(times: Counts, table: pl.DataFrame) -> dict[str, int]:
    summed = table.select(FORMAT, times=pl.Series(times)).group_by(FORMAT).agg(pl.col("times").sum()).sort(FORMAT)
    return {name: int(count) for name, count in summed.iter_rows() if count}
