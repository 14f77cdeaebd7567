"""What a trained model leaves on disk: an adapter or a whole model, and its tokenizer."""

from typing import Any

import torch
from transformers import PreTrainedModel

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers import peers
from tuneworks.trainers.job import Job
from tuneworks.trainers.merged import tell_loss
from tuneworks.trainers.quantized import apart


def save(model: Any, job: Job, probe: torch.Tensor, trl: Any) -> tuple[torch.Tensor, dict[str, Any]]:
    """Returns the logits that what is saved must give, and what was lost where that is not the model as it was trained,
    but merged into weights that are not quantized."""
    logits, lost = logits_of(model, probe), dict[str, Any]()
    saved = job.trainer.to_save(model, job)
    if job.trainer.bits is not None and saved is not model:
        trained, logits = logits, logits_of(saved, probe)
        lost = {"bits": job.trainer.bits, **apart(logits, trained)}
        job.say(tell_loss(lost))
    if sharded(trl):
        gathered(trl, saved is model, job)
    elif peers.is_first():
        write(saved, job)
    return logits, {"lost_by_merging": lost} if lost else {}


def sharded(trl: Any) -> bool:
    """Whether each process holds a part of the model."""
    return bool(trl.is_fsdp_enabled or trl.is_deepspeed_enabled)


def gathered(trl: Any, as_trained: bool, job: Job) -> None:
    """Save a model of which each process holds a part: all take part."""
    if not as_trained:
        raise TuneworksError(
            f"{job.trainer.kind} with tuning {job.trainer.tuning} saves a merged model, which cannot be made of parts; "
            "train with a file of accelerate's that does not shard the model"
        )
    trl.save_model(str(job.into))
    if peers.is_first():
        job.tokenizer.save_pretrained(job.into)
        (job.into / "README.md").unlink(missing_ok=True)


def write(model: Any, job: Job) -> None:
    if isinstance(model, PreTrainedModel):
        model.save_pretrained(job.into)
    else:
        model.save_pretrained(job.into, selected_adapters=["default"])
    job.tokenizer.save_pretrained(job.into)
    (job.into / "README.md").unlink(missing_ok=True)  # PEFT leaves an empty form there


@torch.inference_mode()
def logits_of(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=tokens).logits
    return logits.float().cpu()
