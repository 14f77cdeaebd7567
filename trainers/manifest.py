"""What a trained folder says of itself: manifest.json (what it was made from), metrics.json (how it went)."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tuneworks import __version__
from tuneworks.factory.record import fingerprint
from tuneworks.trainers import peers
from tuneworks.trainers.bits import whole
from tuneworks.trainers.job import Job
from tuneworks.trainers.masks import MaskReport
from tuneworks.trainers.plan import Split
from tuneworks.trainers.tuning import options_of

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets")


def manifest(job: Job, masks: MaskReport | None, dtype: str) -> dict[str, Any]:
    """`dtype` is the weights'; the arithmetic's is among the arguments (bf16, fp16)."""
    plan = job.plan
    packages = (*PACKAGES, *(["bitsandbytes"] if job.trainer.bits else []))
    return {
        "kind": plan.kind,
        "plan": plan.key,
        "model": job.trainer.model,
        "tuning": job.trainer.tuning,
        "bits": job.trainer.bits,
        "peft": options_of(job.trainer.tuning, job.trainer.peft_options()),
        "args": {name: value for name, value in job.arguments.items() if name != "output_dir"},
        "model_init_kwargs": whole(job.init),
        "chat_template": fingerprint(job.tokenizer.chat_template),
        "seed": plan.seed,
        "data": {
            split: {"rows": found.rows, "sha256": found.sha256}
            for split, found in (("train", plan.train), ("test", plan.test), ("pretraining", plan.texts))
            if isinstance(found, Split)
        },
        **(_learned(masks) if masks is not None else {}),
        "device": job.device,
        "processes": peers.count(),
        "dtype": dtype,
        "versions": {"tuneworks": __version__} | {package: version(package) for package in packages},
    }


def _learned(masks: MaskReport) -> dict[str, Any]:
    parts = {"tokens_in_loss_by_part": dict(masks.parts)} if masks.parts else {}
    return {
        "rows": masks.rows,
        "rows_truncated": masks.cut,
        "rows_dropped": masks.dropped,
        "tokens": masks.tokens,
        "tokens_in_loss": masks.in_loss,
        **parts,
    }


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
