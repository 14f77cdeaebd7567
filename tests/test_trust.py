"""Which instances of a task to trust beside each other."""

from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.record import Answer, Record, Rejected
from tuneworks.factory.self_instruct.trust import still_tasks, trusted


def instance(given: str, output: str) -> Record:
    return Record.born(f"Add.\n\n{given}", answers=[Answer(output)], meta={"input": given})


def reasons(*made: Record | Rejected) -> list[str | None]:
    return [item.reason if isinstance(item, Rejected) else None for item in trusted(made, "s")]


def test_one_input_with_two_outputs_takes_all_instances_with_it() -> None:
    contradiction = "another instance has the same input and a different output"
    made = [instance("2, 3", "5"), instance("1, 1", "2"), instance("2, 3", "6")]
    assert reasons(*made) == [contradiction] * 3
    assert [item.record for item in trusted(made, "s") if isinstance(item, Rejected)] == made


def test_two_outputs_without_an_input_are_no_contradiction() -> None:
    made = [instance("", "a poem"), instance("", "another")]
    assert reasons(*made) == [None, "another instance has the same prompt"]
    assert trusted(made, "s", one_a_prompt=False) == made


def test_repeats_go_and_earlier_rejections_stay() -> None:
    early = Rejected(instance("9", ""), "s", "empty")
    made: list[Record | Rejected] = [instance("1, 1", "2"), early, instance("1, 1", "2"), instance("2, 2", "4")]
    assert reasons(*made) == [None, "empty", "another instance has the same input and output", None]


given_texts = st.sampled_from(["", "1", "2"])
made_instances = st.lists(st.builds(instance, given_texts, st.sampled_from("xy")), max_size=5)


@given(made_instances)
def test_trusted_loses_nothing_and_keeps_one_instance_a_prompt(made: list[Record]) -> None:
    items = trusted(made, "s")
    assert [item.record if isinstance(item, Rejected) else item for item in items] == made
    kept = [item for item in items if isinstance(item, Record)]
    assert len({r.prompt_text for r in kept}) == len(kept)
    outputs = {(r.meta["input"], r.answers[0].text) for r in made if r.meta["input"]}
    contradicts = len(outputs) > len({given for given, _ in outputs})
    assert len(kept) == (0 if contradicts else len({r.prompt_text for r in made}))


def test_a_task_stays_without_an_answer_where_no_other_instance_asks_the_same() -> None:
    cut = Rejected(instance("", "A car"), "s", "cut off", "answer")
    assert still_tasks([cut, cut]) == [cut, cut.record.with_answers([]), cut]
    assert still_tasks([instance("", "A carp."), cut]) == [instance("", "A carp."), cut]
    empty = Rejected(instance("", ""), "s", "empty")
    assert still_tasks([empty]) == [empty]
