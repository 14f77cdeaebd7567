"""Packs: every text can be read back, and what texts begin with alike is there once."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engines.scoring_packs import SHARED_WORTH, Pack, alike, packs

texts_of_tokens = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=12), max_size=20)


def sizes(texts: list[list[int]], budget: int) -> list[int]:
    return [len(pack.tokens) for pack in packs(texts, budget)]


@given(texts_of_tokens, st.integers(1, 40))
def test_every_text_is_read_back_from_one_pack(texts: list[list[int]], budget: int) -> None:
    made = list(packs(texts, budget))
    assert sorted(row for pack in made for row in pack.rows) == list(range(len(texts)))
    for pack in made:
        assert len(pack.tokens) <= max(budget, 2 * len(pack.seen[0]))
        for row, seen in zip(pack.rows, pack.seen, strict=True):
            assert [pack.tokens[place] for place in seen] == texts[row]
            assert [pack.positions[place] for place in seen] == list(range(len(seen)))


@given(texts_of_tokens)
def test_no_token_is_laid_down_that_the_text_before_shares(texts: list[list[int]]) -> None:
    (pack,) = list(packs(texts, 10_000)) or [Pack()]
    ordered = [texts[row] for row in pack.rows]
    assert ordered == sorted(texts)
    shared = sum(alike(one, other) for one, other in itertools.pairwise(ordered))
    assert len(pack.tokens) == sum(map(len, texts)) - shared


def test_several_answers_of_one_prompt_read_it_once() -> None:
    prompt = list(range(100, 150))
    assert sizes([[*prompt, answer, answer] for answer in range(8)], 1000) == [50 + 8 * 2]
    assert sizes([[*prompt, answer, answer] for answer in range(60)], 1) == [104, 104, 62]


def test_few_common_tokens_are_not_shared() -> None:
    assert alike([1] * SHARED_WORTH, [1] * 9) == SHARED_WORTH
    assert alike([1] * (SHARED_WORTH - 1) + [2], [1] * 9) == 0
    assert alike([], [1]) == 0
