"""Samples: what went beside what stayed, and why.

What was rejected as too like another record stands beside that one, a rejected answer beside the answer of the same
record that stayed, and everything else beside a record that is left.
"""

from dataclasses import dataclass

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.record import REWARD, Answer, Record, best_answer, from_table
from tuneworks.pipelines.report.contents import Contents, drawn_rows, gone, rows_at, rows_of
from tuneworks.pipelines.report.html import Html, el, joined, note, section
from tuneworks.pipelines.report.passages import card, command, messages, pages, prompt, said
from tuneworks.pipelines.stages import RECORDS, REJECTED, VERDICTS, rows_in

DRAWN = 36
"""Pairs of one kept and one rejected."""

EACH = 4
"""Pairs on a page."""

PAIRS_DRAWN, PAIRS_EACH = 18, 3


@dataclass(frozen=True, slots=True)
class Gone:
    """Something rejected, with the id of the record it was too like, where its step names one."""

    record: Record
    part: str
    stage: str
    reason: str
    nearest: str | None


def samples(run: Contents) -> Html:
    title = "Kept and rejected, side by side"
    items, left = drawn(run), _kept(run)
    if not items and not left:
        return section("samples", title, note("There is no record to show yet."))
    named = {record.id: record for record in beside(run, items)}
    spare = iter([record for record in left if record.id not in named])
    rows = [_row(run, item, named, next(spare, None)) for item in items]
    rows += [_row(run, None, named, record) for record in list(spare)[: max(0, EACH - len(rows))]]
    intro = note(
        "Right: what was rejected, drawn by the run's seed so that every step and every kind of reason is among it. "
        "Left: the record it was too like, the answer that stayed in its place, or else any record that is left."
    )
    return section("samples", title, intro, pages(rows, EACH, "samples"))


def drawn(run: Contents) -> list[Gone]:
    """By turns from every step and every kind of reason."""
    every = gone(run)
    if every.is_empty():
        return []
    shuffled = every.sample(fraction=1.0, shuffle=True, seed=Dice(run.seed, "report").number("rejected"))
    turn = pl.int_range(pl.len()).over("folder", "part", "folded")
    kind = pl.concat_str("part", "folded").rank("dense").over("folder")
    places = shuffled.with_columns(turn=turn, kind=kind).sort("turn", "kind", "folder").head(DRAWN)
    found: dict[tuple[str, int], Gone] = {}
    for (name,), some in places.group_by("folder", maintain_order=True):
        folder = run.folder / str(name)
        table = rows_at(folder / REJECTED, some["row"].to_list())
        near = _nearest(folder / VERDICTS, table["id"])
        for record, row in zip(from_table(table), table.iter_rows(named=True), strict=True):
            held = Gone(record, row["part"], row["stage"], row["reason"], near.get(record.id))
            found[str(name), row["row"]] = held
    return [found[name, row] for name, row in places.select("folder", "row").iter_rows()]


def _nearest(verdicts: object, ids: pl.Series) -> dict[str, str]:
    """Whom a step of duplicates held each record against."""
    try:
        frame = pl.scan_parquet(str(verdicts))
        names = frame.collect_schema().names()
    except OSError:
        return {}
    if "nearest" not in names:
        return {}
    rows = frame.filter(pl.col("id").is_in(ids.implode())).select("id", "nearest").drop_nulls().collect()
    return dict(rows.iter_rows())


def beside(run: Contents, items: list[Gone]) -> list[Record]:
    """Records that stand beside rejected ones: those they were too like, and their own, where they are left."""
    near = [item.nearest for item in items if item.nearest]
    own = [item.record.id for item in items if item.part == "answer"]
    steps = [step.folder / RECORDS for step in reversed(run.steps)]
    found = [*from_table(rows_of(steps, near))] if near else []
    return [*found, *(from_table(rows_of(run.kept, own)) if own else [])]


def _kept(run: Contents) -> list[Record]:
    draw = Dice(run.seed, "report").random("kept")
    found = [record for table in drawn_rows(run.kept, DRAWN + EACH, draw) for record in from_table(table)]
    draw.shuffle(found)
    return found


def _row(run: Contents, item: Gone | None, named: dict[str, Record], spare: Record | None) -> Html:
    left, head = spare, "Kept"
    if item is not None:
        own = item.record.id if item.part == "answer" else ""
        if (item.nearest or "") in named:
            left, head = named[item.nearest or ""], "The record it was too like"
        elif own in named:
            left, head = named[own], "The answer that stayed"
    kept = _card(run, left, head) if left else el("div", class_="card none")
    return el("div", kept, _rejected(run, item) if item else None, class_="pair")


def _card(run: Contents, record: Record, head: str) -> Html:
    best = best_answer(record)
    return card("kept", head, *prompt(record), *([_answer(best)] if best else []), foot=command(run.name, record.id))


def _answer(answer: Answer, who: str = "Answer") -> Html:
    reward = answer.scores.get(REWARD)
    return said(f"{who}, reward {reward:.3g}" if reward is not None else who, answer.text)


def _rejected(run: Contents, item: Gone) -> Html:
    record = item.record
    if item.part == "reply":
        asked = "What the model was asked" if record.answers else "Read in the reply"
        shown = [said(asked, record.prompt_text), *(_answer(answer, "Reply") for answer in record.answers[:1])]
    else:
        best = best_answer(record)
        shown = [*prompt(record), *([_answer(best)] if best else [])]
    part = "" if item.part == "record" else f" {'an answer' if item.part == 'answer' else 'a reply'}"
    head = joined(el("b", f"Rejected{part} at {item.stage}: "), item.reason)
    return card("gone", head, *shown, foot=command(run.name, record.id))


def preferences(run: Contents) -> Html:
    title = "Preference pairs"
    files = run.dataset_files("preference")
    if not files:
        why = "The recipe asks for no preference dataset, or no record has a pair." if run.rows else "No dataset yet."
        return section("pairs", title, note(why))
    size = sum(map(rows_in, files))
    tables = drawn_rows(files, PAIRS_DRAWN, Dice(run.seed, "report").random("pairs"))
    rows = [_pair(run, row) for table in tables for row in table.iter_rows(named=True)]
    intro = note(f"{len(rows):,} of the {size:,} rows of the configuration preference, drawn by the run's seed.")
    return section("pairs", title, intro, pages(rows, PAIRS_EACH, "pairs"))


def _pair(run: Contents, row: dict[str, object]) -> Html:
    facts = [f"{name} {row[name]:.3g}" for name in ("margin", "probability") if row.get(name) is not None]
    foot = joined(f"{', '.join(facts)}  " if facts else "", command(run.name, str(row["id"])))
    head = el("div", *messages(_turns(row["prompt"])), el("p", foot, class_="foot"), class_="asked")
    chosen, rejected = (el("div", *_last(row[side])) for side in ("chosen", "rejected"))
    return el(
        "div",
        head,
        card("kept", "Chosen", chosen),
        card("gone", el("b", "Rejected"), rejected),
        class_="pair with-prompt",
    )


def _turns(turns: object) -> list[dict[str, str]]:
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns] if isinstance(turns, list) else []


def _last(turns: object) -> list[Html]:
    return [said("Answer", turn["content"]) for turn in _turns(turns)[-1:]]
