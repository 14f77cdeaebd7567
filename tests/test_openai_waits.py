"""How long a server asks to be left alone."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory.engines.openai.waits import LONGEST, asked_wait, duration, pause


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        *(("6m0s", 360.0), ("20ms", 0.02), ("1s", 1.0), ("1.5s", 1.5), ("1h2m3s", 3723.0), ("12", 12.0), ("0s", 0.0)),
        *(("", None), ("soon", None), ("1s later", None), ("-3", None), ("3 s", None), ("nan", None)),
        ("400d", LONGEST),
    ],
)
def test_durations(said: str, seconds: float | None) -> None:
    assert duration(said) == (None if seconds is None else pytest.approx(seconds))


def test_retry_after_may_be_seconds_or_a_date() -> None:
    assert asked_wait({"retry-after": "7"}) == 7
    ahead = asked_wait({"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert ahead is not None and 90 < ahead <= 100
    assert asked_wait({"retry-after": formatdate(time.time() - 100, usegmt=True)}) == 0
    assert asked_wait({"retry-after": "when it suits"}) is None
    assert asked_wait({}) is None


def test_milliseconds_win_over_seconds_and_seconds_over_resets() -> None:
    reset = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"}
    assert asked_wait({"retry-after-ms": "1", "retry-after": "5", **reset}) == 0.001
    assert asked_wait({"retry-after": "5", **reset}) == 5
    assert asked_wait(reset) == 9


def test_only_a_limit_of_which_nothing_remains_asks_for_a_pause() -> None:
    left = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1s"}
    assert pause(left) == 0
    assert pause({**left, "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2m"}) == 120
    both = {**left, "x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "0"}
    assert pause({**both, "x-ratelimit-reset-tokens": "20ms"}) == 1
    assert pause({}) == 0


@given(st.text(max_size=30))
def test_no_header_is_more_than_a_number_or_nothing(said: str) -> None:
    for headers in ({"retry-after": said}, {"retry-after-ms": said}, {"x-ratelimit-remaining-tokens": said}):
        wait = asked_wait(headers)
        assert wait is None or 0 <= wait <= LONGEST
