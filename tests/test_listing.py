"""Lists of tasks, numbered or JSON: what is whole is read, and nothing disappears."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engine import Completion, Finish, Usage
from tuneworks.factory.form import Unreadable
from tuneworks.factory.self_instruct.listing import (
    BROKEN,
    CUT,
    json_items,
    read_json_list,
    read_list,
    split_published,
    split_tasks,
)

words = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=8)
tasks = st.lists(words, min_size=1, max_size=9).map(" ".join)


@given(st.lists(tasks, min_size=1, max_size=12), st.sampled_from([". ", ") ", "、", "．", ".  ", ": "]), st.booleans())
def test_a_numbered_list_comes_apart_again(items: list[str], mark: str, lone: bool) -> None:
    text = "".join(f"{item}\n{' ' * lone}{at}{mark}" for at, item in enumerate(items, 10))
    assert split_tasks(text) == [" ".join(item.split()) for item in items]


@given(st.lists(tasks, min_size=1, max_size=12))
def test_the_published_split_agrees_on_a_plain_list(items: list[str]) -> None:
    text = " " + "".join(f"{item}\n{at}. " for at, item in enumerate(items, 10))
    assert split_published(text) == [" ".join(item.split()) for item in items]


@given(st.text())
def test_any_text_gives_tidy_tasks(text: str) -> None:
    for task in split_tasks(text):
        assert task == " ".join(task.split()) != ""
        assert not task.endswith((":", "："))


@given(st.text(st.sampled_from("1. \n:：、abä)"), max_size=30))
def test_nothing_but_white_space_numbers_and_colons_is_lost(text: str) -> None:
    def letters(value: str) -> list[str]:
        return [c for c in value if c.isalpha()]

    assert letters("".join(split_tasks(text))) == letters("".join(split_published(text))) == letters(text)


def test_a_number_inside_a_task_does_not_split_it() -> None:
    assert split_tasks("Round 3.14 to 1. place\n10. Say 5: why?") == ["Round 3.14 to 1. place", "Say 5: why?"]


def test_numbering_that_begins_again_is_still_a_list() -> None:
    assert split_tasks("Name a fish.\n1. Name a bird.\n1) Name a tree:") == [
        "Name a fish.",
        "Name a bird.",
        "Name a tree",
    ]


def test_of_a_list_that_is_cut_off_the_last_task_goes_or_published_all() -> None:
    reply = Completion(" Name a fish.\n10. Name a", "length", Usage(0, 7))
    listed = read_list(reply, "ours")
    assert (listed.tasks, listed.broken) == (["Name a fish."], [("Name a", CUT)])
    with pytest.raises(Unreadable, match="cut off after 7 tokens, and dropped whole"):
        read_list(reply, "published")


@pytest.mark.parametrize("rules", ["ours", "published"])
def test_a_reply_without_a_task(rules: str) -> None:
    with pytest.raises(Unreadable, match="holds no task"):
        read_list(Completion(" \n\n"), "ours" if rules == "ours" else "published")


@pytest.mark.parametrize(
    ("text", "tasks", "broken"),
    [
        ('{"tasks": ["Name a fish.", " Name\\na bird: "]}', ["Name a fish.", "Name a bird"], []),
        ('Sure:\n```json\n{"tasks": ["a", "b",]}\n```', ["a", "b"], []),
        ('["a", "b"]', ["a", "b"], []),
        ('{"tasks": ["a" "b"] and more', ["a", "b"], []),
        ('{"tasks": ["a", "b', ["a"], [("b", BROKEN)]),
        ('{"tasks": ["a", ', ["a"], []),
        ('{"tasks": ["a", 3, {"task": "b"}]}', ["a"], [("3", "no text"), ('{"task": "b"}', "no text")]),
        ('{"tasks": ["a", ' + "[" * 100_000, ["a"], [("[" * 100_000, BROKEN)]),
        ('{"tasks": ["a\\ud83d", "' + "x\ny" + '"]}', ["a\ufffd", "x y"], []),
    ],
)
def test_json_is_read_as_far_as_it_is_whole(text: str, tasks: list[str], broken: list[tuple[str, str]]) -> None:
    listed = read_json_list(Completion(text))
    assert list(listed.tasks) == tasks
    assert [said for said, _ in listed.broken] == [said for said, _ in broken]
    assert all(words in reason for (_, reason), (_, words) in zip(listed.broken, broken, strict=True))


@pytest.mark.parametrize(
    "text", ["", "no", "{", '{"tasks": "a"}', '{"tasks": []}', '{"tasks": [" "]}', '{"tasks": ["a', "see [1]: yes"]
)
def test_no_list_is_said_so(text: str) -> None:
    with pytest.raises(Unreadable):
        read_json_list(Completion(text))


@given(st.lists(st.text(min_size=1)), st.integers(0, 400), st.sampled_from(["stop", "length"]))
def test_a_list_cut_anywhere_gives_its_whole_texts(texts: list[str], at: int, finish: Finish) -> None:
    whole = json.dumps({"tasks": texts}, ensure_ascii=False)
    begin = '{"tasks": ['
    written = [json.dumps(text, ensure_ascii=False) for text in texts]
    ends = [len(begin) + len(", ".join(written[: n + 1])) for n in range(len(texts))]
    expected = [tidied for text, end in zip(texts, ends, strict=True) if end <= at and (tidied := tidy_text(text))]
    try:
        listed = read_json_list(Completion(whole[:at], finish))
    except Unreadable:
        assert expected == []
    else:
        assert list(listed.tasks) == expected


def tidy_text(text: str) -> str:
    return " ".join(text.split()).rstrip(":：").strip()


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text(alphabet='{}[]",:\\ \n\x00abtasks1.\u202e\u05d0\ud800', max_size=300),
    st.lists(st.sampled_from(['{"tasks":', "[", '"a"', ",", "]", "}", "3", "null", "\n9. ", "Name "])).map("".join),
)


@given(HOSTILE, st.sampled_from(["stop", "length"]))
def test_any_reply_is_read_or_refused_in_words(text: str, finish: Finish) -> None:
    reply = Completion(text, finish)
    for read in (read_json_list, lambda r: read_list(r, "ours"), lambda r: read_list(r, "published")):
        try:
            listed = read(reply)
        except Unreadable as error:
            assert str(error)
        else:
            for said in [*listed.tasks, *(said for said, _ in listed.broken)]:
                said.encode()
                assert said.strip()


@given(HOSTILE)
def test_what_is_spelt_out_covers_the_list(text: str) -> None:
    try:
        items, rest, whole = json_items(text, "tasks")
    except Unreadable:
        return

    def squeezed(said: str) -> str:
        return "".join(c for c in said if c not in ", \t\r\n")

    spelt = squeezed("".join(written for _, written in items) + ("]" if whole else "") + rest)
    assert squeezed(text).endswith("[" + spelt)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["\n" * 200_000, " " * 200_000, "1" * 200_000, "\n1" * 99_999, '{"tasks": ' + "[" * 99_999]
)
def test_a_huge_reply_is_read_in_no_time(text: str) -> None:
    for read in (read_json_list, lambda r: read_list(r, "ours"), lambda r: read_list(r, "published")):
        with contextlib.suppress(Unreadable):
            read(Completion(text))
