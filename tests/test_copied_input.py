"""The copied_input filter: answers that say their request again, to the letter or nearly, and those that correct it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.wording import same_text
from tuneworks.factory.wording.copying import copied_share
from tuneworks.filters.wording.copied_input import CopiedInput

ASKED = "Write a short letter to a friend who moved to another town last year, and ask how she likes it there."
ZH_ASKED = "请给去年搬到另一个城市的朋友写一封短信，问问她在那里过得怎么样。"


def reason(asked: str, text: str, work: CopiedInput | None = None, **meta: str) -> str | None:
    work = work or CopiedInput()
    table = to_table([Record.born(asked, answers=[Answer(text)], meta=meta)])
    return work.reject(CopiedInput().measure(table)).to_list()[0]


@pytest.mark.parametrize("text", [f"OK! {ASKED} Now.", ASKED.upper(), f"{ASKED}\n{ASKED[:-1]}"])
def test_nearly_the_request(text: str) -> None:
    said = reason(ASKED, text)
    assert said is not None
    assert said.startswith("the answer says its request again: ")
    assert said.endswith(" of its phrases of 3 words stand there, above 0.9")
    assert reason(ASKED, text, CopiedInput(max_share=None)) is None
    assert reason(ASKED, text, CopiedInput(max_share=1.0)) is None


def test_in_chinese_characters_are_words() -> None:
    assert reason(ZH_ASKED, ZH_ASKED[:-1] + "！") is not None
    assert reason(ZH_ASKED, "你在那里过得怎么样？我很想你。") is None


@pytest.mark.parametrize(
    ("asked", "given", "answer"),
    [
        ("Correct the sentence.", "we goes to town every day by bus", "We go to town every day by bus."),
        ("Edit this: the dog barked at the moon all night long", "", "The dog barked at the moon all night long."),
        ("Divide the text into two lines.", "It rains. We stay in.", "It rains.\nWe stay in."),
        ("Say why the sky is blue.", "", "The sky is blue because air scatters blue light."),
    ],
)
def test_corrections_and_answers_in_whole_sentences_stay(asked: str, given: str, answer: str) -> None:
    prompt = f"{asked}\n\n{given}" if given else asked
    assert reason(prompt, answer, instruction=asked, input=given) is None


def test_the_share_is_a_number_whatever_the_limit() -> None:
    table = to_table([Record.born(ASKED, answers=[Answer(f"{ASKED} Dear Anna, how are you?")])])
    share = CopiedInput().measure(table)["share"][0]
    assert 0.7 < share < 0.9
    assert CopiedInput(max_share=0.7).reject(CopiedInput().measure(table)).to_list() == [
        f"the answer says its request again: {share:.3f} of its phrases of 3 words stand there, above 0.7"
    ]


words = st.lists(st.sampled_from(["a", "b", "c", "é", "我"]), max_size=8).map(" ".join)


@given(words, words)
def test_a_share_is_one_for_the_same_words_and_never_more(answer: str, asked: str) -> None:
    assert 0 <= copied_share(answer, asked) <= 1
    assert copied_share(asked, asked) == (1 if len(asked.split()) > 2 else 0)
    assert same_text(asked, asked) is not None or not asked.strip()
