"""Every kind of training on one run's dataset: does the loss fall, and does what is saved load again to the same?

`python benchmarks/trainings.py --run runs/quickstart` trains each kind, with each of its losses, for so many steps at
our learning rates, on the configurations that the run's dataset has (a recipe that lists all of them: datasets: [sft,
preference, quality, ranked, unpaired]). `--only` names kinds. How each way to tune does is what tunings.py says.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import table

from tuneworks.factory.errors import TuneworksError
from tuneworks.trainers.contrast import Contrast
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.kto import Kto
from tuneworks.trainers.quality import Quality
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.trl_trainer import TrlTrainer


def trainings(args: dict[str, Any], model: str) -> Iterator[tuple[str, TrlTrainer]]:
    shared: dict[str, Any] = {"args": args, "model": model}
    yield "sft", Sft(**shared)
    yield "sft, packed", Sft(**shared | {"args": args | {"packing": True, "max_length": 512}})
    yield "dpo", Dpo(**shared)
    yield "dpo, margin 0.5", Dpo(margin=0.5, **shared)
    yield "kto", Kto(**shared | {"args": args | {"per_device_train_batch_size": 4}})
    yield "contrast, rrhf", Contrast(loss="rrhf", **shared)
    yield "contrast, slic", Contrast(loss="slic", **shared)
    yield "quality, text", Quality(**shared)
    yield "quality, token", Quality(control="token", **shared)
    yield "reward, pairwise", Reward(**shared)
    yield "reward, pairwise, lm_weight 0.1", Reward(lm_weight=0.1, **shared)
    yield "reward, all_pairs", Reward(loss="all_pairs", **shared)
    yield "reward, plackett_luce", Reward(loss="plackett_luce", **shared)
    yield "reward, mse", Reward(loss="mse", **shared)


def line(name: str, trainer: TrlTrainer, dataset: Path, into: Path) -> tuple[object, ...]:
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    try:
        trainer.train(dataset, into, 0, print)
    except TuneworksError as error:
        return (name, f"refused: {error}", *[""] * 6)
    metrics, manifest = (json.loads((into / f"{part}.json").read_text("utf-8")) for part in ("metrics", "manifest"))
    losses = [one["loss"] for one in metrics["log"]]
    few = max(len(losses) // 4, 1)
    return (
        name,
        sum(losses[:few]) / few,
        sum(losses[-few:]) / few,
        *(f"{metrics[f'held_out_loss_{when}']:.4f}" for when in ("before", "after")),
        metrics.get("held_out_accuracy", ""),
        f"{manifest['reload_max_difference']:.1e}",
        metrics["seconds_per_step"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--into", type=Path, default=Path("trainings"), help="The folder to work in.")
    parser.add_argument("--only", nargs="*", help="Kinds to train.")
    given = parser.parse_args()
    rows = [
        line(name, trainer, given.run / "dataset", given.into / name.replace(", ", "-").replace(" ", "-"))
        for name, trainer in trainings({"max_steps": given.steps, "logging_steps": 1}, given.model)
        if not given.only or trainer.kind in given.only
    ]
    columns = (
        *("training", "loss, first quarter of the steps", "last quarter", "held-out loss before", "after"),
        *("held-out accuracy", "largest difference after loading", "s a step"),
    )
    table(f"{given.steps} steps each of {given.model}", columns, rows)


if __name__ == "__main__":
    main()
