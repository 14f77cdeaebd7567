"""TRL's SFTTrainer over groups: the log-probabilities of all answers to a prompt are ranked."""

from typing import Any

import torch
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from tuneworks.trainers.contrast import Loss
from tuneworks.trainers.groups import best_of
from tuneworks.trainers.log_probabilities import IGNORED, label_log_probs
from tuneworks.trainers.rankings import accuracy, rrhf, slic


class ContrastTrainer(SFTTrainer):
    """Takes what SFTTrainer takes, its datasets made by `groups` and collated by GroupCollator."""

    def __init__(
        self, *, loss: Loss, delta: float, rank_weight: float, lm_weight: float, args: SFTConfig, **rest: Any
    ) -> None:
        self._loss, self._delta, self._rank_weight, self._lm_weight = loss, delta, rank_weight, lm_weight
        args.remove_unused_columns = False  # the model's forward pass does not name those of groups
        args.dataset_kwargs = {"skip_prepare_dataset": True}
        super().__init__(args=args, **rest)
        untyped: Any = self
        untyped.loss_is_scaled_for_ga = False  # it is a mean over groups, not over the tokens of a whole step

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        found = label_log_probs(model, inputs["input_ids"], inputs["attention_mask"], inputs["labels"])
        likelihoods, sizes = found.sum(-1), inputs["sizes"].tolist()
        if self._loss == "rrhf":
            likelihoods = likelihoods / (inputs["labels"][:, 1:] != IGNORED).sum(-1)
        groups = list(zip(likelihoods.split(sizes), inputs["rewards"].split(sizes), strict=True))
        ranked = torch.stack([self._ranking_loss(*group) for group in groups]).mean()
        spoken = -torch.stack([own[best_of(rewards.tolist())] for own, rewards in groups]).mean()
        mode = "train" if model.training else "eval"
        kept = self._metrics[mode]
        kept["rank_loss"].append(ranked.item())
        kept["lm_loss"].append(spoken.item())
        with torch.no_grad():  # one entry a group, so that their mean is that of the groups whatever the batches
            kept["accuracy"].extend(accuracy(own, rewards) for own, rewards in groups)
        if mode == "train":
            self._total_train_tokens += int(inputs["attention_mask"].sum())
        kept["num_tokens"] = [self._total_train_tokens]
        loss = self._rank_weight * ranked + self._lm_weight * spoken
        return (loss, {}) if return_outputs else loss

    def _ranking_loss(self, likelihoods: torch.Tensor, rewards: torch.Tensor) -> torch.Tensor:
        if self._loss == "rrhf":
            return rrhf(likelihoods, rewards)
        return slic(likelihoods, rewards, self._delta)
