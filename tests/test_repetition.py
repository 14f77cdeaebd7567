"""The repetition filter: the numbers of a loop, and limits that change without measuring again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.rouge import unicode_tokens
from tuneworks.factory.wording.loops import PHRASE, SENTENCE_TIMES, SENTENCE_TOKENS, Loops, loops
from tuneworks.factory.wording.phrases import tokens
from tuneworks.filters.wording.repetition import MEASURES, Repetition


def reason(text: str, **limits: float | None) -> str | None:
    work = Repetition.model_validate(limits)
    measures = Repetition().measure(to_table([Record.born("?", answers=[Answer(text)])]))
    return work.reject(measures).to_list()[0]


def test_the_measures_are_the_numbers_of_the_loops() -> None:
    assert list(MEASURES) == list(Loops._fields)
    measures = Repetition().measure(to_table([Record.born("?", answers=[Answer("I like tea. " * 6)])]))
    assert measures.row(0) == loops("I like tea. " * 6)


def test_each_limit_can_be_changed_and_switched_off() -> None:
    letters, sentence = "ab" * 15, "We swim here. " * 5 + "one two three four five six seven eight nine ten " * 3
    assert reason(letters) is None
    assert reason(letters, letters=30) == 'the answer repeats "ab" 15 times in a row'
    assert reason("ab" * 30, letters=None) is None
    assert reason(sentence, phrase_share=None) is None
    assert reason(sentence, phrase_share=None, sentence_share=0.3) == (
        "the answer says the same sentence 5 times, 33% of the text"
    )
    items = "1. Red\n2. Blue\n3. Red\n4. Red\n5. Red\n6. Green\n7. Brown"
    assert reason(items) == 'the answer lists "red" 4 times'
    assert reason(items, item_share=0.6) is None
    phrase = " ".join(f"word{n}" for n in range(30)) + " " + " ".join(f"word{n}" for n in range(30))
    assert reason(phrase) is None
    assert reason(phrase, phrase_share=0.5) == (
        "the answer repeats itself: 50% of its words are in phrases of 8 that came before"
    )


def test_limits_that_can_be_no_limits() -> None:
    for wrong in ({"letters": 5}, {"sentence_share": 0}, {"phrase_share": 1.2}):
        with pytest.raises(ValidationError):
            Repetition.model_validate(wrong)


def test_the_longest_run_counts_and_a_list_beside_a_text_does_not() -> None:
    assert loops("aaaaa" + "bc" * 25).letters == 50
    jokes = "\n".join(f"{n}. Knock knock.\nWho is there?\nJoke {n}\nJoke {n} who?\n" for n in range(1, 6))
    assert loops(jokes).item == ""
    assert loops("1. ____\n2. ____\n3. ____\n4. ____\n5. ____").item_times == 0


small = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "i.", "j!", "k"]), max_size=80).map(" ".join)


@given(small)
def test_shares_are_those_of_plain_counting(text: str) -> None:
    words, found = unicode_tokens(text), loops(text)
    assert found.tokens == len(words)
    covered = set()
    for start in range(len(words) - PHRASE + 1):
        phrase = words[start : start + PHRASE]
        if any(words[at : at + PHRASE] == phrase for at in range(start)):
            covered |= set(range(start, start + PHRASE))
    assert found.phrase_share == len(covered) / max(1, len(words))
    said = [tuple(unicode_tokens(s)) for s in text.replace("!", ".").split(".")]
    shares = [
        said.count(s) * len(s) / len(words)
        for s in said
        if len(s) >= SENTENCE_TOKENS and said.count(s) >= SENTENCE_TIMES
    ]
    assert found.sentence_share == max(shares, default=0)


@given(st.text(st.characters(codec="utf-8")) | st.text(st.characters(max_codepoint=127)))
def test_quick_tokens_are_the_tokens(text: str) -> None:
    assert tokens(text) == unicode_tokens(text)
