"""Choices hang on the seed, the stage and the place, and on nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.dice import Dice

places = st.lists(
    st.one_of(st.integers(), st.text(st.characters(codec="utf-8", exclude_characters="\x1f"))), max_size=3
)


@given(st.integers(), st.text(), places)
def test_numbers_fit_a_servers_seed(seed: int, stage: str, place: list[str | int]) -> None:
    assert 0 <= Dice(seed, stage).number(*place) < 2**31
    assert Dice(seed, stage).number(*place) == Dice(seed, stage).number(*place)


def test_numbers_never_change() -> None:
    """A run that is built again must find its replies in the journal."""
    assert [Dice(0, "made.answer").number("abc", n) for n in range(3)] == [471747765, 803695202, 589259395]


def test_every_part_counts() -> None:
    numbers = [
        Dice(0, "a").number(),
        Dice(1, "a").number(),
        Dice(0, "b").number(),
        Dice(0, "a").number("x"),
        Dice(0, "a").number("x", 0),
        Dice(0, "a").number("x", 1),
        Dice(0, "a").number("x1"),
        Dice(0, "ax").number(),
    ]
    assert len(set(numbers)) == len(numbers)


def test_places_next_to_each_other_are_far_apart() -> None:
    dice = Dice(0, "a")
    numbers = [dice.number("x", n) for n in range(4000)]
    assert len(set(numbers)) == 4000
    assert 0.48 < sum(numbers) / 4000 / 2**31 < 0.52


def test_generators_are_as_good_as_their_place() -> None:
    dice = Dice(7, "a")
    assert [dice.random("x").random() for _ in range(3)] == [dice.random("x").random()] * 3
    assert dice.random("x").sample(range(100), 5) != dice.random("y").sample(range(100), 5)
