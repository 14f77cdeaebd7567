"""Where rows end, and when those that have ended are dropped."""

import threading
from collections.abc import Sequence
from typing import cast

import torch

from tuneworks.factory.engine import Request
from tuneworks.factory.engines.ends import WORTH_DROPPING, Ends

WIDTH, END, SAID = 2, 99, 7


class Digits:
    """Reads token 7 as "7", and so on."""

    def batch_decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return ["".join(map(str, row)) for row in rows]


def ends(requests: Sequence[Request], limits: Sequence[int], stop: threading.Event | None = None) -> Ends:
    return Ends(requests, limits, Digits(), {END}, WIDTH, stop or threading.Event())


def tokens(rows: Sequence[Sequence[int]]) -> torch.LongTensor:
    return cast(torch.LongTensor, torch.tensor([[0] * WIDTH + list(row) for row in rows]))


def step(ends: Ends, rows: Sequence[Sequence[int]]) -> bool:
    """Whether decoding is broken off when the replies are these."""
    broken = ends(tokens(rows), cast(torch.FloatTensor, torch.zeros(1))).tolist()
    assert broken == [broken[0]] * len(rows)
    return bool(broken[0])


def test_each_row_ends_in_its_own_way() -> None:
    asked = [Request(()), Request((), stop=("no", "87")), Request((), stop=("77",)), Request(())]
    watched = ends(asked, [9, 9, 9, 2])
    assert not step(watched, [[SAID]] * 4)
    assert step(watched, [[SAID, END], [8, SAID], [8, SAID], [SAID, SAID]])
    ids = tokens([[SAID, END], [8, SAID], [8, SAID], [SAID, SAID]])
    assert watched.take(ids) == [2], "no row but the third goes on"
    assert watched.left(ids[[2]]) == 9 - 2
    assert watched.replies == [[SAID, END], [8, SAID], [], [SAID, SAID]]


def test_rows_are_dropped_when_it_is_worth_it_and_keep_their_places() -> None:
    count = 3 * WORTH_DROPPING
    limits = [9] * count
    limits[4], limits[11], limits[20] = 1, 2, 3
    watched = ends([Request(())] * count, limits)
    rows = [[n] for n in range(count)]
    assert not step(watched, rows)
    rows = [[*row, 0] for row in rows]
    assert not step(watched, rows)
    rows = [[*row, 0] for row in rows]
    assert step(watched, rows), "one of so many has ended"
    going_on = watched.take(tokens(rows))
    assert going_on == [n for n in range(count) if n not in (4, 11, 20)]
    assert (watched.replies[4], watched.replies[11], watched.replies[20]) == ([4], [11, 0], [20, 0, 0])
    rows = [[*rows[n], *[0] * 6] for n in going_on]
    assert step(watched, rows) and watched.take(tokens(rows)) == []
    assert watched.replies[5] == [5, *[0] * 8]


def test_everything_ends_when_it_must() -> None:
    stop = threading.Event()
    watched = ends([Request(())] * 20, [50] * 20, stop)
    assert not step(watched, [[1]] * 20)
    stop.set()
    assert step(watched, [[1, 1]] * 20) and watched.take(tokens([[1, 1]] * 20)) == []
