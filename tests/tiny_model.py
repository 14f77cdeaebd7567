"""A toy model that trains in seconds: byte-level tokenizer, ChatML template, a Llama of 110,000 weights."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tuneworks.factory.record import Answer, Record
from tuneworks.trainers.plan import Plan
from tuneworks.trainers.rows import VIEWS
from tuneworks.trainers.trl_trainer import TrlTrainer

CHATML = (
    "{%- for turn in messages -%}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)

SPECIAL = ("<|pad|>", "<|im_start|>", "<|im_end|>")

SEEDS = Path(__file__).parent.parent / "factory/seeds/en.jsonl"

WORDS = ("red", "blue", "green", "round", "square", "large", "small", "warm", "cold", "quiet")


def build_tiny_model(folder: Path, template: str | None = CHATML, seed: int = 0, tied: bool = True) -> str:
    """Save model and tokenizer into `folder` and return its path; the weights depend on `seed` alone."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=256 + len(SPECIAL),
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder, template)
    return str(folder)


def build_gpt_oss(folder: Path, **config: int) -> str:
    """A tiny gpt-oss: its attention has sinks, learned logits that take part in every softmax."""
    import torch
    from transformers import GptOssConfig, GptOssForCausalLM

    torch.manual_seed(0)
    shape = GptOssConfig(
        vocab_size=256 + len(SPECIAL), hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, num_local_experts=2, num_experts_per_tok=1, **config,
    )  # fmt: skip
    model = GptOssForCausalLM(shape)
    for layer in model.model.layers:
        torch.nn.init.constant_(layer.self_attn.sinks, 3.0)
    model.save_pretrained(folder)
    save_tokenizer(folder, CHATML)
    return str(folder)


def save_tokenizer(folder: Path, template: str | None) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    bytes_only = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_only.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_only, pad_token=SPECIAL[0], bos_token=SPECIAL[1], eos_token=SPECIAL[2]
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)


def toy_records(count: int, start: int = 0) -> list[Record]:
    """Records whose good answer repeats the word asked for and whose bad answer gives digits."""
    records = []
    for number in range(start, start + count):
        word = WORDS[number % len(WORDS)]
        good = Answer(f"{word} {word}", "toy", {"reward": 1.0})
        bad = Answer("7 3 9", "toy", {"reward": -0.5})
        records.append(Record.born(f"Say {word} twice, number {number}.", answers=[good, bad]))
    return records


def ranked_records(count: int, start: int = 0) -> list[Record]:
    """Records with four answers of the same length: the more often the word asked for stands in one, the better."""
    records = []
    for number in range(start, start + count):
        word = WORDS[number % len(WORDS)]
        noise = "7" * len(word)
        texts = [" ".join([word] * (3 - worse) + [noise] * worse) for worse in range(4)]
        answers = [Answer(text, "toy", {"reward": 10.0 - 2 * worse}) for worse, text in enumerate(texts)]
        records.append(Record.born(f"Say {word} thrice, number {number}.", answers=answers))
    return records


def write_dataset(folder: Path, train: Sequence[Record], test: Sequence[Record] = ()) -> Path:
    """Every view of the records, laid out as trainers read them."""
    for name, view in VIEWS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, records in (("train", train), ("test", test)):
            if records:
                rows = pl.DataFrame(list(view.rows(records)), schema=view.schema)
                rows.write_parquet(folder / name / f"{split}.parquet")
    return folder


def train_here(trainer: TrlTrainer, dataset: Path, into: Path, seed: int = 0) -> list[str]:
    """What the worker does, in this process; returns what was said."""
    from tuneworks.trainers.session import train

    plan: Plan = trainer.plan(dataset, seed)
    into.mkdir(parents=True)
    plan.write(into)
    said: list[str] = []
    train(trainer, plan, into, said.append)
    return said


def seed_records(count: int) -> list[Record]:
    """For short trainings of the real model: questions, their answers, and the answers with shuffled words."""
    rng = random.Random(0)
    records: list[Record] = []
    for line in SEEDS.read_text(encoding="utf-8").splitlines():
        seed = json.loads(line)
        words = seed["output"].split()
        if len(records) < count and 8 < len(words) < 30 and not seed["input"]:
            rng.shuffle(words)
            good = Answer(seed["output"], "seed", {"reward": 1.0})
            bad = Answer(" ".join(words), "shuffled", {"reward": 0.0})
            records.append(Record.born(seed["instruction"], answers=[good, bad]))
    return records
