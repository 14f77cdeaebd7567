"""A function of the user's own is the reward; what is wrong with it is said in one sentence."""

import asyncio
import threading
from pathlib import Path

import pytest

from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.errors import EngineError, RecipeError
from tuneworks.factory.record import REWARD, Answer, Message, Record
from tuneworks.factory.reward import Scores
from tuneworks.factory.rewards.function import Function

FISH = Record.born([Message("system", "Be brief."), Message("user", "Name a fish.")], meta={"level": 2})


def written(folder: Path, code: str) -> str:
    file = folder / "rewards.py"
    file.write_text(code)
    return str(file)


def scores(reward: Function, *texts: str) -> list[Scores]:
    return asyncio.run(reward.scores(FISH, [Answer(t) for t in texts], Scripted(lambda _: "")))


def test_it_is_called_with_two_texts(tmp_path: Path) -> None:
    code = "def score(prompt, answer):\n    assert prompt == 'Be brief.\\n\\nName a fish.'\n    return len(answer)\n"
    reward = Function(file=written(tmp_path, code))
    reward.check()
    assert scores(reward, "eel", "trout") == [{REWARD: 3.0}, {REWARD: 5.0}]
    assert asyncio.run(reward.score(FISH, Answer("eel"), Scripted(lambda _: ""))) == 3.0


def test_it_is_called_with_the_record_where_it_asks_for_it(tmp_path: Path) -> None:
    code = "def by_level(record, answer):\n    return record.meta['level'] * len(answer.text)\n"
    assert scores(Function(file=written(tmp_path, code), name="by_level"), "eel") == [{REWARD: 6.0}]


def test_a_file_may_hold_what_python_files_hold(tmp_path: Path) -> None:
    code = """
from __future__ import annotations
from dataclasses import dataclass
from functools import lru_cache

@dataclass
class Counted:
    letters: int

@lru_cache
def score(prompt: str, answer: str) -> bool:
    return Counted(len(answer)).letters > 3
"""
    assert scores(Function(file=written(tmp_path, code)), "eel", "trout") == [{REWARD: 0.0}, {REWARD: 1.0}]


def test_one_bad_answer_is_set_aside_with_the_message(tmp_path: Path) -> None:
    code = """
def score(prompt, answer):
    if answer == "stone":
        raise ValueError("a stone is no fish\\nat all")
    return {"text": "high", "none": None, "nan": float("nan"), "far": 1e400}.get(answer, 1)
"""
    file = written(tmp_path, code)
    stone, text, none, nan, far, good = scores(Function(file=file), "stone", "text", "none", "nan", "far", "eel")
    assert str(stone) == f"score in {file} failed on this answer: ValueError: a stone is no fish"
    assert str(text) == f"score in {file} returned str and no number; let it return a float"
    assert "returned NoneType and no number" in str(none)
    assert "gave nan, which is no score" in str(nan)
    assert "gave inf" in str(far)
    assert all(isinstance(s, EngineError) for s in (stone, text, none, nan, far))
    assert good == {REWARD: 1.0}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def scores(prompt, answer): return 1\nimport json", r"has no function 'score'; it has: scores"),
        ("score = 3", "has no function 'score'; it has: none"),
        ("def score(answer): return 1", r"cannot be called with two arguments .*; write def score\(prompt, answer\)"),
        ("def score(prompt, answer, third): return 1", "cannot be called with two arguments"),
        ("async def score(prompt, answer): return 1", "is async; write it with a plain def"),
        ("def score(prompt, answer:\n", "fails when it is run .SyntaxError: .*; correct it"),
        ("import nothing_of_that_name", "fails when it is run .ModuleNotFoundError: .*nothing_of_that_name"),
        ("raise SystemExit(3)", "fails when it is run .SystemExit: 3"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_at_once(tmp_path: Path, code: str, words: str) -> None:
    reward = Function(file=written(tmp_path, code))
    with pytest.raises(RecipeError, match=words):
        reward.check()
    with pytest.raises(RecipeError, match=words):
        scores(reward, "eel")


def test_a_missing_file() -> None:
    with pytest.raises(RecipeError, match=r"there is no file nowhere\.py; correct the path"):
        Function(file="nowhere.py").check()


def test_an_edited_file_is_run_anew_and_decides_the_step(tmp_path: Path) -> None:
    reward = Function(file=written(tmp_path, "def score(prompt, answer): return 1"))
    assert reward.reads() == (reward.file,)
    assert scores(reward, "eel") == [{REWARD: 1.0}]
    written(tmp_path, "def score(prompt, answer): return 2.5")
    assert scores(reward, "eel") == [{REWARD: 2.5}]


def test_calls_come_one_at_a_time_and_not_in_the_main_thread(tmp_path: Path) -> None:
    code = """
import threading, time
busy = 0
def score(prompt, answer):
    global busy
    busy += 1
    assert busy == 1
    time.sleep(0.002)
    busy -= 1
    return threading.get_ident()
"""
    reward = Function(file=written(tmp_path, code))

    async def both() -> list[list[Scores]]:
        records = [Record.born(f"Name fish {n}.") for n in range(6)]
        return await asyncio.gather(*(reward.scores(r, [Answer("eel")], Scripted(lambda _: "")) for r in records))

    threads = {scores[REWARD] for (scores,) in asyncio.run(both()) if not isinstance(scores, EngineError)}
    assert len(threads) == 1
    assert threads != {float(threading.get_ident())}
