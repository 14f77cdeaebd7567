"""The page of an evaluation: its table, its pictures, and answers of both models side by side."""

from itertools import groupby
from pathlib import Path

from tuneworks.factory.engine import Completion
from tuneworks.pipelines.evaluating.evaluate import Evaluation
from tuneworks.pipelines.evaluating.forest import forest
from tuneworks.pipelines.evaluating.table import shown_difference, value
from tuneworks.pipelines.evaluating.wins import Pair
from tuneworks.pipelines.report.document import document
from tuneworks.pipelines.report.html import Html, el, note, section, table

PAGE = "evaluation.html"

SHOWN = 12
"""Prompts whose answers are on the page; answers.parquet has them all."""

UNITS = {"nats": "nats a token", "share": "points of a hundred", "words": "words", "reward": "reward"}


def write_page(found: Evaluation) -> Path:
    path = found.folder / PAGE
    half = path.with_name(f"{PAGE}.part")
    half.write_text(composed(found), encoding="utf-8")
    half.rename(path)
    return path


def composed(found: Evaluation) -> str:
    body = el(
        "main",
        el(
            "header",
            el("p", "Evaluation of a model", class_="over"),
            el("h1", found.model),
            el("p", f"Against {found.base}, which it is compared with item by item.", class_="about"),
        ),
        section("differences", f"What {found.model} does otherwise", _legend(), *_pictures(found)),
        section("table", "All measures", _table(found), *(note(line) for line in found.notes)),
        _answers(found),
    )
    return document(f"{found.model} against {found.base}", body)


def _legend() -> Html:
    kinds = (("kept", "better"), ("gone", "worse"), ("dot", "no difference told, or neither way is better"))
    return el("ul", *(el("li", el("span", class_=f"swatch {kind}"), text) for kind, text in kinds), class_="legend")


def _pictures(found: Evaluation) -> list[Html | None]:
    parts = [(part, list(lines)) for part, lines in groupby(found.lines, key=lambda line: line.part)]
    return [forest(f"{part[0].upper()}{part[1:]}, in {UNITS[lines[0].unit]}", lines) for part, lines in parts]


def _table(found: Evaluation) -> Html:
    rows = [
        (
            f"{line.part}: {line.name}",
            value(line, line.model),
            value(line, line.base),
            shown_difference(line),
            str(line.items),
            line.verdict,
        )
        for line in found.lines
    ]
    caption = "In brackets the 95% interval of the difference, from paired resamples. Shares differ in points."
    return table(("measure", found.model, found.base, "difference", "of", "verdict"), rows, caption)


def _answers(found: Evaluation) -> Html:
    shown = found.pairs[:SHOWN]
    if not shown:
        return section("answers", "Answers side by side", note("No held-out prompt was answered by both."))
    told = note(f"The first {len(shown)} of {len(found.pairs)} held-out prompts; answers.parquet has them all.")
    return section("answers", "Answers side by side", told, *(_pair(found, pair) for pair in shown))


def _pair(found: Evaluation, pair: Pair) -> Html:
    asked = el("div", el("p", pair.row.prompt[-1].content, class_="text"), class_="asked")
    both = (_card(found.model, pair.model), _card(found.base, pair.base))
    return el("div", asked, *both, class_="pair with-prompt")


def _card(name: str, reply: Completion) -> Html:
    end = None if reply.finish == "stop" else el("span", "cut off: it did not stop by itself", class_="cut")
    said = el("p", reply.text or "(nothing)", class_="text")
    return el("div", el("p", name, class_="verdict"), said, end, class_="card")
