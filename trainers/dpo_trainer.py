"""TRL's DPOTrainer with what TRL drops: how sure a pair's label is, and by how much its chosen answer is better."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from tuneworks.trainers.log_probabilities import IGNORED, label_log_probs


def soft_preference(ahead: Tensor, probability: Tensor) -> Tensor:
    """Cross-entropy of each pair, shape (pairs,): `ahead` is how far the chosen answer is, as a logit, and
    `probability` that it is the better one. At 1 this is DPO's loss; at 1 - e conservative DPO's, in which e is the
    chance that a label is wrong."""
    return -probability * logsigmoid(ahead) - (1 - probability) * logsigmoid(-ahead)


class WeighedPairs(DataCollatorForPreference):
    """TRL's batch with `probability` and `margin` of the pairs; where nobody said, a pair is certain and has none."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        said = [example.get("probability") for example in examples]
        batch["probability"] = torch.tensor([1.0 if value is None else value for value in said])
        batch["margin"] = torch.tensor([max(example.get("margin") or 0.0, 0.0) for example in examples])
        return batch


class SoftDpoTrainer(DPOTrainer):
    """Takes what DPOTrainer takes; its loss is the sigmoid one alone."""

    def __init__(self, *, soft_labels: bool, margin: float, pad: int, args: DPOConfig, **rest: Any) -> None:
        """The offset (ODPO, 2402.10571) is `margin` times that of the row."""
        self._soft_labels, self._margin = soft_labels, margin
        args.remove_unused_columns = False  # the model's forward pass does not name ours
        super().__init__(args=args, data_collator=WeighedPairs(pad, args.max_length), **rest)

    def loss_of(self, ahead: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Mean over the pairs; `ahead` is the difference of the implied rewards, shape (pairs,)."""
        probability = batch["probability"] if self._soft_labels else torch.ones_like(ahead)
        return soft_preference(ahead - self._margin * batch["margin"], probability).mean()

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        tokens = {name: inputs[name] for name in ("input_ids", "attention_mask", "completion_mask")}
        labels = tokens["input_ids"].masked_fill(tokens["completion_mask"] == 0, IGNORED)
        log_probs = label_log_probs(model, tokens["input_ids"], tokens["attention_mask"], labels).sum(-1)
        untyped: Any = self
        reference = untyped.compute_ref_log_probs(self.model if self.ref_model is None else self.ref_model, tokens)
        chosen, rejected = (self.beta * (log_probs - torch.cat(reference))).chunk(2)
        loss = self.loss_of(chosen - rejected, inputs)
        self._note("train" if model.training else "eval", chosen.detach(), rejected.detach(), tokens)
        return (loss, {}) if return_outputs else loss

    def _note(self, mode: str, chosen: Tensor, rejected: Tensor, tokens: dict[str, Tensor]) -> None:
        kept = self._metrics[mode]
        kept["rewards/chosen"].extend(chosen.tolist())
        kept["rewards/rejected"].extend(rejected.tolist())
        kept["rewards/accuracies"].extend((chosen > rejected).float().tolist())
        kept["rewards/margins"].extend((chosen - rejected).tolist())
        if mode == "train":
            self._total_train_tokens += int(tokens["attention_mask"].sum())
        kept["num_tokens"] = [self._total_train_tokens]
