"""Records as a reader meets them: messages and answers as blocks of text, cut where they are long."""

from collections.abc import Iterable, Mapping
from typing import Any

from tuneworks.factory.record import Record
from tuneworks.pipelines.report.html import Content, Html, el

LONGEST = 700
"""Characters of a text that are shown."""

WHO = {"system": "System", "user": "Prompt", "assistant": "Earlier answer"}


def said(who: str, text: str) -> Html:
    """One text under who said it."""
    cut = text.strip()
    more = len(cut) - LONGEST
    rest = el("span", f" … {more:,} more characters", class_="cut") if more > 0 else None
    return el("div", el("p", who, class_="who"), el("div", cut[:LONGEST], rest, class_="text"), class_="said")


def messages(turns: Iterable[Mapping[str, Any]]) -> list[Html]:
    return [said(WHO.get(turn["role"], turn["role"]), turn["content"]) for turn in turns]


def prompt(record: Record) -> list[Html]:
    return messages({"role": message.role, "content": message.content} for message in record.prompt)


def card(kind: str, head: Content, *inside: Content, foot: Content = None) -> Html:
    """A box for a record. `kind` is its class: kept or gone."""
    under = el("p", foot, class_="foot") if foot else None
    return el("div", el("p", head, class_="verdict") if head else None, *inside, under, class_=f"card {kind}")


def command(run: str, record_id: str) -> Html:
    return el("code", f"tuneworks why {run} {record_id}")


def pages(items: list[Html], each: int, what: str) -> Html:
    """Items of which a script shows some at a time; without one all are there."""
    return el("div", *items, class_="pages", data_each=each, data_what=what)
