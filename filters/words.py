"""What filters read in a table, as Polars expressions: what is asked, the best answer, how many words."""

import polars as pl

from tuneworks.factory.rouge import UNSPACED


def asked() -> pl.Expr:
    """The last user message; empty where there is none."""
    messages = pl.element().filter(pl.element().struct.field("role") == "user")
    return pl.col("prompt").list.eval(messages.struct.field("content")).list.last().fill_null("")


def instruction() -> pl.Expr:
    """The fact "instruction" where the record has one, else the last user message."""
    told = fact("instruction")
    return pl.when(told.str.strip_chars() != "").then(told).otherwise(asked())


def fact(name: str) -> pl.Expr:
    """A fact of the record as text; null where the record has none of this name."""
    return pl.col("meta").str.json_path_match(f"$.{name}")


def conversation() -> pl.Expr:
    """All messages but the system's, one after the other."""
    messages = pl.element().filter(pl.element().struct.field("role") != "system")
    return pl.col("prompt").list.eval(messages.struct.field("content")).list.join("\n").fill_null("")


def answered() -> pl.Expr:
    """The text of the best answer, chosen as `best_answer` does; null where there is no answer."""
    score = pl.element().filter(pl.element().struct.field("name") == "reward").struct.field("value")
    rewards = pl.element().struct.field("scores").list.eval(score).list.first().fill_nan(None)
    best = pl.col("answers").list.eval(rewards).list.arg_max().fill_null(0)
    return pl.col("answers").list.get(best, null_on_oob=True).struct.field("text")


def word_count(text: pl.Expr) -> pl.Expr:
    """Runs of anything but white space; where words have no spaces between them, each character is a word."""
    apart = text.str.replace_all(rf"\p{{P}}*[{UNSPACED}]\p{{M}}*\p{{P}}*", " x ")
    return apart.str.count_matches(r"\S+")
