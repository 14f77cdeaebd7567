"""The paper's rules that need no judge: what they eliminate, and what they must not."""

import pytest

from tuneworks.factory.evol_instruct.elimination import blank, copied, hardly_new, same_words, sorry
from tuneworks.factory.evol_instruct.prompts import CHINESE, ENGLISH

SEA = "Write a poem about the sea."


def test_the_same_words_but_for_case_and_space() -> None:
    assert same_words("write a  POEM about the sea", [SEA]) == "the same words as before"
    assert same_words("写一首关于大海的诗！", ["写一首关于大海的诗。"])
    assert same_words(SEA, ["Name a fish.", SEA])
    assert same_words("Write a poem about the dry sea.", [SEA]) is None


def test_two_new_words_are_hardly_new_and_a_short_requirement_on_a_long_text_is() -> None:
    long = " ".join(f"word{n}" for n in range(60))
    assert hardly_new(f"{long} and so", long) == "ROUGE-L 0.984 with its parent, over 0.9, and 2 new words"
    assert hardly_new(f"{long} Name the three rarest ones.", long) is None
    assert hardly_new("Write a poem about the sea for me.", SEA) is None


@pytest.mark.parametrize(
    ("answer", "instruction", "reason"),
    [
        ("Sorry, I can't do that.", SEA, 'its answer says "sorry" in 5 words, fewer than 80'),
        ("word " * 90 + "sorry", SEA, None),
        ("I am sorry that I am late.", "Write an apology for being late.", None),
        ("A storm, a sorrylike bird.", SEA, None),
    ],
)
def test_a_short_answer_that_says_sorry(answer: str, instruction: str, reason: str | None) -> None:
    assert sorry(answer, instruction, "en") == reason


def test_a_short_answer_that_says_sorry_in_chinese() -> None:
    assert sorry("抱歉，我无法完成。", "写一首诗。", "zh") == 'its answer says "抱歉" in 7 words, fewer than 120'
    assert sorry("抱歉" + "海" * 120, "写一首诗。", "zh") is None
    assert sorry("很抱歉我迟到了。", "替我写一封道歉信。", "zh") is None


@pytest.mark.parametrize("answer", ["", " \n", "...", "the of, and!", "的。了", "?!"])
def test_answers_of_marks_and_stop_words(answer: str) -> None:
    assert "only marks and" in (blank(answer) or "")


@pytest.mark.parametrize("answer", ["No.", "Not the same", "42", "是", "yes", "不"])
def test_short_answers_that_say_something(answer: str) -> None:
    assert (blank(answer) is None) == (answer != "是")


def test_labels_and_words_of_the_prompt_are_copies() -> None:
    assert copied("Rewritten Prompt: name a fish.", SEA, ENGLISH, [], "en") == (
        'it copies words of the prompt: "rewritten prompt"'
    )
    assert copied("改写后的提示是写诗。", "写诗。", CHINESE, [], "zh")
    assert copied("Improve the given prompt in ten words.", "Improve the given prompt.", ENGLISH, [], "en") is None


def test_a_long_phrase_of_what_was_asked_or_shown_is_a_copy() -> None:
    ours = ["Rewrite it so that answering it takes several steps of reasoning. Do not answer it."]
    evolved = "A poem. So that answering it takes several steps of reasoning."
    assert copied(evolved, SEA, ENGLISH, ours, "en") == (
        'it copies a phrase of the prompt: "so that answering it takes several steps of"'
    )
    assert copied("A poem that takes several steps of reasoning.", SEA, ENGLISH, ours, "en") is None
    assert copied(evolved, evolved, ENGLISH, ours, "en") is None
    assert copied("要把笼统的说法换成具体的事物和情形", "写诗。", CHINESE, [CHINESE.concretise], "zh")


@pytest.mark.parametrize("hostile", ["", "\x00" * 50, "a" * 20_000, "\u202e\u05d0\u05d1", "#" * 999, "\ud83d"])
def test_hostile_texts_are_judged_without_a_crash(hostile: str) -> None:
    for reason in (
        same_words(hostile, [SEA]),
        hardly_new(hostile, SEA),
        sorry(hostile, SEA, "en"),
        blank(hostile),
        copied(hostile, SEA, ENGLISH, [SEA], "en"),
    ):
        assert reason is None or reason
