"""Distributions: lengths, turns, languages, perplexity and rewards, of what stayed against what went."""

from collections.abc import Sequence

import polars as pl

from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.report.features import Features
from tuneworks.pipelines.report.histogram import Group, histogram
from tuneworks.pipelines.report.html import Html, counted, el, joined, meter, note, section
from tuneworks.pipelines.stages import MEASURES, VERDICTS

KEPT, REJECTED = "kept", "rejected"

LISTED = 8
"""Languages, and numbers of turns, that stand for themselves."""

RARE = 0.01
"""Languages of fewer records stand together."""

LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "de": "German", "en": "English", "es": "Spanish", "fa": "Persian", "fr": "French",
    "hi": "Hindi", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch",
    "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""Names of the most common codes; others stand as they are."""

MEASURED = (
    ("perplexity", "Perplexity of the answer after its prompt", True),
    ("ifd", "Instruction following difficulty (IFD)", False),
    ("zlib", "Compressed share of the answer's bytes", False),
)


def distributions(run: Contents, seen: Features) -> Html:
    if seen.kept.is_empty() and seen.gone.is_empty():
        return section("distributions", "Distributions", note("There is no record to count yet."))
    charts = [
        _words(seen, "prompt_words", "Words of the prompt"),
        _words(seen, "answer_words", "Words of the best answer"),
        _turns(seen),
        _languages(seen),
        *_difficulty(run),
        *_rewards(run, seen),
    ]
    missing = [text for there, text in _missing(run, seen) if not there]
    sentence = note(
        "Filled: the records that are left. Line: the records that were rejected. Each in shares of its own number, so "
        "that the shapes compare. Where words have no spaces between them, each character counts as a word."
    )
    notes = [note(text) for text in missing]
    return section("distributions", "Distributions", sentence, el("div", *charts, class_="charts"), *notes)


def _missing(run: Contents, seen: Features) -> list[tuple[bool, str]]:
    return [
        (
            any((step.folder / MEASURES).is_file() and _has(step.folder / MEASURES, "zlib") for step in run.steps),
            "No step measured perplexity; the filter perplexity does.",
        ),
        (
            seen.kept["best"].count() > 0,
            "No answer that is left has a reward; best_of_n and other steps with a reward give them one.",
        ),
    ]


def _words(seen: Features, column: str, title: str) -> Html | None:
    return histogram(title, [Group(KEPT, seen.kept[column]), Group(REJECTED, seen.gone[column])], whole=True)


def _turns(seen: Features) -> Html | None:
    """Few values: a bar each; where all are the same, a sentence."""
    kept, gone = seen.kept["turns"].drop_nulls(), seen.gone["turns"].drop_nulls()
    if kept.n_unique() == 1 and (gone.is_empty() or (gone.n_unique() == 1 and gone[0] == kept[0])):
        return _one("User turns of a prompt", f"All prompts have {counted(kept[0], 'user turn')}.")
    named = [turns.cast(pl.String) for turns in (kept, gone)]
    return _bars("User turns of a prompt", named[0], named[1], order=sorted({*kept, *gone}))


def _languages(seen: Features) -> Html | None:
    told = (frame["language"].fill_null("none told") for frame in (seen.kept_read, seen.gone_read))
    kept, gone = (codes.replace(LANGUAGES) for codes in told)
    title = "Language of the prompt"
    if kept.n_unique() == 1 and gone.n_unique() <= 1:
        return _one(title, f"All prompts that are left: {kept[0]}.")
    every = (seen.kept.height, seen.gone.height)
    return _bars(title, _rare_as_one(kept, gone), _rare_as_one(gone, kept), of=every)


def _rare_as_one(some: pl.Series, others: pl.Series) -> pl.Series:
    """Values with less than RARE of the rows, there as here, under one name."""
    counts = [dict(rows.value_counts(normalize=True).iter_rows()) for rows in (some, others)]
    rare = [name for name in counts[0] if max(of.get(name, 0) for of in counts) < RARE]
    return some.replace(rare, "others") if len(rare) > 1 else some


def _one(title: str, sentence: str) -> Html:
    return el("figure", el("figcaption", title), el("p", sentence, class_="single"))


def _bars(
    title: str, kept: pl.Series, gone: pl.Series, order: Sequence[object] = (), of: tuple[int, int] = (0, 0)
) -> Html | None:
    """A bar for each value of what stayed and a thin one under it for what went. They were drawn from `of` so many."""
    if kept.is_empty() and gone.is_empty():
        return None
    shares = [dict(some.value_counts(sort=True, normalize=True).iter_rows()) for some in (kept, gone)]
    counts = dict(kept.value_counts().iter_rows())
    names = [str(name) for name in order] or sorted({*shares[0], *shares[1]}, key=lambda n: (-counts.get(n, 0), n))
    lines = []
    for name in names[:LISTED]:
        here, there = (share.get(name, 0) for share in shares)
        told = joined(el("b", _percent(here)), f", rejected {_percent(there)}" if len(gone) else "")
        bars = [meter((here, "kept")), meter((there, "gone")) if len(gone) else None]
        lines.append(el("li", el("span", name, class_="name"), el("span", told, class_="share"), *bars))
    rest = len(names) - LISTED
    legend = [el("li", el("span", class_="swatch kept"), f"{KEPT}: {_among(len(kept), of[0])}")]
    if len(gone):
        legend.append(el("li", el("span", class_="swatch gone"), f"{REJECTED}: {_among(len(gone), of[1])}"))
    more = el("p", f"and {rest:,} more", class_="note") if rest > 0 else None
    listed = el("ul", *lines, class_="bars")
    return el("figure", el("figcaption", title), listed, more, el("ul", *legend, class_="legend"))


def _among(number: int, of: int) -> str:
    return f"{number:,}" if number >= of else f"{number:,} of {of:,}, evenly drawn"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share == 0 or share >= 0.01 else "under 1%"


def _has(path: object, column: str) -> bool:
    return column in pl.scan_parquet(str(path)).collect_schema().names()


def _difficulty(run: Contents) -> list[Html | None]:
    """What each perplexity step measured, of the records it kept against those it rejected."""
    charts: list[Html | None] = []
    for step in run.steps:
        measures, verdicts = step.folder / MEASURES, step.folder / VERDICTS
        if not (measures.is_file() and verdicts.is_file() and _has(measures, "zlib")):
            continue
        held = [name for name, _, _ in MEASURED if _has(measures, name)]
        both = [pl.scan_parquet(measures).select(held), pl.scan_parquet(verdicts).select("reason")]
        frame = pl.concat(both, how="horizontal").collect()
        stays = frame["reason"].is_null()
        for name, title, log in MEASURED:
            if name in held:
                groups = [Group(KEPT, frame[name].filter(stays)), Group(REJECTED, frame[name].filter(~stays))]
                charts.append(histogram(f"{title}, at {step.title}", groups, log=log))
    return charts


def _rewards(run: Contents, seen: Features) -> list[Html | None]:
    pairs = seen.kept.filter(pl.col("chosen").is_not_null())
    margins = pairs["chosen"] - pairs["rejected"]
    if files := run.dataset_files("preference"):
        rows = pl.concat([pl.scan_parquet(file).select("id", "margin") for file in files]).collect()
        pairs, margins = pairs.join(rows.select("id").unique(), on="id", how="semi"), rows["margin"]
    return [
        histogram("Best reward of a record", [Group(KEPT, seen.kept["best"]), Group(REJECTED, seen.gone["best"])]),
        histogram("Rewards in the pairs", [Group("chosen", pairs["chosen"]), Group("rejected", pairs["rejected"])]),
        histogram("Margin, chosen less rejected", [Group("pairs", margins)]),
    ]
