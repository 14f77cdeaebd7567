"""The layouts people keep data in, recognised row by row by the names of the columns.

A row that has the columns of a layout but cannot be used (two answers to different prompts, an empty answer) is read as
far as it goes, with the reason. A row of no layout is a mistake in the file: InputError names it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuneworks.factory.errors import InputError
from tuneworks.factory.form import whole_characters
from tuneworks.factory.formats.layouts import reasoned
from tuneworks.factory.language import language_of
from tuneworks.factory.record import PAIR, REWARD, Answer, Fact, Message
from tuneworks.factory.seeds import task_prompt
from tuneworks.pipelines.sources.rated import is_rated, rated
from tuneworks.pipelines.sources.stepwise import is_prm800k, is_stepwise, prm800k, stepwise
from tuneworks.pipelines.sources.turns import dialogue, is_dialogue, messages, where_they_part

GOOD, BAD = 1.0, 0.0
"""Rewards of the two answers of a preference, and of an answer that a label calls good or bad."""

Row = Mapping[str, Any]

CONVERSATIONS = {"messages": "messages", "conversations": "sharegpt", "prompt": "prompt"}
WORKED = ("question", "answer", "reasoning")
DOCUMENTS = ("text", "document")
SIDES = ("chosen", "rejected")
ANSWERS = ("output", "response", "completion")
LABELS = ("kto_tag", "label")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A row in the shape of a record; `reason` says why it cannot be used."""

    layout: str
    prompt: Sequence[Message]
    answers: Sequence[Answer] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    reason: str | None = None


def parse(row: object, where: str) -> Iterator[Parsed]:
    """What a row holds: one record, or, in Self-Instruct's own layout, one for each of its instances."""
    if not isinstance(row, dict):
        raise InputError(f"{where} is not an object; write {{...}}")
    held = {str(name): value for name, value in row.items() if value is not None}
    if is_prm800k(held) or is_stepwise(row):
        yield _stepwise(held, where)
        return
    if is_rated(held):
        judged = rated(held, where)
        yield _checked(replace(_asked(held, where), layout="rated", answers=judged.answers, reason=judged.reason))
        return
    instances = held.pop("instances", None)
    if not ("instruction" in held and isinstance(instances, list) and instances):
        yield _parsed(held, where)
        return
    for instance in instances:
        if not isinstance(instance, dict):
            raise InputError(f'an instance of {where} is not an object; write {{"input": ..., "output": ...}}')
        yield replace(_parsed({**held, **instance}, where), layout="self_instruct")


def _parsed(row: Row, where: str) -> Parsed:
    sides = [name for name in SIDES if name in row]
    if len(sides) == 1:
        raise InputError(_of_no_layout({sides[0]: None}, where))
    asked = _asked(row, where)
    if sides:
        return _pair(asked, row, where)
    names = [name for name in ANSWERS if name in row]
    said = [[*asked.prompt, *_said(row[name], f"{name} of {where}")] for name in names]
    if not said and asked.answers:
        return _checked(asked)
    prompt, answers, reason = _split(said or [asked.prompt], names)
    return _checked(_labelled(replace(asked, prompt=prompt, answers=answers, reason=reason), row))


def _stepwise(row: Row, where: str) -> Parsed:
    """An answer whose steps are labelled."""
    if not is_prm800k(row):
        asked, judged = replace(_asked(row, where), layout="stepwise"), stepwise(row, where)
    else:
        question, judged = row["question"], prm800k(row)
        told = {"finish_reason": row["label"].get("finish_reason"), "reference": question.get("ground_truth_answer")}
        facts = {name: value for name, value in told.items() if isinstance(value, str)}
        asked = Parsed("prm800k", [Message("user", _text(question, "problem", where).strip())], facts=facts)
    return _checked(replace(asked, answers=judged.answers, reason=judged.reason))


def _asked(row: Row, where: str) -> Parsed:
    """What is asked, by the first of the known columns; what a conversation ends in is still in it."""
    if "instruction" in row:
        instruction, given = _text(row, "instruction", where).strip(), _text(row, "input", where).strip()
        facts = {"instruction": instruction, "input": given} if instruction else {}
        turns = [*_history(row, where), Message("user", task_prompt(instruction, given))]
        return Parsed("alpaca", _with_system(turns, row, where), facts=facts)
    for column, layout in CONVERSATIONS.items():
        if column in row:
            plain = isinstance(row[column], str) and column == "prompt"
            turns = [Message("user", _text(row, column, where))] if plain else messages(row[column], where)
            return Parsed(layout, _with_system(turns, row, where))
    if all(name in row for name in SIDES):
        return Parsed("dialogue" if any(is_dialogue(row[name]) for name in SIDES) else "implicit", [])
    if all(name in row for name in WORKED):
        question, answer, reasoning = (_text(row, name, where).strip() for name in WORKED)
        text = reasoned(reasoning, answer, language_of(question)) if answer else ""
        facts = {"format": "zero_shot_cot"} if reasoning else {}
        return Parsed("worked", [Message("user", question)], [Answer(text, by="file")], facts)
    for column in DOCUMENTS:
        if column in row:
            return Parsed("document", [Message("user", _text(row, column, where).strip())], facts={"document": True})
    raise InputError(_of_no_layout(row, where))


def _of_no_layout(row: Row, where: str) -> str:
    """The layout that needs the fewest columns more, and which."""
    needed = [("instruction",), *((name,) for name in (*CONVERSATIONS, *DOCUMENTS)), WORKED, SIDES]
    near = max(needed, key=lambda names: sum(name in row for name in names) / len(names))
    missing = [name for name in near if name not in row]
    has = f"{where} has {', '.join(row) or 'no columns'}"
    if len(missing) < len(near):
        return f"{has} and lacks {' and '.join(missing)}; add {'them' if len(missing) > 1 else 'it'}"
    if any(name in row for name in ANSWERS):
        return f"{has} and lacks what is asked; add a column instruction or prompt"
    known = ", ".join(["instruction", *CONVERSATIONS, *DOCUMENTS])
    return f"{has}, and none of {known}, or chosen and rejected; rename its columns"


def _history(row: Row, where: str) -> list[Message]:
    """Earlier turns of an Alpaca row: pairs of what was asked and answered."""
    pairs = row.get("history", [])
    if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise InputError(f"the history of {where} is no list of pairs; write [[asked, answered], ...]")
    turns = [
        {"role": role, "content": text} for p in pairs for role, text in zip(("user", "assistant"), p, strict=True)
    ]
    return messages(turns, f"the history of {where}")


def _with_system(turns: list[Message], row: Row, where: str) -> list[Message]:
    system = _text(row, "system", where).strip()
    return [Message("system", system), *turns] if system and turns[:1] and turns[0].role != "system" else turns


def _pair(asked: Parsed, row: Row, where: str) -> Parsed:
    """Both answers, each alone or at the end of the whole conversation."""
    said = [_said(row[name], f"{name} of {where}", apart=bool(asked.prompt)) for name in SIDES]
    if not asked.prompt and all(isinstance(row[name], str) for name in SIDES) and asked.layout != "dialogue":
        raise InputError(f"{where} has chosen and rejected, but nothing says what was asked; add a column prompt")
    whole = [turns if turns and turns[0].role != "assistant" else [*asked.prompt, *turns] for turns in said]
    prompt, answers, reason = _split(whole, [f"{name} answer" for name in SIDES])
    parts = where_they_part(*map(_without_answer, whole))
    if parts is not None:
        reason = f"chosen and rejected answer different prompts: they part at turn {parts}"
    rewards = (GOOD, BAD) if len(answers) == len(SIDES) else ()
    scored = [replace(a, scores={REWARD: reward}) for a, reward in zip(answers, rewards, strict=False)] or answers
    layout = asked.layout if asked.layout in {"dialogue", "implicit"} else "preference"
    return _checked(replace(asked, layout=layout, prompt=prompt, answers=scored, reason=reason))


def _said(value: object, where: str, apart: bool = True) -> list[Message]:
    """The turns of an answer: a text, one message, several, or, where no prompt stands `apart`, a written dialogue."""
    if not isinstance(value, str):
        return messages(value, where)
    return dialogue(value) if not apart and is_dialogue(value) else [Message("assistant", whole_characters(value))]


def _split(
    said: Sequence[Sequence[Message]], names: Sequence[str]
) -> tuple[Sequence[Message], list[Answer], str | None]:
    """The prompt, the answers that the conversations end in, and what is wrong with one of them."""
    answers: list[Answer] = []
    reason = None
    for turns, name in zip(said, names or ["answer"], strict=True):
        if turns and turns[-1].role == "assistant":
            text = turns[-1].content.strip()
            answers.append(Answer(text, by="file"))
            reason = reason or (None if text else f"the {name} is empty")
        elif names:
            reason = reason or f"the {name} is not the assistant's"
    return _without_answer(said[0]), answers, reason


def _without_answer(turns: Sequence[Message]) -> Sequence[Message]:
    return turns[:-1] if turns and turns[-1].role == "assistant" else turns


def _labelled(parsed: Parsed, row: Row) -> Parsed:
    """With the reward of a lone answer that a label calls good or bad, as data for KTO does; marked, so that no bad one
    is trained on for want of a better."""
    names = LABELS if parsed.layout != "alpaca" else LABELS[:1]  # a task's own label is no mark
    marks = {"true": GOOD, "false": BAD}  # a .csv file holds texts alone
    given = next((mark for name in names if (mark := marks.get(str(row.get(name)).lower())) is not None), None)
    if given is None:
        return parsed
    answers = [replace(answer, scores={REWARD: given, PAIR: given}) for answer in parsed.answers]
    reason = parsed.reason or (None if answers else "it has a label and no answer that it marks")
    return replace(parsed, layout="kto", answers=answers, reason=reason)


def _checked(parsed: Parsed) -> Parsed:
    """With the reason why its prompt cannot be asked, unless there is a reason already."""
    asked = next((m.content for m in reversed(parsed.prompt) if m.role == "user"), "")
    reason = parsed.reason
    if reason is None and not asked.strip():
        reason = "the prompt is empty"
    elif reason is None and parsed.prompt[-1].role != "user":
        reason = f"the prompt ends with the turn of the {parsed.prompt[-1].role}, not with what is asked"
    elif reason is None and any(not answer.text for answer in parsed.answers):
        reason = "the answer is empty"
    return replace(parsed, reason=reason)


def _text(row: Row, name: str, where: str) -> str:
    value = row.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"{name} of {where} is not text; write it in quotes")
    return whole_characters(value)
