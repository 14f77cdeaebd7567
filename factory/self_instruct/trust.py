"""Stage 4 of Self-Instruct: which instances of a task to trust beside each other (arXiv:2212.10560, section 2.2)."""

from collections.abc import Sequence

from tuneworks.factory.record import Answer, Record, Rejected
from tuneworks.factory.self_instruct.text_rules import group_complaints

Made = Record | Rejected


def born(task: Record, given: str, answer: Answer, prompt: str, classification: bool) -> Record:
    """An instance of a task."""
    return Record.born(
        prompt,
        answers=[answer],
        source=task.source,
        parents=task.parents,
        meta={**task.meta, "task": task.id, "input": given, "is_classification": classification},
    )


def trusted(made: Sequence[Made], stage: str, one_a_prompt: bool = True) -> list[Made]:
    """Drop what contradicts or repeats: one input with two outputs takes all of the task's instances with it.

    Published, two outputs without an input are two instances; with `one_a_prompt` the second goes.
    """
    records = [item for item in made if isinstance(item, Record)]
    complaints = iter(group_complaints([(str(r.meta["input"]), r.answers[0].text) for r in records]))
    kept: list[Made] = []
    seen: set[object] = set()
    for item in made:
        if isinstance(item, Rejected):
            kept.append(item)
            continue
        complaint = next(complaints)
        if complaint is None and one_a_prompt and item.meta["input"] in seen:
            complaint = "another instance has the same prompt"
        seen.add(item.meta["input"])
        kept.append(item if complaint is None else Rejected(item, stage, complaint))
    return kept


def still_tasks(items: Sequence[Made]) -> list[Made]:
    """An instance whose output alone cannot be used is a task all the same: it stays, without an answer, where no
    other instance asks the same."""
    asked = {item.meta["input"] for item in items if isinstance(item, Record)}
    made: list[Made] = []
    for item in items:
        made.append(item)
        if isinstance(item, Rejected) and item.part == "answer" and item.record.meta["input"] not in asked:
            asked.add(item.record.meta["input"])
            made.append(item.record.with_answers([]))
    return made
