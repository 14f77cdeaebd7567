"""What is counted of each record, read slice by slice: texts go as soon as their words are counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from tuneworks.factory.record import PAIR, REWARD
from tuneworks.filters.language import prose, recognised
from tuneworks.filters.scripts import SHARED
from tuneworks.filters.verb_object import verb_object
from tuneworks.filters.words import answered, asked, conversation, instruction, word_count
from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.stages import rows_in, slices

MOST_READ = 20_000
"""Records whose language, verb and object are read, of those that stayed and of those that went: evenly from among all
where there are more."""

SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "source": pl.String(),
        "turns": pl.UInt32(),
        "prompt_words": pl.UInt32(),
        "answer_words": pl.UInt32(),
        "best": pl.Float64(),
        "chosen": pl.Float64(),
        "rejected": pl.Float64(),
    }
)
READ = pl.Schema({"language": pl.String(), "verb": pl.String(), "object": pl.String()})


@dataclass(frozen=True, slots=True)
class Features:
    """One row a record."""

    kept: pl.DataFrame
    gone: pl.DataFrame
    """Records that were rejected; answers and replies are not among them."""
    kept_read: pl.DataFrame
    """Language, verb and object of MOST_READ of them at most."""
    gone_read: pl.DataFrame


def features(run: Contents) -> Features:
    kept, kept_read = _of(run.kept)
    gone, gone_read = _of(run.rejected)
    return Features(kept, gone, kept_read, gone_read)


def _of(files: list[Path]) -> tuple[pl.DataFrame, pl.DataFrame]:
    every = -(-max(sum(map(rows_in, files)), 1) // MOST_READ)
    facts, read = [SCHEMA.to_frame()], [READ.to_frame()]
    for table in slices(files):
        records = table.filter(pl.col("part") == "record") if "part" in table.columns else table
        facts.append(counted(records))
        read.append(_read(records.gather_every(every)))
    return pl.concat(facts), pl.concat(read)


def counted(table: pl.DataFrame) -> pl.DataFrame:
    role = pl.element().struct.field("role")
    facts = table.select(
        "id",
        "source",
        turns=pl.col("prompt").list.eval(role == "user").list.sum().cast(pl.UInt32),
        prompt_words=word_count(conversation()),
        answer_words=word_count(answered()),
    )
    return facts.hstack(_rewards(table)).select(list(SCHEMA)).cast(SCHEMA)


def _rewards(table: pl.DataFrame) -> pl.DataFrame:
    """`best` of each record's rewards, and the rewards of the pair that was picked, else of the best and the worst."""
    answers = table.select("answers").with_row_index("at").explode("answers", keep_nulls=False, empty_as_null=False)
    scored = answers.select("at", reward=_score(REWARD), pair=_score(PAIR))
    picked, reward = pl.col("pair").is_not_null().any(), pl.col("reward")
    pairs = scored.group_by("at").agg(
        best=reward.max(),
        chosen=pl.when(picked).then(reward.filter(pl.col("pair") == 1).first()).otherwise(reward.max()),
        rejected=pl.when(picked).then(reward.filter(pl.col("pair") == 0).first()).otherwise(reward.min()),
        two=(reward.count() > 1) & ((reward.max() > reward.min()) | picked),
    )
    alone = pl.when("two").then(pl.col("chosen", "rejected"))
    rows = table.select(at=pl.int_range(pl.len(), dtype=pl.UInt32))
    return rows.join(pairs.with_columns(alone), on="at", how="left", maintain_order="left").drop("at", "two")


def _score(name: str) -> pl.Expr:
    held = pl.element().filter(pl.element().struct.field("name") == name).struct.field("value")
    return pl.col("answers").struct.field("scores").list.eval(held).list.first().fill_nan(None)


def _read(table: pl.DataFrame) -> pl.DataFrame:
    texts = table.select(instruction()).to_series()
    said = list(_verbs(texts))
    verbs = pl.DataFrame(said, schema={"verb": pl.String, "object": pl.String}, orient="row")
    return verbs.with_columns(languages(table.select(asked()).to_series())).select(list(READ))


def _verbs(texts: pl.Series) -> Iterator[tuple[str | None, str | None]]:
    for text in texts:
        yield verb_object(text) or (None, None)


def languages(texts: pl.Series) -> pl.Series:
    """The code of each text's language; without the extra `language` the name of a script that several share."""
    told = recognised(prose(texts), frozenset(SHARED) if find_spec("py3langid") else frozenset())
    script = pl.format("{} letters", "script")
    return told.select(language=pl.coalesce("language", script)).to_series()
