"""Supervised fine-tuning: the model learns to give the best answer of each record."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tuneworks.trainers.trl_trainer import TrlTrainer, Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.masks import Masked


class Sft(TrlTrainer):
    """Supervised fine-tuning (TRL's SFTTrainer) on the best answers; only the answer is in the loss."""

    kind: ClassVar[str] = "sft"
    rows: ClassVar[str] = "sft"
    config: ClassVar[str] = "SFTConfig"
    answers: ClassVar[tuple[str, ...]] = ("completion",)
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 5e-4, "full": 2e-5}
    cpu_batch: ClassVar[int] = 2

    def build(self, job: "Job") -> Any:
        from trl.trainer.sft_config import SFTConfig
        from trl.trainer.sft_trainer import SFTTrainer

        return SFTTrainer(
            model=job.model(),
            args=SFTConfig(**job.arguments),
            train_dataset=job.train,
            eval_dataset=job.test,
            processing_class=job.tokenizer,
            peft_config=job.peft_config(),
        )

    def masked(self, job: "Job", trl: Any) -> "Iterator[Masked]":
        from tuneworks.trainers.masks import sft_masked

        return sft_masked(trl.train_dataset)
