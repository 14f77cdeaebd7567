"""What a mixture takes of each source, in records: of tokens, by the mean length of the pilot's records."""

from collections.abc import Mapping, Sequence

import polars as pl

from tuneworks.pipelines.mixing.drawing import quotas_of
from tuneworks.pipelines.mixing.lengths import counted
from tuneworks.pipelines.mixing.mixture import Part
from tuneworks.pipelines.mixing.options import Mix


def mean_lengths(parts: Sequence[Part], options: Mix) -> dict[str, float]:
    """By source the mean of what its records count as: 1, or tokens."""
    if options.by == "records":
        return {}
    means = {
        p.source: counted(pl.scan_parquet(p.records), options.tokenizer).mean() for p in parts if p.records.is_file()
    }
    return {name: mean for name, mean in means.items() if isinstance(mean, float) and mean > 0}


def records_given(records: Mapping[str, int], lengths: Mapping[str, float], options: Mix) -> dict[str, float]:
    """Records of each source in the mixture. What limits on groups leave out before is not known beforehand."""
    amounts = {name: round(count * lengths.get(name, 1.0)) for name, count in records.items()}
    return {name: given.quota / lengths.get(name, 1.0) for name, given in quotas_of(amounts, options).items()}
