"""How well a reward model of the embedded model learns hh-rlhf's harmless pairs, by loss.

`python benchmarks/harmless_rewards.py --data hh_harmless_test.jsonl.gz` builds a dataset of the pairs whose dialogues
are short, a quarter of them held out by prompt, trains with each loss on the same pairs in the same order, and says of
how many held-out pairs the chosen answer scores higher. Of two answers `all_pairs` and `plackett_luce` are `pairwise`,
so that they are not trained again. `--only` names one or more of the trainings; what is trained is left alone.
"""

import argparse
import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from measuring import table

from tuneworks.pipelines.audit.findings import wilson
from tuneworks.trainers.contrast import Contrast
from tuneworks.trainers.dpo import Dpo
from tuneworks.trainers.reward import Reward
from tuneworks.trainers.rows import RANKED
from tuneworks.trainers.trl_trainer import TrlTrainer

RECIPE = """name: harmless
sources: {{hh: {{file: {file}}}}}
datasets: [preference]
holdout: 0.25
"""


def trainings(args: dict[str, Any]) -> dict[str, TrlTrainer]:
    return {
        "reward: pairwise": Reward(margin=0, args=args),
        "reward: pairwise, margin 1": Reward(margin=1, args=args),
        "reward: pairwise, lm_weight 0.1": Reward(margin=0, lm_weight=0.1, args=args),
        "reward: mse": Reward(loss="mse", args=args),
        "contrast: rrhf": Contrast(loss="rrhf", args=args),
        "contrast: slic": Contrast(loss="slic", args=args),
        "dpo": Dpo(args=args),
    }


def short_pairs(data: Path, longest: int) -> list[str]:
    """The lines of pairs of whose dialogues neither has more characters."""
    with gzip.open(data, "rt", encoding="utf-8") as lines:
        return [line for line in lines if max(len(text) for text in json.loads(line).values()) <= longest]


def built(lines: Sequence[str], into: Path) -> Path:
    """The dataset, its pairs also as rankings of two with the rewards 1 and 0."""
    file = into.resolve() / "pairs.jsonl"
    file.write_text("".join(lines), encoding="utf-8")
    recipe = into / "recipe.yaml"
    recipe.write_text(RECIPE.format(file=file), encoding="utf-8")
    runs = into / "runs"
    subprocess.run([sys.executable, "-m", "tuneworks", "build", recipe, "--runs", runs, "--update"], check=True)
    dataset = runs / "harmless/dataset"
    (dataset / "ranked").mkdir(exist_ok=True)
    for split in ("train", "test"):
        pairs = pl.read_parquet(dataset / "preference" / f"{split}.parquet")
        rows = [
            {"id": p["id"], "prompt": p["prompt"], "completions": [p["chosen"], p["rejected"]], "rewards": [1.0, 0.0]}
            for p in pairs.iter_rows(named=True)
        ]
        pl.DataFrame(rows, schema=RANKED).write_parquet(dataset / "ranked" / f"{split}.parquet")
    return dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="hh-rlhf's lines of chosen and rejected, with gzip.")
    parser.add_argument("--into", type=Path, default=Path("harmless_rewards"), help="The folder to work in.")
    parser.add_argument("--longest", type=int, default=600, help="Most characters of a dialogue.")
    parser.add_argument("--steps", type=int, default=100, help="Of 8 pairs each.")
    parser.add_argument("--only", nargs="*", help="The trainings to do, by their names in the table.")
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    dataset = built(short_pairs(given.data, given.longest), given.into)
    counts = [pl.read_parquet(dataset / "preference" / f"{split}.parquet").height for split in ("train", "test")]
    args = {"max_steps": given.steps, "per_device_train_batch_size": 8, "learning_rate": 5e-4, "max_length": 512}
    rows = []
    for name, trainer in trainings(args).items():
        if given.only and name not in given.only:
            continue
        folder = given.into / "models" / name.replace(": ", "-").replace(", ", "-").replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        trainer.train(dataset, folder, 0, print)
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        right = round(metrics["held_out_accuracy"] * counts[1])
        low, high = wilson(right, counts[1])
        before, after = metrics["held_out_loss_before"], metrics["held_out_loss_after"]
        accuracy = f"{right / counts[1]:.3f} [{low:.3f}, {high:.3f}]"
        rows.append((name, accuracy, f"{before:.4f}", f"{after:.4f}", f"{metrics['seconds']:.0f}"))
    title = f"Trained on {counts[0]} pairs ({given.steps} steps of 8), {counts[1]} held out"
    table(title, ("training", "the chosen one scores higher", "held-out loss before", "after", "s"), rows)


if __name__ == "__main__":
    main()
