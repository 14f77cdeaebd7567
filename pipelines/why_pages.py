"""What the command line prints about verdicts: why a record is there, why a text would not be, what would change."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape

from tuneworks.factory.journal import wrote
from tuneworks.factory.quoting import one_line
from tuneworks.factory.record import Record, best_answer
from tuneworks.pipelines.pages import said
from tuneworks.pipelines.reading import Verdict, life, parents
from tuneworks.pipelines.refilter import Change
from tuneworks.pipelines.run_folder import JOURNAL
from tuneworks.pipelines.why_not import Judged

LONGEST = 60
"""Characters of a text or value that is shown beside others."""


def why(console: Console, folder: Path, record_id: str) -> None:
    verdicts = life(folder, record_id)
    last = verdicts[-1].record
    _record(console, last)
    _calls(console, folder / JOURNAL, last)
    console.print("\n[bold]Its way through the run[/bold]")
    for verdict in verdicts:
        _verdict(console, verdict)
    _ancestors(console, parents(folder, last), len(last.parents))


def why_not(console: Console, judgements: Iterable[Judged]) -> None:
    """Every filter's verdict, and in the end the first that speaks against the text."""
    against: list[str] = []
    for judged in judgements:
        fate = "kept" if judged.reason is None else f"rejected: {judged.reason}"
        console.print(f"  {judged.step:<28} {fate}", markup=False, highlight=False)
        if judged.nearest is not None:
            score = "" if judged.score is None else f" ({judged.score:.3f})"
            line = f"nearest{score}: {judged.nearest.id}  {_brief(judged.nearest)}"
            console.print(f"  {'':<28} {line}", style="dim", markup=False, highlight=False)
        if judged.reason is not None:
            against.append(judged.step)
    ending = f"It would go, at {against[0]}." if against else "It would be kept."
    console.print(f"\n{ending}", markup=False, highlight=False)


def refilter(console: Console, changes: list[Change], prompts: dict[str, str], samples: int) -> None:
    """What each change does, with samples; `prompts` says in brief what the records named are about."""
    for change in changes:
        console.print(f"\n[bold]{change.step.title}[/bold]  {escape(_options(change.options))}", highlight=False)
        console.print(
            f"Of {change.taken} records {change.stayed} stayed; now {change.stay} would: {change.go.height} go and "
            f"{change.come_back.height} come back. Of the records the run ends in, {change.lost_rows} would go.",
            highlight=False,
        )
        _fates(console, "These go", change.go, prompts, samples)
        _fates(console, "These come back; they had gone because", change.come_back, prompts, samples)
    console.print(
        "\nNothing is written. To keep it, change the recipe and run: tuneworks build RECIPE --update\n"
        "Measurements that still hold are used again; a generator after the filter is asked for what comes back.",
        highlight=False,
        markup=False,
    )


def _options(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in options.items())


def _fates(console: Console, title: str, fates: pl.DataFrame, prompts: dict[str, str], samples: int) -> None:
    if fates.is_empty() or not samples:
        return
    console.print(f"\n{title}")
    for record_id, reason in fates.head(samples).iter_rows():
        console.print(f"  {record_id}  {_short(prompts.get(record_id, ''))}", markup=False, highlight=False)
        console.print(f"  {'':<16}  {reason}", style="dim", markup=False, highlight=False)
    if fates.height > samples:
        console.print(f"  and {fates.height - samples} more", style="dim")


def _record(console: Console, record: Record) -> None:
    console.print(f"[bold]{record.id}[/bold]  source {escape(record.source) or '-'}", highlight=False)
    if record.meta:
        facts = ", ".join(f"{name} {value!r}" for name, value in record.meta.items())
        console.print(facts, style="dim", markup=False, highlight=False)
    for message in record.prompt:
        said(console, message.role, message.content)
    for answer in record.answers:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in answer.scores.items())
        said(console, f"answer by {answer.by or 'unknown'}" + (f" ({scores})" if scores else ""), answer.text)


def _calls(console: Console, journal: Path, record: Record) -> None:
    """What a model was asked when it wrote the task, and the best answer."""
    for what, text in _written(record):
        call = wrote(journal, text)
        if call is None:
            continue
        settings = {name: value for name, value in call.request.items() if name not in ("messages", "schema")}
        console.print(f"\n[bold]What was asked for {what}[/bold]  [dim]{escape(call.engine)}[/dim]", highlight=False)
        console.print(_options(settings), style="dim", markup=False, highlight=False)
        for message in call.request["messages"]:
            said(console, message["role"], message["content"])


def _written(record: Record) -> Iterator[tuple[str, str]]:
    instruction = record.meta.get("instruction")
    if isinstance(instruction, str):
        yield "the task", instruction
    best = best_answer(record)
    if best is not None:
        yield "the best answer", best.text


def _verdict(console: Console, verdict: Verdict) -> None:
    if verdict.reason is None:
        fate = "kept"
    elif verdict.part == "answer":
        fate = f"an answer was set aside: {verdict.reason}"
    else:
        fate = f"rejected: {verdict.reason}"
    shown = {*(m.content for m in verdict.record.prompt), *(a.text for a in verdict.record.answers), ""}
    told = {n: v for n, v in verdict.measures.items() if not (isinstance(v, str) and v in shown)}
    measured = ", ".join(f"{name} {_short(value)}" for name, value in told.items())
    console.print(f"  {verdict.step:<28} {fate}", markup=False, highlight=False)
    if measured:
        console.print(f"  {'':<28} {measured}", style="dim", markup=False, highlight=False)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return one_line(value, LONGEST)


def _ancestors(console: Console, found: list[Record], named: int) -> None:
    if not named:
        return
    console.print(f"\n[bold]Made from {named} records[/bold]")
    for parent in found:
        console.print(f"  {parent.id}  {_brief(parent)}", markup=False, highlight=False)


def _brief(record: Record) -> str:
    return _short(record.instruction)
