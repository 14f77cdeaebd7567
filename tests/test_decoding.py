"""Batched decoding of a tiny model in float32, against transformers' own way one prompt at a time."""

import string
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import CHATML, build_gpt_oss, build_tiny_model, save_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuneworks.factory.engine import Completion, Request
from tuneworks.factory.engines import decoding
from tuneworks.factory.engines.decoding import SHARED_WORTH, Model, common_prefix, distinct
from tuneworks.factory.engines.sampling import SeededSampling
from tuneworks.factory.errors import EngineError, EngineUnavailable
from tuneworks.factory.record import Message

EXAMPLES = "Example: a carp is a fish. Example: a crow is a bird.\n" * 2
PROMPTS = (
    "Name a fish.",
    "Name a bird that can be seen in winter, please.",
    "Hi",
    f"{EXAMPLES}Task: a pike",
    f"{EXAMPLES}Task: a wren and a robin",
    "Name a fish.",
)


def ask(text: str, max_tokens: int = 12, seed: int = 0, temperature: float = 0.0) -> Request:
    return Request((Message("user", text),), max_tokens=max_tokens, temperature=temperature, seed=seed)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger weights than at birth, or it would be equally unsure of everything; and it says printable letters."""
    folder = tmp_path_factory.mktemp("tiny")
    model: Any = AutoModelForCausalLM.from_pretrained(build_tiny_model(folder))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    letters = set(tokenizer(string.ascii_letters, add_special_tokens=False)["input_ids"])
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() == 2:
                weights.mul_(6)
        said = model.get_input_embeddings().weight
        said *= 3
        said[[token for token in range(len(tokenizer)) if token not in letters]] *= 0.01
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tiny: Path) -> Iterator[Model]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "device_and_dtype", lambda: ("cpu", torch.float32))
        yield Model(str(tiny))


@pytest.fixture(scope="module")
def plain(tiny: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32, attn_implementation="sdpa").eval()


def answer(model: Model, requests: Sequence[Request], stop: threading.Event | None = None) -> list[Completion]:
    return model.answer(requests, [model.encode(r) for r in requests], stop or threading.Event())


def test_greedy_is_transformers_own(model: Model, plain: Any) -> None:
    requests = [ask(text, max_tokens=40) for text in PROMPTS]
    for request, reply in zip(requests, answer(model, requests), strict=True):
        tokens = torch.tensor([model.encode(request)])
        out = plain.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=40, do_sample=False)
        expected = out[0, tokens.shape[1] :].tolist()
        ended = bool(expected) and expected[-1] == model.tokenizer.eos_token_id
        assert reply.text == model.tokenizer.decode(expected, skip_special_tokens=True)
        assert reply.finish == ("stop" if ended else "length")
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (tokens.shape[1], len(expected))


@pytest.mark.parametrize(
    "prompts",
    [PROMPTS, PROMPTS[3:5], PROMPTS[:1], PROMPTS[:1] * 3, (PROMPTS[3],) * 2 + (PROMPTS[4],)],
    ids=["all", "shared", "one", "same", "same and shared"],
)
def test_scores_are_those_of_the_plain_path(model: Model, plain: Any, prompts: tuple[str, ...]) -> None:
    """Whatever is read once for all rows, and whatever padding stands in between."""
    letters = tuple("abcdefghij 12345")
    requests = [replace(ask(text), candidates=letters, opening="It is ") for text in prompts]
    for request, reply in zip(requests, answer(model, requests), strict=True):
        tokens = model.encode(request)
        with torch.inference_mode():
            expected = torch.log_softmax(plain(torch.tensor([tokens])).logits[0, -1], dim=-1)
        ids = [model.tokenizer(c, add_special_tokens=False)["input_ids"][0] for c in letters]
        assert list(reply.log_probs) == list(letters)
        torch.testing.assert_close(torch.tensor(list(reply.log_probs.values())), expected[ids], atol=1e-4, rtol=0)
        assert (reply.text, reply.usage.prompt_tokens, reply.usage.completion_tokens) == ("", len(tokens), 0)


def test_the_shared_beginning_is_worth_sharing() -> None:
    """The prompts above take both ways."""
    assert len(EXAMPLES) > SHARED_WORTH


def test_samples_repeat_by_their_seed_in_any_company(model: Model) -> None:
    warm = [ask(text, 20, seed, 0.9) for seed, text in enumerate(PROMPTS)]
    together = answer(model, warm)
    assert together == answer(model, warm)
    assert together == [answer(model, [request])[0] for request in warm]
    assert together == answer(model, warm[::-1])[::-1]
    other = answer(model, [replace(request, seed=request.seed + 100) for request in warm])
    assert [a.text for a in together] != [b.text for b in other]


def test_samples_of_one_prompt_differ(model: Model) -> None:
    replies = answer(model, [ask("Name a fish.", 20, seed, 1.0) for seed in range(8)])
    assert len({reply.text for reply in replies}) == 8


def test_every_row_has_its_own_length(model: Model) -> None:
    lengths = [1, 5, 17, 30]
    replies = answer(model, [ask("Name a fish.", length, 3, 0.5) for length in lengths])
    longest = replies[-1].text
    for reply, length in zip(replies, lengths, strict=True):
        assert reply.usage.completion_tokens == length
        assert reply.finish == "length"
        assert reply.text == longest[:length]


def test_a_stop_text_ends_a_row_and_is_no_part_of_it(model: Model) -> None:
    """The tokens that are counted do not hang on how long the neighbours go on."""
    free = answer(model, [ask("Name a fish.", 60, 5, 0.5)])[0].text
    mark = free[20:22]
    stopped = replace(ask("Name a fish.", 60, 5, 0.5), stop=("no such text", mark))
    alone = answer(model, [stopped])[0]
    beside = answer(model, [ask("Hi", 60, 1, 1.0), stopped, ask("Hi", 3, 2, 1.0)])[1]
    assert alone == beside
    assert (alone.text, alone.finish) == (free[: free.index(mark)], "stop")
    assert alone.usage.completion_tokens == free.index(mark) + 2


def test_the_end_token_ends_a_row(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    free = answer(model, [ask("Name a fish.", 30)])[0].text
    last = free[6]
    token = model.tokenizer(last, add_special_tokens=False)["input_ids"][0]
    monkeypatch.setattr(model.model.generation_config, "eos_token_id", [2, token])
    ended = answer(model, [ask("Name a fish.", 30), ask("Hi", 30, 1, 1.0)])[0]
    assert (ended.text, ended.finish) == (free[: free.index(last)], "stop")
    assert ended.usage.completion_tokens == free.index(last) + 1


def test_the_penalty_keeps_a_reply_from_repeating(model: Model) -> None:
    free = ask("Hi", 30)
    penalised, unchanged = answer(model, [replace(free, presence_penalty=1e4), free])
    assert len(set(penalised.text)) == len(penalised.text) > 20
    assert len(set(unchanged.text)) < len(unchanged.text)
    assert [unchanged] == answer(model, [free])


def test_a_long_reply_can_be_broken_off(model: Model) -> None:
    stop = threading.Event()
    stop.set()
    (reply,) = answer(model, [ask("Hi", 400, 1, 1.0)], stop)
    assert reply.usage.completion_tokens <= 1


def test_the_prompt_is_the_template_with_the_opening_behind_it(model: Model) -> None:
    request = Request((Message("system", "Be short."), Message("user", "A fish?")), opening="A c")
    expected = (
        "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nA fish?<|im_end|>\n<|im_start|>assistant\nA c"
    )
    assert model.tokenizer.decode(model.encode(request)) == expected


def test_rows_that_end_are_dropped_and_the_others_go_on(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    inner = SeededSampling.__call__

    def watched(self: SeededSampling, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        sizes.append(len(input_ids))
        return inner(self, input_ids, scores)

    monkeypatch.setattr(SeededSampling, "__call__", watched)
    lengths = [3, 3, 9, 40, 15, 15, 28, 33, 6, 6]
    rows = [
        replace(ask(PROMPTS[n % 6], length, n, 0.9), presence_penalty=0.3 * (n % 2)) for n, length in enumerate(lengths)
    ]
    together = answer(model, rows)
    assert sizes == sorted(sizes, reverse=True) and (sizes[0], sizes[-1]) == (10, 1)
    assert len(sizes) == max(lengths)
    assert sum(sizes) < 1.2 * sum(lengths)
    assert together == [answer(model, [row])[0] for row in rows]


def test_a_prompt_longer_than_the_model_reads(model: Model) -> None:
    with pytest.raises(EngineError, match=r"the prompt has 10\d\d tokens, and the model reads 1024 with the reply"):
        model.encode(ask("x" * 1010))


def test_a_reply_ends_where_the_model_reads_no_further(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.model.generation_config, "eos_token_id", None)
    long, short = ask("x" * 960, 500, 1, 1.0), ask("Hi", 500, 2, 1.0)
    prompt = len(model.encode(long))
    cut, whole = answer(model, [long, short])
    assert (cut.finish, prompt + cut.usage.completion_tokens) == ("length", 1024)
    assert (whole.finish, whole.usage.completion_tokens) == ("length", 500)


def test_candidates_must_differ_in_their_first_token(model: Model) -> None:
    with pytest.raises(EngineError, match=r"\['1', '10'\] begin with the same token"):
        model.encode(replace(ask("Hi"), candidates=("1", "10")))


def test_a_model_without_chat_template(tmp_path: Path) -> None:
    build_tiny_model(tmp_path, template=None)
    with pytest.raises(EngineUnavailable, match="has no chat template; name an instruct or chat model"):
        Model(str(tmp_path))


def test_messages_that_the_template_refuses(tiny: Path, tmp_path: Path, model: Model) -> None:
    refusing = "{%- if messages[0].role == 'system' -%}{{ raise_exception('no system here') }}{%- endif -%}" + CHATML
    save_tokenizer(tmp_path, refusing)
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes())
    strict = Model(str(tmp_path))
    assert strict.encode(ask("Hi")) == model.encode(ask("Hi"))
    with pytest.raises(EngineError, match=r"template refuses these messages .*no system here"):
        strict.encode(Request((Message("system", "Be short."), Message("user", "Hi"))))


rows = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=6)


@given(rows)
def test_distinct_rows_and_their_places(tokens: list[list[int]]) -> None:
    different, places = distinct(tokens)
    assert [different[place] for place in places] == tokens
    assert len({tuple(row) for row in different}) == len(different)
    first_seen = [row for n, row in enumerate(tokens) if row not in tokens[:n]]
    assert different == first_seen


@given(rows)
def test_the_common_prefix_is_the_longest_that_leaves_each_row_a_token(tokens: list[list[int]]) -> None:
    length = common_prefix(tokens)
    assert 0 <= length < min(map(len, tokens))
    assert len({tuple(row[:length]) for row in tokens}) == 1
    longer = {tuple(row[: length + 1]) for row in tokens}
    assert len(longer) > 1 or length + 1 == min(map(len, tokens))


def test_a_model_whose_attention_is_its_own_keeps_it(tmp_path: Path) -> None:
    """gpt-oss has attention sinks, learned logits that take part in every softmax."""
    from transformers import GptOssForCausalLM

    ours = Model(build_gpt_oss(tmp_path, sliding_window=16, max_position_embeddings=64)).model
    plain = GptOssForCausalLM.from_pretrained(tmp_path, dtype=ours.dtype, attn_implementation="eager").eval()
    ids = torch.arange(5, 17)[None]
    with torch.inference_mode():
        assert torch.equal(ours(ids).logits, plain(ids).logits)
