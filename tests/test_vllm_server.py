"""The same recipe, unchanged but for its engine, against a real OpenAI-compatible server: vLLM on this processor."""

import math
from collections.abc import Iterator
from pathlib import Path

import method_lines
import polars as pl
import pytest
import small_line
from asked import asked
from vllm_server import vllm_server

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines.openai import OpenAI
from tuneworks.factory.errors import EngineError
from tuneworks.factory.record import Message


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with vllm_server(tmp_path_factory.mktemp("vllm") / "log.txt") as url:
        yield url


@pytest.mark.real
@pytest.mark.timeout(1500)
def test_the_recipe_runs_unchanged_against_vllm(server: str, tmp_path: Path) -> None:
    engine = f'engine: {{openai: {{model: smollm2, base_url: "{server}"}}}}\n'
    small_line.write_recipe(tmp_path, engine)
    small_line.build(tmp_path)
    rows = pl.read_parquet(tmp_path / "runs/small/dataset/sft/train.parquet")
    assert rows.height >= 3
    pairs = pl.read_parquet(tmp_path / "runs/small/dataset/preference/train.parquet")
    assert (pairs["margin"] > 0).all()
    before = small_line.calls(tmp_path)
    small_line.build(tmp_path)
    assert small_line.calls(tmp_path) == before and before[1] == 0


@pytest.mark.real
@pytest.mark.timeout(600)
def test_a_wrong_model_is_named_with_those_served(server: str, tmp_path: Path) -> None:
    small_line.write_recipe(tmp_path, f'engine: {{openai: {{model: smolm2, base_url: "{server}"}}}}\n')
    assert small_line.start(tmp_path).wait() == 2
    assert "has no model 'smolm2'; it serves smollm2" in (tmp_path / "log.txt").read_text()


@pytest.mark.real
@pytest.mark.timeout(900)
def test_every_method_works_with_replies_held_to_a_schema(server: str, tmp_path: Path) -> None:
    made = method_lines.build(tmp_path, f'engine: {{openai: {{model: smollm2, base_url: "{server}"}}}}\n')
    assert [step.title.rpartition(".")[2] for step in made] == method_lines.METHODS
    assert sum(step.counts.kept > 0 for step in made) >= 7
    assert method_lines.schemas(tmp_path) >= 10


def answered(server: str, *requests: Request) -> list[Completion]:
    options = OpenAI(model="smollm2", base_url=server)
    assert options.open().scores
    replies = []
    for reply in asked(options, requests):
        if isinstance(reply, BaseException):
            raise reply
        replies.append(reply)
    return replies


FISH = (Message("system", "Be brief."), Message("user", "Name a fish that lives in ponds."))
GIVEN = (
    Request(FISH, given="A carp lives in ponds and slow rivers, where it looks for food in the mud."),
    Request(FISH, given="Qzx vroom 17 \u2603 nevertheless."),
    Request((), given="A carp lives in ponds and slow rivers, where it looks for food in the mud."),
    Request((*FISH, Message("assistant", "Carp."), Message("user", "One of the sea?")), given=" The cod,\n\nmaybe."),
)


@pytest.mark.real
@pytest.mark.timeout(600)
def test_a_given_reply_is_as_likely_as_this_process_finds_it(server: str) -> None:
    from tuneworks.factory.engines.likelihood import likelihood

    scorer = likelihood("smollm2")
    rows = [row for request in GIVEN if (row := scorer.answer(request.messages, request.given)) is not None]
    expected, found = scorer.losses(rows), [reply.loss for reply in answered(server, *GIVEN)]
    for ours, theirs in zip(expected, found, strict=True):
        assert theirs is not None and theirs.tokens == ours.tokens
        assert theirs.nats == pytest.approx(ours.nats, abs=0.05 * ours.tokens)
    with pytest.raises(EngineError, match="could not answer"):
        answered(server, Request(FISH, given="word " * 3000))


@pytest.mark.real
@pytest.mark.timeout(600)
def test_candidates_that_no_list_of_likely_tokens_names_are_asked_exactly(server: str) -> None:
    unlikely = Request(FISH, opening="A fish is the ", candidates=("carp", "zebra", "1", "\u2603"))
    (reply,) = answered(server, unlikely)
    assert set(reply.log_probs) == set(unlikely.candidates)
    assert all(value < 0 for value in reply.log_probs.values())
    assert sum(map(math.exp, reply.log_probs.values())) < 1
    assert reply.log_probs["zebra"] < reply.log_probs["carp"]
