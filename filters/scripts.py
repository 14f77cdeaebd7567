"""Scripts: in which letters a text is written, and the languages that are written in them."""

from collections.abc import Mapping

import polars as pl

SOLE: Mapping[str, str] = {
    "Han": "zh", "Kana": "ja", "Hangul": "ko", "Thai": "th", "Hebrew": "he", "Greek": "el", "Armenian": "hy",
    "Georgian": "ka", "Tamil": "ta", "Telugu": "te", "Kannada": "kn", "Malayalam": "ml", "Gujarati": "gu",
    "Gurmukhi": "pa", "Oriya": "or", "Sinhala": "si", "Khmer": "km", "Lao": "lo", "Myanmar": "my", "Ethiopic": "am",
}  # fmt: skip
"""Scripts that in practice belong to one language, and which. Yiddish passes for Hebrew, Tigrinya for Amharic."""

SHARED: Mapping[str, tuple[str, ...]] = {
    "Latin": (
        "af", "az", "br", "bs", "ca", "cs", "cy", "da", "de", "en", "eo", "es", "et", "eu", "fi", "fr", "fy", "ga",
        "gd", "gl", "ha", "hr", "ht", "hu", "id", "ig", "is", "it", "jv", "ku", "lg", "ln", "lt", "lv", "mg",
        "ms", "mt", "nl", "no", "oc", "om", "pl", "pt", "qu", "ro", "rw", "se", "sk", "sl", "sn", "so", "sq", "sr",
        "st", "sv", "sw", "tk", "tl", "tr", "uz", "vi", "wa", "xh", "yo", "zu",
    ),
    "Cyrillic": ("ba", "be", "bg", "kk", "ky", "mk", "mn", "ru", "sr", "tg", "tt", "uk", "uz"),
    "Arabic": ("ar", "fa", "ps", "ug", "ur"),
    "Devanagari": ("hi", "mr", "ne", "sa"),
    "Bengali": ("as", "bn"),
}  # fmt: skip
"""Scripts of several languages, and which of them py3langid is asked to tell apart. Not Latin: it would be
suspected in every list of plants, elements or diseases."""

LANGUAGES = frozenset({*SOLE.values(), *(language for shared in SHARED.values() for language in shared)})

WIDE = ("Han", "Kana", "Hangul")
WEIGHT = 3
"""How many letters of an alphabet a character of these scripts is worth: a word has five of those, or one and a half of
these. Without it the two words of English in a Chinese question would outweigh it."""

KANA_SHARE = 0.1
"""With this share of kana among Han and kana a text is Japanese: Chinese has none, Japanese about a half."""

_CLASSES: Mapping[str, str] = {"Kana": r"[\p{Hiragana}\p{Katakana}]"}


def scripts_of(language: str) -> frozenset[str]:
    """The scripts a language is written in; empty for one that is not known here."""
    sole = {script for script, its in SOLE.items() if its == language}
    return frozenset(sole | {script for script, its in SHARED.items() if language in its})


def main_script(texts: pl.Series) -> pl.DataFrame:
    """For each text its main `script` (null without letters), the `share` of its letters that are of it, and the
    number of `letters` in all, with those of WIDE weighted."""
    frame = pl.DataFrame({"text": texts.fill_null("")})
    ascii_only = pl.col("text").str.len_bytes() == pl.col("text").str.len_chars()
    plain = frame.with_row_index("row").filter(ascii_only).select("row", letters=_count("[A-Za-z]"))
    found = pl.when(pl.col("letters") > 0).then
    plain = plain.with_columns(script=found(pl.lit("Latin")), share=found(pl.lit(1.0)))
    other = frame.with_row_index("row").filter(~ascii_only)
    other = other.select("row").hstack(_counted(other.select("text")))
    return pl.concat([plain.select(other.columns), other]).sort("row").drop("row")


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    names = [*SHARED, *SOLE]
    counts = frame.select(_count(_CLASSES.get(s, rf"\p{{{s}}}")).alias(s) for s in names)
    both = pl.col("Han") + pl.col("Kana")
    japanese = (pl.col("Kana") > 0) & (pl.col("Kana") >= KANA_SHARE * both)
    counts = counts.with_columns(
        Han=pl.when(japanese).then(0).otherwise(both), Kana=pl.when(japanese).then(both).otherwise(0)
    ).with_columns(pl.col(WIDE) * WEIGHT)
    letters, most = pl.sum_horizontal(names), pl.max_horizontal(names)
    first = pl.coalesce(pl.when(pl.col(s) == most).then(pl.lit(s)) for s in names)
    some = pl.when(letters > 0)
    return counts.select(script=some.then(first), share=some.then(most / letters), letters=letters.cast(pl.UInt32))


def _count(pattern: str) -> pl.Expr:
    return pl.col("text").str.count_matches(pattern)
