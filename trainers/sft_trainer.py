"""TRL's SFTTrainer over a mixture that is tokens and labels already."""

from pathlib import Path
from typing import Any

from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from tuneworks.trainers.job import Job
from tuneworks.trainers.labelled import Labelling
from tuneworks.trainers.mixture import Mixture
from tuneworks.trainers.spoken import Which


class MixtureTrainer(SFTTrainer):
    """Takes what SFTTrainer takes, the mixture in the place of its datasets."""

    def __init__(self, *, mixture: Mixture, **rest: Any) -> None:
        self.mixture = mixture
        super().__init__(train_dataset=mixture.train, eval_dataset=mixture.test, **rest)


def labelling(job: Job, args: SFTConfig, turns: Which) -> Labelling:
    """How the job's rows become sequences. A chat template or an end token that `args` name count from now on."""
    if args.chat_template_path is not None:
        job.tokenizer.chat_template = Path(args.chat_template_path).read_text(encoding="utf-8")
    if args.eos_token is not None and args.eos_token in job.tokenizer.get_vocab():
        job.tokenizer.eos_token = args.eos_token
    return Labelling(job.tokenizer, turns, args.max_length, _kept(args), args.completion_only_loss is False)


def _kept(args: SFTConfig) -> tuple[int | None, int | None]:
    """Of a sequence that is too long. TRL's bfd_split cuts those into pieces itself."""
    if args.max_length is None or (args.packing and args.packing_strategy == "bfd_split"):
        return None, None
    return (-args.max_length, None) if args.truncation_mode == "keep_end" else (None, args.max_length)
