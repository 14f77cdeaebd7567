"""Does a quality model of the embedded model do as it is asked, by words and by tokens?

`python benchmarks/quality_control.py --data alpaca.json` gives each of so many instructions its answer's first sentence
as the good answer, and the same in capital letters as the bad one: a defect that nobody needs to judge. It builds the
dataset from the command line's recipe, trains a quality model with each control, and says the loss of held-out answers
of each sort under each control, and how many letters of greedy answers to held-out prompts are small (the reward), with
the interval of the difference between what is asked for as good and as bad.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from measuring import table

REWARD = """def score(prompt, answer):
    letters = [c for c in answer if c.isalpha()]
    return sum(c.islower() for c in letters) / len(letters) if letters else 0.0
"""

RECIPE = """name: control
sources: {{made: {{file: {file}}}}}
datasets: [quality]
holdout: 0.2
train:
  - quality: {{control: text, reward: {reward}, args: {args}}}
  - quality: {{control: token, reward: {reward}, args: {args}}}
"""


def records(data: Path, count: int) -> list[dict[str, object]]:
    """Instructions without an input, with two answers and their rewards."""
    made: list[dict[str, object]] = []
    for row in json.loads(data.read_text(encoding="utf-8")):
        first = re.split(r"(?<=[.!?])\s+", row["output"].strip())[0]
        if row["input"] or not 5 <= len(first.split()) <= 18 or not first.endswith((".", "!", "?")):
            continue
        prompt = [{"role": "user", "content": row["instruction"]}]
        answers = [[{"role": "assistant", "content": text}] for text in (first, first.upper())]
        made.append({"prompt": prompt, "completions": answers, "rewards": [1.0, 0.0]})
    return made[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="A JSON list of instruction, input, output.")
    parser.add_argument("--into", type=Path, default=Path("quality_control"), help="The folder to work in.")
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    into = given.into.resolve()
    lines = (json.dumps(row) + "\n" for row in records(given.data, given.rows))
    (into / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    (into / "reward.py").write_text(REWARD, encoding="utf-8")
    reward = json.dumps({"function": {"file": str(into / "reward.py")}})
    args = json.dumps({"max_steps": given.steps, "per_device_train_batch_size": 4})
    recipe = RECIPE.format(file=into / "rows.jsonl", reward=reward, args=args)
    (into / "recipe.yaml").write_text(recipe, encoding="utf-8")
    command = [sys.executable, "-m", "tuneworks", "build", into / "recipe.yaml", "--runs", into / "runs", "--update"]
    subprocess.run(command, check=True)
    rows, rewards = [], []
    for control, name in (("text", "quality"), ("token", "quality-2")):
        metrics = json.loads((into / "runs/control/models" / name / "metrics.json").read_text(encoding="utf-8"))
        found = metrics["steering"]
        for answer, losses in found["nll"].items():
            rows.append((control, answer.replace("_", " "), losses["good_control"], losses["bad_control"]))
        scored = found["reward"]
        apart = f"{scored['difference']:+.3f} [{scored['low']:+.3f}, {scored['high']:+.3f}]"
        rewards.append((control, scored["prompts"], scored["means"]["good"], scored["means"]["bad"], apart))
    table("Held-out loss", ("control", "", "asked for good", "asked for bad"), rows)
    table("Reward of greedy answers", ("control", "prompts", "asked for good", "for bad", "difference"), rewards)


if __name__ == "__main__":
    main()
