"""One training from its plan to a whole folder: prepare, show the masks, train, measure, save, load again."""

import gc
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PrinterCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from tuneworks.factory.errors import TuneworksError
from tuneworks.factory.weights import Say
from tuneworks.trainers import peers
from tuneworks.trainers.checkpoints import last_whole, remove_all
from tuneworks.trainers.forgetting import earlier_losses, forgotten, text_forgotten, text_loss
from tuneworks.trainers.job import Job, evaluate, open_job
from tuneworks.trainers.manifest import manifest, write_json
from tuneworks.trainers.masks import MaskReport, report
from tuneworks.trainers.merged import lost_by_merging
from tuneworks.trainers.model_folder import logits_of, save, sharded
from tuneworks.trainers.plan import Plan, mark_done
from tuneworks.trainers.progress import Progress
from tuneworks.trainers.quantized import frozen_bytes, in_float32
from tuneworks.trainers.ranks import Ranks
from tuneworks.trainers.saving import Saving
from tuneworks.trainers.stopping import Stopping
from tuneworks.trainers.trl_trainer import TrlTrainer
from tuneworks.trainers.tuning import NOT_RESUMED

SAME = 1e-3
"""Largest difference between logits of the trained model and of the saved one, loaded again."""

PROBED = 256
"""Tokens of the row whose logits are compared."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What is left when the trained model is dropped; logits have the shape (1, time, vocabulary), a reward (1, 1)."""

    job: Job
    masks: MaskReport | None
    """None where the model writes the answers that it learns from."""
    metrics: dict[str, Any]
    dtype: str
    probe: torch.Tensor
    logits: torch.Tensor
    learned: int
    """How many weights were trained."""
    frozen: int
    """Bytes of those that were not."""


def train(trainer: TrlTrainer, plan: Plan, into: Path, say: Say, stopping: Stopping | None = None) -> None:
    """Goes on from the last whole checkpoint in `into`. Raises KeyboardInterrupt, a checkpoint written, when asked to
    stop."""
    peers.join()
    with peers.first_before_others():
        job = open_job(trainer, plan, into, say)
    trained = fit(job, stopping or Stopping())
    peers.wait()
    if not peers.is_first():
        return
    # Only now is the trained model gone: two of them may not fit.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    difference = reload_difference(trained)
    if not difference <= SAME:
        raise TuneworksError(
            f"the saved model in {into} answers differently from the trained one (its logits differ by "
            f"{difference:.3g}); if peft sets init_lora_weights, leave it at its default"
        )
    shutil.rmtree(into / "cache", ignore_errors=True)
    write_json(into / "metrics.json", trained.metrics)
    record = manifest(job, trained.masks, trained.dtype)
    weights = {"trained_weights": trained.learned, "frozen_megabytes": trained.frozen / 1e6}
    write_json(into / "manifest.json", record | weights | {"reload_max_difference": difference})
    mark_done(into, plan)
    if "save_total_limit" not in trainer.args:  # who writes how many to keep wants to have them
        remove_all(into)


def fit(job: Job, stopping: Stopping) -> Trained:
    trl = job.trainer.build(job)
    in_float32(trl.model, job.place)
    given = job.trainer.given
    masks = mask_report(job, trl) if given else None
    metrics = job.trainer.before(job, trl)
    if given and "held_out_loss_before" not in metrics:
        metrics |= held_out(trl, job, "before")
    watched, text = earlier_losses(trl.model, job), job.trainer.text_held_out(trl)
    text_before = text_loss(text, trl.model, job)
    seconds = learn(trl, job, stopping)
    metrics = losses(trl, seconds) | metrics | (held_out(trl, job, "after") if given else {})
    model = plain(trl.model)
    if watched:
        metrics |= forgotten(watched, earlier_losses(model, job), job.say)
    metrics |= text_forgotten(text_before, text_loss(text, model, job), job.say)
    metrics = job.trainer.told(job, metrics | job.trainer.after(job, model))
    if before_it := lost_by_merging(job.place):
        metrics["lost_by_merging"] = before_it
    probe = torch.tensor([next(iter(job.trainer.masked(job, trl))).tokens[:PROBED]], device=model.device)
    dtype = str(model.dtype).removeprefix("torch.")
    learned, frozen = sum(p.numel() for p in model.parameters() if p.requires_grad), frozen_bytes(model)
    logits, lost = save(model, job, probe, trl)
    return Trained(job, masks, metrics | lost, dtype, probe, logits, learned, frozen)


def learn(trl: Any, job: Job, stopping: Stopping) -> float:
    """Train, from the last whole checkpoint on; returns how many seconds that took in all its parts. Raises
    KeyboardInterrupt when asked to stop before the last step."""
    resumed = last_whole(job.into)
    resumable = job.trainer.tuning not in NOT_RESUMED
    saving = Saving(job.into, stopping, "save_strategy" not in job.trainer.args, resumable, resumed)
    trl.remove_callback(PrinterCallback)
    trl.add_callback(Progress(job.say, job.into))
    trl.add_callback(saving)
    if job.trainer.tuning == "adalora":
        trl.add_callback(Ranks(job.trainer.peft))
    under = f" over {job.trainer.bits} bit" if job.trainer.bits else ""
    job.say(f"Training {job.trainer.kind} ({job.trainer.tuning}{under}) on {job.device}{_together(trl.args)}")
    went_on(trl, resumed)
    peers.prepare_anew(trl)
    trl.train(resume_from_checkpoint=str(resumed) if resumed else None)
    seconds = saving.seconds
    if stopping.asked and trl.state.global_step < trl.state.max_steps:
        kept = "which is kept" if resumable else "and will start again"
        job.say(f"stopped after step {trl.state.global_step} of {trl.state.max_steps}, {kept}")
        raise KeyboardInterrupt
    if not sharded(trl):
        peers.require_alike(trl.model)
    return seconds


def _together(args: Any) -> str:
    if peers.count() == 1:
        return ""
    rows = peers.count() * args.per_device_train_batch_size * args.gradient_accumulation_steps
    return f" in {peers.count()} processes, {rows} rows a step"


def went_on(trl: Any, checkpoint: Path | None) -> None:
    """TRL counts the tokens of a training that goes on from 0; let it count on."""
    if checkpoint is not None:
        entries = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)).log_history
        trl._total_train_tokens = max((int(entry.get("num_tokens", 0)) for entry in entries), default=0)


def mask_report(job: Job, trl: Any) -> MaskReport:
    """Count, say and write what will be learned, or refuse."""
    masks = report(
        job.trainer.masked(job, trl),
        job.trainer.counted(job, trl),
        trl.args.max_length,
        job.tokenizer,
        ends_of(job, trl.model),
    )
    if peers.is_first():
        (job.into / "masks.txt").write_text("\n".join(masks.lines()) + "\n", encoding="utf-8")
    for line in masks.lines():
        job.say(line)
    masks.refuse(job.plan.train.file, writes=job.trainer.writes)
    return masks


def ends_of(job: Job, model: Any) -> frozenset[int]:
    """The tokens that end a reply."""
    settings = getattr(model, "generation_config", None)  # a model that does not write has none
    listed = settings.eos_token_id if settings is not None else None
    ends = {job.tokenizer.eos_token_id} | (set(listed) if isinstance(listed, list) else {listed})
    return frozenset(ends - {None})


def held_out(trl: Any, job: Job, when: str) -> dict[str, Any]:
    if job.test is None or len(trl.eval_dataset) == 0:  # TRL drops rows that are too long here as well
        return {f"held_out_loss_{when}": None}
    found = evaluate(trl)
    metrics = {f"held_out_loss_{when}": found["eval_loss"]}
    accuracy = found.get("eval_rewards/accuracies", found.get("eval_accuracy"))
    if when == "after" and accuracy is not None:
        metrics["held_out_accuracy"] = accuracy
    job.say(f"held-out loss {when} training: {found['eval_loss']:.4f}")
    return metrics


def losses(trl: Any, seconds: float) -> dict[str, Any]:
    """The loss at each logged step, and how fast it went."""
    told = (
        *("step", "loss", "learning_rate", "grad_norm", "rewards/margins", "rewards/accuracies"),
        *("accuracy", "rank_loss", "lm_loss", "reward", "reward_std", "kl", "completions/mean_length"),
    )
    history = trl.state.log_history
    log = [{name: entry[name] for name in told if name in entry} for entry in history if "loss" in entry]
    tokens = max((entry.get("num_tokens", 0) for entry in history), default=0)
    steps = max(trl.state.global_step, 1)
    return {
        "steps": trl.state.global_step,
        "first_loss": log[0]["loss"] if log else None,
        "last_loss": log[-1]["loss"] if log else None,
        "seconds": seconds,
        "seconds_per_step": seconds / steps,
        "tokens_per_second": tokens / seconds,
        "log": log,
    }


def plain(model: Any) -> Any:
    """The model without the forward passes that accelerate (autocast) and TRL (a fused head) put on it."""
    for part in (model, model.get_base_model() if not isinstance(model, PreTrainedModel) else model):
        part.__dict__.pop("forward", None)
        part.__dict__.pop("_original_forward", None)
    return model.eval()


def reload_difference(trained: Trained) -> float:
    """The largest difference of any logit between the trained model and the one in the folder."""
    job = trained.job
    again = job.trainer.load(str(job.into), job.init).to(trained.probe.device).eval()
    return float((logits_of(again, trained.probe) - trained.logits).abs().max())
