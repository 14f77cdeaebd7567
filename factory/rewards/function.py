"""Function: a plain Python function of the user's own is the reward.

It is called as score(prompt, answer) with two texts, or, where its first parameter is called `record`, with the Record
and the Answer. Calls come one at a time, in a thread of their own, so the function may be slow and need not be safe to
call twice at once.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import cache
from numbers import Real
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from tuneworks.factory.engine import Engine
from tuneworks.factory.errors import EngineError, RecipeError
from tuneworks.factory.plugin import File
from tuneworks.factory.record import Answer, Record, fingerprint
from tuneworks.factory.reward import Reward, Scores, whole_prompt
from tuneworks.factory.rewards.scoring import alone, first_line, score_each

Compute = Callable[[Record, Answer], object]


class Function(Reward):
    """A Python function from a file scores each answer."""

    kind: ClassVar[str] = "function"

    file: File
    """The Python file; it is run, so name only one you trust."""
    name: str = "score"
    """The function: score(prompt, answer) -> float with texts, or score(record, answer) -> float."""

    def check(self) -> None:
        compute_of(self.file, self.name)

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return await alone(self, record, answer, engine)

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        return await score_each(self._who, self._score_now, record, answers)

    @property
    def _who(self) -> str:
        return f"{self.name} in {self.file}"

    def _score_now(self, record: Record, answer: Answer) -> float:
        value = compute_of(self.file, self.name)(record, answer)
        if not isinstance(value, Real):
            raise EngineError(f"{self._who} returned {type(value).__name__} and no number; let it return a float")
        return float(value)


def compute_of(file: str, name: str) -> Compute:
    """The function, ready to be called with a record and an answer; raises RecipeError that says what is wrong."""
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise RecipeError(f"there is no file {file}; correct the path of the reward function")
    return _computes(path, path.stat().st_mtime_ns, file, name)


@cache
def _computes(path: Path, changed: int, file: str, name: str) -> Compute:
    """Runs the file once; `changed` is when it last was, so that an edited one is run anew."""
    module = ModuleType(f"tuneworks_reward_{fingerprint(str(path))}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up there
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise RecipeError(
            f"the reward function's file {file} fails when it is run ({first_line(error)}); correct it"
        ) from error
    function = getattr(module, name, None)
    if not inspect.isroutine(function):
        own = [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
        raise RecipeError(f"the file {file} has no function {name!r}; it has: {', '.join(own) or 'none'}")
    return _adapted(function, f"{name} in {file}")


def _adapted(function: Callable[..., object], who: str) -> Compute:
    if inspect.iscoroutinefunction(function):
        raise RecipeError(f"{who} is async; write it with a plain def, for it is called in a thread of its own")
    try:
        signature = inspect.signature(function)
        signature.bind("prompt", "answer")
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"{who} cannot be called with two arguments ({error}); write def score(prompt, answer)"
        ) from error
    takes_record = next(iter(signature.parameters), "") == "record"
    if takes_record:
        return lambda record, answer: function(record, answer)
    return lambda record, answer: function(whole_prompt(record), answer.text)
