"""Language, personal data and secrets in rows a CPU second, and what they find in Alpaca's 52,002 records.

The peer of `language` is py3langid called on every text as it stands; what it finds are the languages it gives a
probability of 0.7, where ours give that confidence. For the other two it is their own patterns, run on every text
without the cheap tests that come first; both sides must find the same.

    python benchmarks/filters_privacy.py --data alpaca_52k.parquet
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
from measuring import Cost, began, cost, table

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.seeds import task_prompt
from tuneworks.filters import credentials, personal_data
from tuneworks.filters.filter import Filter
from tuneworks.filters.language import Language
from tuneworks.filters.privacy.findings import Search, found
from tuneworks.filters.words import answered, asked

Counts = dict[str, int]
Side = Callable[[Path], tuple[int, Counts]]
"""Reads records; gives how many there are, and what it counted."""

SLICE = 10_000


def write_records(data: Path, into: Path) -> None:
    rows = pl.read_parquet(data).select("instruction", pl.col("input").fill_null(""), "output").iter_rows()
    to_table(
        Record.born(task_prompt(instruction, given), answers=[Answer(text or "")]) for instruction, given, text in rows
    ).write_parquet(into)


def languages(records: Path) -> tuple[int, Counts]:
    measures = _measured(Language(keep=("en",)), records)
    sure = pl.concat([measures.filter(pl.col(f"{p}_confidence") >= 0.7)[f"{p}_language"] for p in ("prompt", "answer")])
    return measures.height, _most(Counter(sure.to_list()))


def py3langid_alone(records: Path) -> tuple[int, Counts]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    rows = pl.read_parquet(records)
    began()
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    texts = pl.concat([rows.select(text=asked()), rows.select(text=answered())])["text"]
    told = [identifier.classify(text) for text in texts]
    return rows.height, _most(Counter(language for language, probability in told if probability >= 0.7))


def personal(records: Path) -> tuple[int, Counts]:
    return _kinds(_measured(personal_data.PersonalData(), records)["found"])


def personal_patterns(records: Path) -> tuple[int, Counts]:
    return _everywhere(records, personal_data.search)


def secret(records: Path) -> tuple[int, Counts]:
    return _kinds(_measured(credentials.Secrets(), records)["found"])


def secret_patterns(records: Path) -> tuple[int, Counts]:
    return _everywhere(records, credentials.search)


def _measured(judge: Filter, records: Path) -> pl.DataFrame:
    rows = pl.read_parquet(records)
    began()
    return pl.concat(judge.measure(part) for part in rows.iter_slices(SLICE))


def _everywhere(records: Path, search: Search) -> tuple[int, Counts]:
    rows = pl.read_parquet(records)
    began()
    return _kinds(found(rows, pl.lit(True), search))


def _kinds(findings: pl.Series) -> tuple[int, Counts]:
    flat = findings.explode(empty_as_null=False, keep_nulls=False).struct.unnest()
    counts = flat.group_by("kind").agg(pl.col("count").sum()).sort("kind")
    return len(findings), dict(counts.iter_rows())


def _most(counts: Counter[str]) -> Counts:
    return dict(counts.most_common(8))


SIDES: tuple[tuple[str, Side, str, Side], ...] = (
    ("language", languages, "py3langid on every text", py3langid_alone),
    ("personal_data", personal, "its patterns on every text", personal_patterns),
    ("secrets", secret, "its patterns on every text", secret_patterns),
)


def run(data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.parquet"
        write_records(data, records)
        measured = [(name, cost(own, records), peer, cost(other, records)) for name, own, peer, other in SIDES]
    rows = [
        line
        for name, own, peer, other in measured
        for line in (_line(name, peer, other, other), _line(name, "tuneworks", own, other))
    ]
    table("records a CPU second, 1 thread", ("filter", "", "CPU s", "records a CPU s", "ratio", "finds"), rows)
    for name, own, _, other in measured[1:]:
        print(f"\n{name}: both find the same: {own.result == other.result}")


def _line(name: str, side: str, measured: Cost, peer: Cost) -> tuple[object, ...]:
    count, finds = measured.result
    said = ", ".join(f"{kind} {number:,}" for kind, number in finds.items()) or "none"
    return name, side, measured.cpu, count / measured.cpu, peer.cpu / measured.cpu, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    run(parser.parse_args().data)


if __name__ == "__main__":
    main()
