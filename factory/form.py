"""Form: the named texts a reply must hold, asked for as JSON where the engine can hold to a schema, else as plain text.

`fill` asks, reads, repairs what is safe to repair, asks again a bounded number of times, and gives back the raw
reply where nothing could be read. What is repaired: white space, code fences and talk around JSON, raw line breaks and
trailing commas in it; in plain text marks and case around a label, the one label or quotation marks around a lone text,
and what follows a form that is already whole. Half a form is never filled up.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Completion, Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.language import Language
from tuneworks.factory.record import Answer, Fact, Message, Record, Rejected

TRIES = 3
WARM = 0.7
"""Temperature of a second try whose first had none: the same question would get the same reply."""

Check = Callable[[Mapping[str, str]], str | None]
"""Why the texts that were read cannot be used, or None."""


class Unreadable(ValueError):
    """A reply does not hold what was asked for; says what is wrong in a few words."""


@dataclass(frozen=True, slots=True)
class Form:
    """`labels` names the texts in their order: the JSON key, and the label before the text in plain replies.

    A form of one text is, in plain replies, the whole reply. Texts named in `may_be_empty` may be.
    """

    labels: Mapping[str, str]
    may_be_empty: frozenset[str] = frozenset()

    def schema(self) -> str:
        texts: dict[str, Any] = {
            name: {"type": "string"} if name in self.may_be_empty else {"type": "string", "minLength": 1}
            for name in self.labels
        }
        whole = {"type": "object", "properties": texts, "required": list(texts), "additionalProperties": False}
        return json.dumps(whole)

    def layout(self, language: Language, structured: bool) -> str:
        """The sentence that tells the model how to lay out its reply; empty where any reply will do."""
        if structured:  # the shape alone: a small model that reads the word JSON writes about JSON
            shape = json.dumps(dict.fromkeys(self.labels, "..."))
            return f"Reply as {shape}" if language == "en" else f"请这样回复：{shape}"
        if len(self.labels) == 1:
            return ""
        lines = "\n".join(f"{label}: ..." if language == "en" else f"{label}：……" for label in self.labels.values())
        return f"Lay your reply out like this:\n{lines}" if language == "en" else f"请按这样的格式回复：\n{lines}"

    def read(self, text: str) -> dict[str, str]:
        """The texts of a reply, JSON or plain; raises Unreadable."""
        text = whole_characters(text)
        texts = self._json(text) if "{" in text and self._looks_like_json(text) else self._plain(text)
        for name, value in texts.items():
            if not value and name not in self.may_be_empty:
                raise Unreadable(f"the {name} is empty")
            if bad := _CONTROL.search(value):
                raise Unreadable(f"the {name} holds the control character {bad[0]!r}")
        return texts

    def _looks_like_json(self, text: str) -> bool:
        """The first brace opens an object, or tries to, with one of our keys or none."""
        inside = text[text.index("{") + 1 :].lstrip()
        return inside.startswith("}") or any(inside.startswith(f'"{name}"') for name in self.labels)

    def _json(self, text: str) -> dict[str, str]:
        held = json_object(text)
        missing = [name for name in self.labels if name not in held]
        if missing:
            raise Unreadable(f"the JSON lacks {', '.join(missing)}")
        return {name: _as_text(held[name], name) for name in self.labels}

    def _plain(self, text: str) -> dict[str, str]:
        if len(self.labels) == 1:
            ((name, label),) = self.labels.items()
            return {name: unwrapped(text, label)}
        parts = labelled_parts(text, list(self.labels.values()))
        missing = [label for label in self.labels.values() if label not in parts]
        if missing:
            raise Unreadable(f"the reply lacks {', '.join(missing)}")
        return {name: parts[label] for name, label in self.labels.items()}


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_TRAILING_COMMA = re.compile(r",\s{0,1000}([}\]])")
_ITEM_MARKS = r"[ \t>#*_-]{0,8}(?:\d{1,2}[.)][ \t]{0,4})?[*_]{0,3}"


def json_object(text: str) -> Mapping[str, Any]:
    """The first JSON object in a reply, whatever stands around it."""
    body = text[text.index("{") :] if "{" in text else ""
    reader = json.JSONDecoder(strict=False)  # raw line breaks inside of strings are forgiven
    for attempt in (body, _TRAILING_COMMA.sub(r"\1", body)):
        try:
            held, _ = reader.raw_decode(attempt)
        except (ValueError, RecursionError):
            continue
        if isinstance(held, dict):
            return held
    raise Unreadable("the reply is no whole JSON object")


def _as_text(value: object, name: str) -> str:
    if isinstance(value, str):
        return whole_characters(value).strip()  # JSON can spell half a character
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise Unreadable(f"the {name} is no text")


def whole_characters(text: str) -> str:
    """With halves of surrogate pairs, which cannot be written down, replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def labelled_parts(text: str, labels: list[str]) -> dict[str, str]:
    """label -> the text after it. Where a label comes again, the reply has begun anew, and is read up to there."""
    names = "|".join(re.escape(label) for label in labels)
    marks = re.compile(rf"^{_ITEM_MARKS}({names})[*_]{{0,3}}[ \t]{{0,4}}[:：][*_]{{0,3}}", re.IGNORECASE | re.MULTILINE)
    found = list(marks.finditer(text))
    ours = {label.casefold(): label for label in labels}
    parts: dict[str, str] = {}
    for at, match in enumerate(found):
        label = ours[match[1].casefold()]
        if label in parts:
            break
        end = found[at + 1].start() if at + 1 < len(found) else len(text)
        parts[label] = text[match.end() : end].strip()
    return parts


_QUOTES = {'"': '"', "“": "”", "「": "」", "'": "'"}


def unwrapped(text: str, label: str) -> str:
    """A lone text without the label, code fence or quotation marks a model likes to put around it."""
    text = re.sub(
        rf"^{_ITEM_MARKS}{re.escape(label)}[*_]{{0,3}}\s{{0,4}}[:：][*_]{{0,3}}", "", text.strip(), flags=re.I
    )
    text = text.strip()
    if (fenced := re.fullmatch(r"```\w*\n(.*)\n```", text, re.DOTALL)) and "```" not in fenced[1]:
        text = fenced[1].strip()
    inside = text[1:-1]
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[0] not in inside and text[-1] not in inside:
        text = inside.strip()
    return text


@dataclass(frozen=True, slots=True)
class Filled:
    texts: Mapping[str, str]
    reply: Completion


@dataclass(frozen=True, slots=True)
class Unfilled:
    """No try gave a form that can be used: the last reason, and the last request and raw reply, if there was one."""

    reason: str
    request: Request
    raw: str
    answered: bool
    """Whether the model replied at all."""

    def rejected(
        self, stage: str, by: str, *, source: str = "", parents: tuple[str, ...] = (), meta: Mapping[str, Fact]
    ) -> Rejected:
        """As a reply from which no record came."""
        answers = [Answer(whole_characters(self.raw), by)] if self.raw else []
        asked = Record.born(self.request.messages, answers=answers, source=source, parents=parents, meta=meta)
        return Rejected(asked, stage, self.reason, "reply")


async def fill(
    form: Form,
    request: Request,
    engine: Engine,
    language: Language,
    check: Check = lambda texts: None,
    tries: int = TRIES,
) -> Filled | Unfilled:
    """Ask until a reply can be read and passes `check`, `tries` times at most; every try has a seed of its own."""
    request = _laid_out(form, request, engine, language)
    reason, raw = "it was never asked", ""
    for attempt in range(tries):
        asked = _tried_again(request, attempt)
        try:
            reply = await engine.complete(asked)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Unfilled(str(error), asked, raw, bool(raw))
        raw = reply.text
        try:
            texts = _whole(form, reply)
        except Unreadable as error:
            reason = str(error)
            continue
        complaint = check(texts)
        if complaint is None:
            return Filled(texts, reply)
        reason = complaint
    times = f" ({tries} tries)" if tries > 1 else ""
    return Unfilled(reason + times, asked, raw, True)


def _laid_out(form: Form, request: Request, engine: Engine, language: Language) -> Request:
    layout = form.layout(language, engine.structured)
    *before, last = request.messages
    if layout:
        last = Message(last.role, f"{last.content}\n\n{layout}")
    return replace(request, messages=(*before, last), schema=form.schema() if engine.structured else "")


def _tried_again(request: Request, attempt: int) -> Request:
    if attempt == 0:
        return request
    seed = Dice(request.seed, "again").number(attempt)
    return replace(request, seed=seed, temperature=request.temperature or WARM)


def _whole(form: Form, reply: Completion) -> dict[str, str]:
    if not reply.text.strip():
        raise Unreadable("the reply is empty")
    if reply.finish == "length":
        raise Unreadable(f"the reply was cut off after {reply.usage.completion_tokens} tokens")
    return form.read(reply.text)
