"""The recipe's trainings: what their folders are called, and which begins from the model of which."""

from collections.abc import Iterator, Sequence

from tuneworks.pipelines.catalog import nearest
from tuneworks.trainers.finetuning import FineTuning
from tuneworks.trainers.plan import SUPERVISED
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trainer import Trainer
from tuneworks.trainers.tuning import UNMERGED


def model_names(trainers: Sequence[Trainer]) -> list[str]:
    """sft, dpo, sft-2: by kind, numbered from the second of a kind on."""
    names: list[str] = []
    for trainer in trainers:
        again = sum(n == trainer.kind or n.startswith(f"{trainer.kind}-") for n in names)
        names.append(f"{trainer.kind}-{again + 1}" if again else trainer.kind)
    return names


def check_order(trainers: Sequence[Trainer]) -> None:
    """Raise ValueError where `follows` names no earlier training, or one that leaves nothing to begin from."""
    names = model_names(trainers)
    for at, trainer in enumerate(trainers):
        follows = trainer.follows if isinstance(trainer, FineTuning) else None
        if follows is None:
            continue
        if follows not in names[:at]:
            raise ValueError(f"the training {names[at]} {_wrong(follows, names, at)}")
        first = trainers[names.index(follows)]
        if isinstance(first, FineTuning) and first.tuning in UNMERGED:
            raise ValueError(
                f"the training {names[at]} cannot follow {follows}: what tuning {first.tuning} learns "
                f"{UNMERGED[first.tuning]} and cannot be merged into a model; train {follows} with tuning: lora or full"
            )


def check_mixtures(trainers: Sequence[Trainer], carries_text: bool) -> None:
    """Raise ValueError where a training wants rows to replay, or plain text, that the recipe does not make."""
    names = model_names(trainers)
    for name, trainer in zip(names, trainers, strict=True):
        if not isinstance(trainer, Sft):
            continue
        if trainer.pretraining and not carries_text:
            raise ValueError(
                f"the training {name} takes pretraining: {trainer.pretraining:g}, and the recipe has no pretraining; "
                "write pretraining: {source: NAME} beside train, with a source of documents, or leave it out"
            )
        kinds = [trainers[names.index(before)].kind for before in _before(name, names, trainers)]
        if trainer.replay and not any(kind in SUPERVISED for kind in kinds):
            raise ValueError(
                f"the training {name} has nothing to replay: replay draws the rows of sft and quality trainings, and "
                f"those before are of {' and '.join(kinds)}; leave it out"
            )


def _before(name: str, names: Sequence[str], trainers: Sequence[Trainer]) -> Iterator[str]:
    """The trainings it follows, the latest first."""
    trainer = trainers[names.index(name)]
    if isinstance(trainer, FineTuning) and trainer.follows is not None:
        yield trainer.follows
        yield from _before(trainer.follows, names, trainers)


def _wrong(follows: str, names: Sequence[str], at: int) -> str:
    if follows == names[at]:
        return "cannot follow itself; name one before it, or leave follows out"
    if follows in names:
        return f"stands before {follows}, which it follows; move it below"
    hint = nearest(follows, tuple(names[:at])) if at else "it is the first; leave follows out"
    return f"follows no training {follows!r}; {hint}"
