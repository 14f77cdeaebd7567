"""Do trainings that write their own answers raise their reward? SmolLM2, rewarded for answers of about 20 words.

    python benchmarks/own_answers.py --data alpaca_en_demo.json --prompts 48 --steps 12

Prints one table: the reward of the most likely answers to held-out prompts before and after, with its interval.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import polars as pl

from tuneworks.factory.record import Answer, Record
from tuneworks.factory.rewards.function import Function
from tuneworks.trainers.finetuning import FineTuning
from tuneworks.trainers.online import Grpo, Rloo
from tuneworks.trainers.rejection_sampling import RejectionSampling
from tuneworks.trainers.rows import VIEWS

REWARD = """def score(prompt, answer):
    return 1 - min(abs(len(answer.split()) - 20) / 20, 1)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="instructions and outputs, as Alpaca writes them")
    parser.add_argument("--prompts", type=int, default=48)
    parser.add_argument("--held-out", type=int, default=16)
    parser.add_argument("--steps", type=int, default=12, help="of GRPO and RLOO, and of each round")
    parser.add_argument("--tokens", type=int, default=64, help="most of an answer")
    parser.add_argument("--only", nargs="*", help="Kinds to train.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for line in table(Path(folder), given):
            print(line, flush=True)


def table(folder: Path, given: argparse.Namespace) -> list[str]:
    written(folder / "data", given.data, given.prompts, given.held_out)
    (folder / "reward.py").write_text(REWARD)
    reward = Function(file=str(folder / "reward.py"))
    online = {"max_steps": given.steps, "learning_rate": 2e-4, "max_completion_length": given.tokens}
    trainers: list[FineTuning] = [
        RejectionSampling(reward=reward, rounds=2, n=4, max_tokens=given.tokens, args={"max_steps": given.steps}),
        Grpo(reward=reward, n=4, args=online),
        Rloo(reward=reward, n=4, args=online),
    ]
    lines = ["| kind | before | after | difference (95%) | minutes |", "|---|---|---|---|---|"]
    for trainer in (one for one in trainers if one.kind in (given.only or [one.kind])):
        began, into = time.monotonic(), folder / trainer.kind
        trainer.train(folder / "data", into, say=lambda line: print(f"  {line}", flush=True))
        found = json.loads((into / "metrics.json").read_text())["held_out_reward"]
        minutes = (time.monotonic() - began) / 60
        apart = f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
        lines.append(f"| `{trainer.kind}` | {found['before']:.3f} | {found['after']:.3f} | {apart} | {minutes:.1f} |")
    return lines


def written(folder: Path, data: Path, prompts: int, held_out: int) -> None:
    """The first short instructions without an input, as the view `prompts`."""
    rows = [row for row in json.loads(data.read_text()) if not row["input"] and len(row["instruction"].split()) < 20]
    records = [Record.born(row["instruction"], answers=[Answer(row["output"])]) for row in rows]
    for split, chosen in (("train", records[held_out : held_out + prompts]), ("test", records[:held_out])):
        view = VIEWS["prompts"]
        (folder / "prompts").mkdir(parents=True, exist_ok=True)
        table = pl.DataFrame(list(view.rows(chosen)), schema=view.schema)
        table.write_parquet(folder / "prompts" / f"{split}.parquet")


if __name__ == "__main__":
    main()
