"""The filter `rules` in rows a CPU second: in one process, in one for each core, and beside its patterns alone.

There is no peer that looks for the same signs, so the other side is our own: the same patterns and the same counting,
run on every text as they stand, without the cheap tests that come first. Both must give the same verdicts. The cut-off
ends, code fences and copies are the same code on both sides.

    python benchmarks/filters_wording.py --data alpaca.parquet
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import polars as pl
from measuring import began, cost, table

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.rouge import unicode_tokens
from tuneworks.factory.seeds import task_prompt
from tuneworks.factory.wording import attachment, loops, phrases, refusals, requests, self_references
from tuneworks.filters import rules
from tuneworks.filters.filter import Filter
from tuneworks.filters.rules import Rules
from tuneworks.filters.wording.answer_signs import CodeFences, Refusal, SelfReference
from tuneworks.filters.wording.copied_input import CopiedInput
from tuneworks.filters.wording.instruction_signs import AsksNothing, NeedsAttachment
from tuneworks.filters.wording.listed_words import ListedWords
from tuneworks.filters.wording.prompt_leakage import PromptLeakage
from tuneworks.filters.wording.repetition import Repetition
from tuneworks.filters.wording.truncated import Truncated
from tuneworks.pipelines.measuring import measured

LISTED = 10_000


def write_records(data: Path, into: Path) -> None:
    rows = pl.read_parquet(data).select("instruction", pl.col("input").fill_null(""), "output").iter_rows()
    to_table(
        Record.born(
            task_prompt(asked, given), answers=[Answer(text or "")], meta={"instruction": asked, "input": given}
        )
        for asked, given, text in rows
    ).write_parquet(into)


def ours(records: Path) -> tuple[int, list[str | None]]:
    return _judged(records)


def patterns_alone(records: Path) -> tuple[int, list[str | None]]:
    """With the patterns in the place of the signs, and counting without a test whether anything can come again."""
    rules.INSTRUCTION_RULES = {"needs_attachment": _attachment, "asks_nothing": _request}
    rules.ANSWER_RULES = {
        **rules.ANSWER_RULES,
        "refusal": lambda text: phrases.found(
            refusals._REFUSAL, phrases.plain(text.strip()[: refusals.OPENING]), "refuses"
        ),
        "self_reference": lambda text: phrases.found(
            self_references._SELF_REFERENCE, phrases.plain(text), "speaks of itself as a model"
        ),
        "repetition": _repetition,
    }
    return _judged(records)


def _judged(records: Path) -> tuple[int, list[str | None]]:
    taken, work = pl.read_parquet(records), Rules()
    began()
    measures = pl.concat([work.measure(part) for part in taken.iter_slices(work.slice_rows)])
    return taken.height, work.reject(measures).to_list()


def _attachment(text: str) -> str | None:
    asked = phrases.plain(text)
    if attachment._IN_TEXT.search(asked):
        return None
    near = (m for m in attachment._ATTACHMENT.finditer(asked) if _at_an_end(m.start(), m.end(), len(asked)))
    match = next(near, None)
    return None if match is None else phrases.told(match, "needs more than text")


def _at_an_end(start: int, end: int, length: int) -> bool:
    return start < attachment.HEAD or end > length - attachment.TAIL


def _request(text: str) -> str | None:
    said = phrases.plain(text)
    if requests._foreign(said) or not requests._ENGLISH.search(said) or requests._REQUEST.search(said):
        return None
    clauses = requests._CLAUSE.findall(said)
    orders = any(map(requests._ORDER.match, clauses))
    return None if orders else f"asks for nothing in any of its {len(clauses)} clauses"


def _repetition(text: str) -> str | None:
    words = unicode_tokens(text)
    runs = [(len(m[0]), m[1]) for run in loops._RUN.findall(text) for m in loops._LOOP.finditer(run)]
    letters, piece = max(runs, key=lambda run: run[0], default=(0, ""))
    times, share = loops._loudest_sentence(text, max(1, len(words)))
    again = loops._repeated_share(words) if words else 0.0
    item = loops._commonest_item(text)
    return loops.loop_told(loops.Loops(letters, piece, times, share, *item, len(words), again), loops.Limits())


def in_processes(records: Path) -> tuple[float, float, list[str | None]]:
    """CPU and wall seconds of a build's own measuring, the start of its processes included."""
    with tempfile.TemporaryDirectory() as folder:
        before, clock = _cpu(), time.perf_counter()
        measures = measured(Rules(), records, Path(folder), "benchmark")
        return _cpu() - before, time.perf_counter() - clock, Rules().reject(measures).to_list()


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def each_filter(records: Path, work: Filter) -> int:
    """How many rows a filter drops."""
    taken = pl.read_parquet(records)
    began()
    return work.reject(work.measure(taken)).count()


def own_filters() -> list[Filter]:
    """Of listed words none is in a text: what a long list of rare words costs."""
    rare = ListedWords(words=tuple(f"zq{at}xw" for at in range(LISTED)))
    of_answers = [Refusal(), SelfReference(), Repetition(), Truncated(), CodeFences(), CopiedInput()]
    return [*of_answers, NeedsAttachment(), AsksNothing(), PromptLeakage(), rare]


def run(data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.parquet"
        write_records(data, records)
        alone, one = cost(patterns_alone, records), cost(ours, records)
        rows, verdicts = one.result
        cpu, wall, spread = in_processes(records)
        same = [sum(a != b for a, b in zip(verdicts, other, strict=True)) for other in (alone.result[1], spread)]
        lines: list[tuple[object, ...]] = [
            ("patterns alone, one process", alone.cpu, alone.wall, rows / alone.cpu, 1.0, same[0]),
            ("rules, one process", one.cpu, one.wall, rows / one.cpu, alone.cpu / one.cpu, 0),
            ("rules, a process for each core", cpu, wall, rows / cpu, alone.cpu / cpu, same[1]),
        ]
        columns = ("", "CPU s", "wall s", "rows a CPU s", "ratio", "verdicts that differ")
        table(f"rules on {rows:,} rows, of which {rows - verdicts.count(None)} go", columns, lines)
        each = [(work.kind, cost(each_filter, records, work)) for work in own_filters()]
        single = [(kind, made.cpu, rows / made.cpu, made.result) for kind, made in each]
        table("each sign as a filter of its own", ("filter", "CPU s", "rows a CPU s", "rows that go"), single)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Parquet with instruction, input and output")
    run(parser.parse_args().data)


if __name__ == "__main__":
    main()
