"""Which kernel runs: the compiled one where numba is installed and there is enough to do, else numpy's."""

import os
from importlib.util import find_spec

from tuneworks.factory.errors import MissingExtra

KERNEL = "TUNEWORKS_KERNEL"
"""The environment variable that says `numpy` or `numba`, instead of what would be chosen."""

WORTH_LOADING = 150_000
"""Tokens. With fewer, numpy is done before numba is loaded."""


def compiled(tokens: int) -> bool:
    """Whether the compiled kernel is to be used for so many tokens."""
    wanted = os.environ.get(KERNEL, "")
    if wanted not in ("", "numpy", "numba"):
        raise ValueError(f"{KERNEL} is {wanted!r}; set it to numpy or numba, or leave it out")
    there = find_spec("numba") is not None
    if wanted == "numba" and not there:
        raise MissingExtra("numba", "fast", f"{KERNEL}=numba")
    return there and wanted != "numpy" and (wanted == "numba" or tokens >= WORTH_LOADING)
