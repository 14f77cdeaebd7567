"""Tiny models with a classification head: a Llama that reads conversations, and a BERT that reads pairs of texts."""

from pathlib import Path
from typing import Any

from tiny_model import CHATML, SPECIAL, save_tokenizer

VOCABULARY = 256 + len(SPECIAL)
LONGEST = 128


def build_llama(folder: Path, labels: tuple[str, ...] = ("good",), seed: int = 0) -> str:
    """Tokens are bytes; its pad is no token of a text."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=LONGEST, pad_token_id=0, **sizes, **_named(labels)
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForSequenceClassification(config)
        torch.nn.init.normal_(model.score.weight)
    model.save_pretrained(folder)
    save_tokenizer(folder, CHATML)
    return str(folder)


def build_bert(folder: Path, labels: tuple[str, ...] = ("good",), seed: int = 0) -> str:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = BertConfig(
        vocab_size=VOCABULARY, max_position_embeddings=LONGEST, pad_token_id=0, **sizes, **_named(labels)
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForSequenceClassification(config)
        torch.nn.init.normal_(model.classifier.weight)
    model.save_pretrained(folder)
    save_tokenizer(folder, None)
    return str(folder)


def _named(labels: tuple[str, ...]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {name: at for at, name in enumerate(labels)}}
