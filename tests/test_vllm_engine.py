"""The engine vllm on this processor: one real start that answers everything, one that cannot start, and one killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from asked import asked

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.transformers import Transformers
from tuneworks.factory.engines.vllm import Vllm
from tuneworks.factory.engines.vllm_worker import MODULE
from tuneworks.factory.errors import EngineError, EngineUnavailable, RecipeError
from tuneworks.factory.record import Message

FISH = (Message("system", "Be brief."), Message("user", "Name a fish that lives in ponds."))
GIVEN = "A carp lives in ponds and slow rivers, where it looks for food in the mud."
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"fish": {"type": "string", "maxLength": 12}},
        "required": ["fish"],
        "additionalProperties": False,
    }
)
REQUESTS = {
    "greedy": Request(FISH, max_tokens=12, temperature=0.0),
    "opened": Request(FISH, opening="The fish is a", max_tokens=8, temperature=0.0),
    "stopped": Request((Message("user", "Count from 1 to 9."),), stop=("4",), max_tokens=40, temperature=0.0),
    "schema": Request(FISH, schema=SCHEMA, max_tokens=60),
    "marks": Request(FISH, opening="Of 1 to 5 I give a ", candidates=("1", "2", "3", "4", "5")),
    "given": Request(FISH, given=GIVEN),
    "alone": Request((), given=GIVEN),
    "odd": Request((Message("user", "Half an emoji: \ud83d, and ☃"),), max_tokens=4),
    "long": Request((Message("user", "word " * 3000),), max_tokens=4),
    "long given": Request(FISH, given="word " * 3000),
}


def processes() -> set[int]:
    """Of vLLM, that some engine started."""
    return {int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if MODULE in _command(path)}


def _command(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.2)
    return holds()


@pytest.mark.real
@pytest.mark.timeout(600)
def test_one_start_answers_all_that_can_be_asked() -> None:
    before = processes()
    many = [Request(FISH, max_tokens=16, seed=seed) for seed in range(60)]
    options = Vllm(args={"max_model_len": 1024, "max_num_seqs": 16})
    options.check()
    found = asked(options, [*REQUESTS.values(), *many])
    assert processes() <= before
    replies = dict(zip(REQUESTS, found, strict=False))
    for name in ("long", "long given"):
        error = replies.pop(name)
        assert isinstance(error, EngineError) and not isinstance(error, EngineUnavailable)
        assert "tokens and vLLM reads at most 1,023; shorten it" in str(error)
    said = {name: one for name, one in replies.items() if isinstance(one, Completion)}
    assert set(said) == set(replies), replies
    assert len({one.text for one in found[len(REQUESTS) :] if isinstance(one, Completion)}) > 10
    assert said["greedy"].finish in ("stop", "length") and said["greedy"].usage.prompt_tokens > 20
    assert said["stopped"].finish == "stop" and "4" not in said["stopped"].text
    assert list(json.loads(said["schema"].text)) == ["fish"]
    names = ("greedy", "opened", "marks", "given", "alone")
    ours = asked(Transformers(), [REQUESTS[name] for name in names])
    for name, own in zip(names, ours, strict=True):
        assert isinstance(own, Completion)
        assert said[name].usage.prompt_tokens == own.usage.prompt_tokens or name in ("given", "alone")
        if own.loss is not None:
            loss = said[name].loss
            assert loss is not None and loss.tokens == own.loss.tokens
            assert loss.nats == pytest.approx(own.loss.nats, rel=0.03)
        for mark, value in own.log_probs.items():
            assert said[name].log_probs[mark] == pytest.approx(value, abs=0.25)
    assert set(said["marks"].log_probs) == {"1", "2", "3", "4", "5"}


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_start_that_cannot_be_is_one_sentence_with_the_cause() -> None:
    (error,) = asked(Vllm(args={"max_model_len": 10**7}), [REQUESTS["greedy"]])
    assert isinstance(error, EngineUnavailable)
    said = str(error)
    assert said.startswith("vLLM cannot start with the model smollm2 (") and "max_model_len" in said
    assert "\n" not in said and "correct the args of vllm, or read " in said
    Path(said.rpartition("read ")[2]).unlink()


@pytest.mark.real
@pytest.mark.timeout(120)
def test_it_ends_when_the_build_is_killed() -> None:
    before = processes()
    ask = "asyncio.run(Vllm().open().complete(Request((), max_tokens=1)))"
    imports = (
        "import asyncio; from tuneworks.factory.engine import Request; from tuneworks.factory.engines.vllm import Vllm"
    )
    parent = subprocess.Popen([sys.executable, "-c", f"{imports}; {ask}"])
    assert within(60, lambda: bool(processes() - before))
    time.sleep(2)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert within(30, lambda: not processes() - before)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"tensor_paralel_size": 2}, "no engine argument 'tensor_paralel_size'; did you mean 'tensor_parallel_size'"),
        ({"model": "other"}, "write the model of vllm as its option model, not among its args"),
    ],
)
@pytest.mark.real
def test_a_misspelt_argument_is_named_before_anything_starts(args: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Vllm(args=args).check()
