"""How many requests a server is given at a time, against servers whose throughput is known."""

import pytest

from tuneworks.factory.engines.pace.window import AFTER_A_BREAK, FIRST, Window


def driven(window: Window, capacity: int, replies: int, now: float = 0.0) -> float:
    """A server that works on `capacity` requests at a time, a second each, and queues the others; the time after."""
    for _ in range(replies):
        now += 1 / min(window.size, capacity)
        window.replied(1.0, True, now)
    return now


@pytest.mark.parametrize(("capacity", "least", "most"), [(1000, 256, 256), (100, 100, 256), (8, 8, 3 * FIRST)])
def test_it_grows_as_far_as_that_brings_throughput(capacity: int, least: int, most: int) -> None:
    window = Window(256)
    driven(window, capacity, 20_000)
    assert least <= window.size <= most


def test_it_does_not_grow_while_the_callers_are_the_limit() -> None:
    window = Window(256)
    for at in range(5000):
        window.replied(1.0, False, at / 100)
    assert window.size == FIRST


def test_a_doubling_that_did_harm_is_taken_back() -> None:
    window, now = Window(256), 0.0
    for _ in range(3000):
        now += 1 / FIRST if window.size <= FIRST else 1 / 8  # thrashes beyond its first places
        window.replied(1.0, True, now)
    assert window.size <= FIRST * 3 // 2  # now and then half more is tried


def test_a_refusal_halves_it_once_a_round_trip() -> None:
    window = Window(256)
    now = driven(window, 1000, 2000)
    assert window.size == 256
    halved = [window.refused(now - 0.5, 256, now) for _ in range(100)]
    assert halved == [True, *[False] * 99]
    assert window.size == 128
    assert window.refused(now + 0.1, 128, now + 1.0)
    assert window.size == 64


def test_after_a_refusal_it_comes_back_to_nearly_where_it_was_refused() -> None:
    window = Window(256)
    now = driven(window, 1000, 2000)
    window.refused(now, 200, now)
    driven(window, 1000, 3000, now)
    assert 180 <= window.size < 256


def test_it_finds_the_limit_of_a_server_that_refuses_what_is_too_much() -> None:
    window, now, refusals = Window(256), 0.0, 0
    for _ in range(20_000):
        now += 1 / window.size
        if window.size > 150:
            refusals += window.refused(now - 0.01, window.size, now)
        else:
            window.replied(1.0, True, now)
    assert 100 <= window.size <= 150
    assert refusals < 30


def test_it_is_never_less_than_one_nor_more_than_allowed() -> None:
    window = Window(4)
    assert window.size == 4
    for at in range(10):
        window.refused(at + 0.5, 1, at + 1)
    assert window.size == 1
    driven(window, 1000, 5000, 11.0)
    assert window.size <= 4


def test_after_a_break_it_begins_small() -> None:
    window = Window(256)
    now = driven(window, 1000, 2000)
    window.restart(now)
    assert window.size == AFTER_A_BREAK
