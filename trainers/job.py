"""Job: one training under way, and what it needs before TRL takes over."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, load_dataset
from transformers import PreTrainedTokenizerBase

from tuneworks.factory.engines.decoding import device_and_dtype
from tuneworks.factory.weights import Say, prepare
from tuneworks.trainers import peers
from tuneworks.trainers.arguments import known_names
from tuneworks.trainers.bits import trained_over
from tuneworks.trainers.checkpoints import KEPT
from tuneworks.trainers.loading import is_adapter, load_model, load_tokenizer
from tuneworks.trainers.log_probabilities import let_token_heads_be_fused
from tuneworks.trainers.merged import merged_folder
from tuneworks.trainers.plan import Plan, held_out_ids
from tuneworks.trainers.planned import GPU_BATCH, planned_steps
from tuneworks.trainers.quantized import quantization
from tuneworks.trainers.trackers import names
from tuneworks.trainers.trl_trainer import TrlTrainer
from tuneworks.trainers.tuning import learning_rate, tuning_config

PROMPTS = 4
"""Prompts on which an adapter's merging is measured."""

LOG_EACH_STEP = 100
"""Trainings of up to so many steps log the loss of every one, longer ones that of every tenth."""


@dataclass(frozen=True, slots=True)
class Job:
    trainer: TrlTrainer
    plan: Plan
    into: Path
    say: Say
    place: str
    """What from_pretrained takes for the model."""
    init: Mapping[str, Any]
    """What else from_pretrained takes: the user's model_init_kwargs, and how the weights are quantized."""
    arguments: Mapping[str, Any]
    """TRL's configuration: ours, and over them the user's."""
    train: Dataset
    test: Dataset | None
    tokenizer: PreTrainedTokenizerBase
    device: str

    def model(self) -> Any:
        """A fresh copy of the model to train; an adapter's folder gives the adapter, trainable."""
        if self.trainer.tuning == "full":
            return load_model(self.place, self.init, merged=True)
        return load_model(self.place, self.init, trainable=True)

    def peft_config(self, rows: int | None = None) -> Any:
        """The new adapter's configuration; None where all weights are trained or an adapter is there. `rows` are
        counted where they are others than the plan's."""
        if self.trainer.tuning == "full" or is_adapter(self.place):
            return None
        steps = planned_steps(self.arguments, rows or self.plan.train.rows, peers.count())
        options = self.trainer.peft_options()
        if options.get("prompt_tuning_init") == "TEXT":
            options = {"tokenizer_name_or_path": self.place, **options}
        return tuning_config(self.trainer.tuning, options, steps)


def open_job(trainer: TrlTrainer, plan: Plan, into: Path, say: Say) -> Job:
    place = prepare(trainer.model, say)
    train, test = load_rows(plan, into / "cache")
    device, dtype = device_and_dtype()
    arguments = defaults(trainer, plan, device, dtype) | names(into) | trainer.arguments() | {"output_dir": str(into)}
    device = "cpu" if arguments["use_cpu"] else device
    init = arguments.pop("model_init_kwargs", None) or {}
    if is_adapter(place) and begins_merged(trainer, place):
        place = merged_folder(place, init, say, list(train["prompt"][:PROMPTS]), bool(arguments["bf16"]))
    if trainer.bits is not None:
        init = {**init, **quantization(trainer.bits, device, bool(arguments["bf16"]))}
    let_token_heads_be_fused()
    tokenizer = load_tokenizer(place, trainer.model)
    return Job(trainer, plan, into, say, place, init, arguments, train, test, tokenizer, device)


def begins_merged(trainer: TrlTrainer, adapter: str) -> bool:
    """Whether what is trained stands on a folder that the adapter is merged into first: not where it is trained
    further, nor where it merges exactly as the model is loaded."""
    if trainer.tuning != "full" and trainer.continues:
        return trainer.follows is not None
    exact = trainer.bits is None and trained_over(adapter) is None
    return not exact or (trainer.follows is not None and trainer.tuning != "full")


def load_rows(plan: Plan, cache: Path) -> tuple[Dataset, Dataset | None]:
    files = {"train": plan.train.file} | ({"test": plan.test.file} if plan.test else {})
    # A cache of its own: the shared one would keep rows of a dataset that was made again under the same name.
    loaded = load_dataset("parquet", data_files=files, cache_dir=str(cache))
    ids = held_out_ids(plan.test.file, plan.options["split"]) if plan.test else None
    if ids is not None:
        loaded["test"] = loaded["test"].select([at for at, id in enumerate(loaded["test"]["id"]) if id in ids])
    return loaded["train"], loaded.get("test")


def defaults(trainer: TrlTrainer, plan: Plan, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Where ours differ from TRL's: small batches, nothing reported on the way, float32 weights."""
    written = trainer.arguments()
    bf16 = dtype == torch.bfloat16 and not written.get("fp16", False)
    ours: dict[str, Any] = {
        "learning_rate": learning_rate(trainer.tuning, trainer.learning_rate),
        "per_device_train_batch_size": trainer.cpu_batch if device == "cpu" else GPU_BATCH,
        "per_device_eval_batch_size": 2 if device == "cpu" else 8,
        **({"max_length": 1024} if "max_length" in known_names(trainer.config) else {}),
        "bf16": bf16,
        "use_cpu": device == "cpu",
        "gradient_checkpointing": device != "cpu" and trainer.tuning != "prefix",
        "dataloader_pin_memory": device == "cuda",
        "save_strategy": "no",  # checkpoints are written by the time that has passed
        "save_total_limit": KEPT,
        "report_to": "none",
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,  # it would show a broken loss as the last good one
        "seed": plan.seed,
        **trainer.own_arguments(),
    }
    steps = planned_steps(ours | written, plan.train.rows, peers.count())
    return ours | {"logging_steps": 1 if steps <= LOG_EACH_STEP else 10}


def evaluate(trl: Any, rows: Dataset | None = None, prefix: str = "eval") -> dict[str, float]:
    """TRL's evaluation, of the held-out rows unless others are given, in the arithmetic of the training.

    Left to itself Trainer evaluates an untrained model in float32 when a reference model stands beside it
    in bfloat16.
    """
    with trl.accelerator.autocast():
        found: dict[str, float] = trl.evaluate(rows, metric_key_prefix=prefix)
    return found
