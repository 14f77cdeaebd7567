"""TRL's RewardTrainer over groups: every answer of a group in one forward pass, and losses over the whole ranking."""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import cross_entropy
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from tuneworks.trainers.groups import best_of
from tuneworks.trainers.log_probabilities import IGNORED
from tuneworks.trainers.objectives import Objective
from tuneworks.trainers.rankings import accuracy, bradley_terry, plackett_luce, squared_error
from tuneworks.trainers.reward import Loss, Scale


class GroupRewardTrainer(RewardTrainer):
    """Takes what RewardTrainer takes, its datasets made by `groups` and collated by GroupCollator."""

    def __init__(
        self,
        *,
        loss: Loss,
        margin: float,
        lm_weight: float,
        head: Tensor | None,
        scale: Scale,
        objectives: Sequence[Objective],
        args: RewardConfig,
        **rest: Any,
    ) -> None:
        """`head` is for the language-model loss, None for the embedding; by `scale` `mse` standardises rewards. With
        `objectives` the model has an output for each, and the groups have targets."""
        self._loss, self._margin, self._lm_weight, self._head = loss, margin, lm_weight, head
        self.scale, self._weights = scale, [objective.weight for objective in objectives]
        args.remove_unused_columns = False  # the model's forward pass does not name those of groups
        super().__init__(args=args, **rest)

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        learns = self._lm_weight > 0
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            use_cache=False,
            output_hidden_states=learns,
        )
        sizes = inputs["sizes"].tolist()
        if self._weights:
            each = outputs.logits.float()
            scores = each @ torch.tensor(self._weights, device=each.device)
            of_groups = zip(each.split(sizes), inputs["targets"].split(sizes), strict=True)
            losses = [squared_error(own, targets) for own, targets in of_groups]
        else:
            scores = outputs.logits.squeeze(-1).float()
            losses = [self._ranking_loss(*group) for group in _split(scores, inputs, sizes)]
        ranked = torch.stack(losses).mean()
        mode = "train" if model.training else "eval"
        kept = self._metrics[mode]
        loss = ranked
        if learns:
            spoken = self._language_loss(outputs.hidden_states[-1], inputs["labels"], inputs["rewards"], sizes)
            loss = ranked + self._lm_weight * spoken
            kept["lm_loss"].append(spoken.item())
        kept["rank_loss"].append(ranked.item())
        with torch.no_grad():  # one entry a group, so that their mean is that of the groups whatever the batches
            groups = _split(scores, inputs, sizes)
            kept["accuracy"].extend(accuracy(own, rewards) for own, rewards, _ in groups if len(rewards.unique()) > 1)
        if mode == "train":
            self._total_train_tokens += int(inputs["attention_mask"].sum())
        kept["num_tokens"] = [self._total_train_tokens]
        return (loss, outputs) if return_outputs else loss

    def _ranking_loss(self, scores: Tensor, rewards: Tensor, margin: Tensor) -> Tensor:
        """Of one group; margin is a single number."""
        if self._loss == "plackett_luce":
            return plackett_luce(scores, rewards)
        if self._loss == "mse":
            return squared_error(scores, (rewards - self.scale.mean) / self.scale.deviation)
        return bradley_terry(scores, rewards, self._margin * margin.clamp(min=0))

    def _language_loss(self, hidden: Tensor, labels: Tensor, rewards: Tensor, sizes: list[int]) -> Tensor:
        """Mean negative log-likelihood of the best answers' tokens; hidden is (sequences, time, width)."""
        first, rows = 0, []
        for own in rewards.split(sizes):
            rows.append(first + best_of(own.tolist()))
            first += len(own)
        hidden, wanted = hidden[rows][:, :-1], labels[rows][:, 1:]
        inside = wanted != IGNORED
        head = self._head
        if head is None:
            head = self.accelerator.unwrap_model(self.model).get_input_embeddings().weight
        logits = hidden[inside] @ head.to(hidden.device, hidden.dtype).T
        return cross_entropy(logits.float(), wanted[inside])


def _split(scores: Tensor, inputs: dict[str, Any], sizes: list[int]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(scores, rewards, margin) of each group."""
    return list(zip(scores.split(sizes), inputs["rewards"].split(sizes), inputs["margin"], strict=True))
