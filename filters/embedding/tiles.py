"""Scores of many vectors with many others, a tile at a time, on a CPU: fast, and off by no more than is known."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from tuneworks.filters.embedding.encoder import Vectors
from tuneworks.filters.embedding.neighbours import Places

TILE = 1024
"""Rows and columns of a tile: its scores stay in the processor's cache until they are looked at."""


def tile_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it, else float32."""
    able = torch.cpu.get_capabilities()
    fast = able.get("avx512_bf16") or able.get("amx_bf16") or able.get("amx_tile")
    return torch.bfloat16 if fast else torch.float32


def slack(dtype: torch.dtype, dimensions: int, longest: float) -> float:
    """Most that a score of a tile in `dtype` differs from the float32 product of the same rows.

    Rounding a number to b bits changes it by at most u = 2^-b of itself (8 bits in bfloat16, 24 in float32). Let a, b
    be rows of length `longest` at most, d their dimensions, and g = d v / (1 - d v) with v = 2^-24.
    - Rounding both rows: every product changes by at most 2u + u^2 of itself, so by Cauchy-Schwarz their sum changes
      by at most (2u + u^2) |a| |b|.
    - Summing in float32, in any order: at most g times the sum of the products' sizes (Higham 2002, section 3.1),
      which is (1 + u)^2 |a| |b| for the rounded rows, and |a| |b| for the product in float32.
    - Rounding the sum to `dtype`: at most u of itself, and it is at most (1 + u)^2 (1 + g) |a| |b|.
    In float32 neither rows nor sum are rounded again. Numbers below 2^-126 may count as 0, which changes a sum by far
    less than the last term.
    """
    v = 2.0**-24
    g = dimensions * v / (1 - dimensions * v)
    u = 0.0 if dtype == torch.float32 else torch.finfo(dtype).eps / 2
    grown = (1 + u) ** 2
    return ((2 * u + u * u) + g * (grown + 1) + u * grown * (1 + g)) * longest**2 + 2.0**-60


class Tiles:
    """Scores of `vectors` (rows) with `others` (columns)."""

    def __init__(self, vectors: Vectors, others: Vectors) -> None:
        self._dtype = tile_dtype()
        self._one, self._other = (torch.from_numpy(np.require(m, np.float32, ("C", "W"))) for m in (vectors, others))
        self._rows, self._columns = (m.to(self._dtype) for m in (self._one, self._other))
        longest = max(float(np.linalg.norm(m, axis=1).max(initial=0)) for m in (vectors, others))
        self.slack = slack(self._dtype, vectors.shape[1], longest)
        self._room = torch.empty(TILE * TILE, dtype=self._dtype)

    def reaching(self, low: int, least: float) -> tuple[Places, Places]:
        """(row, earlier row) of all that may score `least`, for the rows of the tile that begins at `low`; `others` are
        the `vectors` themselves."""
        limit = least - self.slack
        cut = float(torch.tensor(limit - abs(limit) * torch.finfo(self._dtype).eps, dtype=self._dtype))  # not above it
        found = [torch.empty((2, 0), dtype=torch.int64)]
        for other in range(0, low + 1, TILE):
            scores = self._tile(low, other)
            if other == low:
                scores.masked_fill_(torch.ones(scores.shape, dtype=torch.bool).triu(), -torch.inf)
            high = (scores.amax(dim=1) >= cut).nonzero()[:, 0]
            if len(high):
                at, to = (scores[high] >= cut).nonzero(as_tuple=True)
                found.append(torch.stack([high[at] + low, to + other]))
        rows, earlier = torch.cat(found, dim=1).numpy()
        return rows, earlier

    def largest(self, own: Places) -> Vectors:
        """(rows, tiles of columns): the largest score of each row in each tile, its own place left out."""
        columns = range(0, len(self._columns), TILE)
        tops = np.empty((len(self._rows), len(columns)), dtype=np.float32)
        for low in range(0, len(self._rows), TILE):
            for tile, other in enumerate(columns):
                scores = self._tile(low, other)
                _leave_out(scores, own[low : low + TILE] - other)
                tops[low : low + TILE, tile] = scores.amax(dim=1).float().numpy()
        return tops

    def in_float32(self, rows: Places, low: int, own: Places) -> Vectors:
        """The scores of these rows with the columns of the tile that begins at `low`."""
        scores = self._one[torch.from_numpy(rows)] @ self._other[low : low + TILE].T
        _leave_out(scores, own - low)
        exact: Vectors = scores.numpy()
        return exact

    def _tile(self, low: int, other: int) -> torch.Tensor:
        rows, columns = self._rows[low : low + TILE], self._columns[other : other + TILE]
        room = self._room[: len(rows) * len(columns)].view(len(rows), len(columns))
        return torch.mm(rows, columns.T, out=room)


def _leave_out(scores: torch.Tensor, places: Places) -> None:
    here = np.flatnonzero((places >= 0) & (places < scores.shape[1]))
    scores[torch.from_numpy(here), torch.from_numpy(places[here])] = -torch.inf


@contextmanager
def one_thread() -> Iterator[None]:
    """Tiles are so small that on a busy machine several threads wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)
