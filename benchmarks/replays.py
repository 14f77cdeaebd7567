"""The methods replayed on released files, beside rules and formulas written down here a second time, from the papers.

    python benchmarks/replays.py --data FOLDER

FOLDER holds self_instruct_seed_tasks.jsonl, user_oriented_instructions.jsonl and user_oriented_predictions/*.jsonl (of
yizhongw/self-instruct), and hh_harmless_test.jsonl.gz (hh-rlhf, harmless-base, test). Ends with status 1 where anything
differs.
"""

import argparse
import asyncio
import json
import re
import string
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tuneworks.factory.best_of_n import BestOfN
from tuneworks.factory.dice import Dice
from tuneworks.factory.engines.scripted import Scripted
from tuneworks.factory.record import Answer, Record, Rejected
from tuneworks.factory.rewards.function import Function
from tuneworks.factory.rouge import ascii_tokens, rouge_l
from tuneworks.factory.self_instruct.text_rules import INSTANCE_RULES, PUBLISHED_RULES
from tuneworks.pipelines.sources import read_file
from tuneworks.trainers.rows import preference_rows

LISTED = ["image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot"]


def reference_instruction(text: str) -> str | None:
    """Self-Instruct's released rules in their order, written from the description of the method alone."""
    text = text.capitalize()
    words = text.split()
    if len(words) <= 3:
        return "too_few_words"
    if len(words) > 150:
        return "too_many_words"
    if any(re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in [*LISTED, "go to"]):
        return "listed_word"
    if text.startswith("Write a program"):
        return "write_a_program"
    if text[0] in string.punctuation:
        return "punctuation_first"
    return None if text[0].isascii() else "not_ascii_first"


def reference_instance(given: str, output: str) -> str | None:
    if given == output:
        return "output_equals_input"
    if not output:
        return "no_output"
    return "ends_with_colon" if given.strip().endswith(":") or output.strip().endswith(":") else None


def first_broken(rules: Sequence[tuple[str, Callable[..., str | None]]], *texts: str) -> str | None:
    return next((name for name, rule in rules if rule(*texts) is not None), None)


def compared(title: str, pairs: list[tuple[str | None, str | None]]) -> bool:
    """One row a rule: how many texts it drops, ours and the reference, and whether it is the same texts."""
    ours, theirs = Counter(a or "kept" for a, _ in pairs), Counter(b or "kept" for _, b in pairs)
    print(f"\n### {title}: {len(pairs)} texts\n\n| rule | ours | reference |\n|---|---|---|")
    for name in sorted(set(ours) | set(theirs)):
        print(f"| {name} | {ours[name]} | {theirs[name]} |")
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    print(f"\n{len(differ)} texts differ" if differ else "\nEvery text falls to the same rule.")
    return not differ


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def predictions(data: Path) -> dict[str, list[str]]:
    """model -> its answers, in the order of the instructions."""
    return {
        path.stem: [str(row["response"]) for row in lines(path)]
        for path in sorted((data / "user_oriented_predictions").glob("*.jsonl"))
    }


def replay_rules(tasks: list[dict[str, Any]], seeds: list[str], answers: dict[str, list[str]]) -> bool:
    same = True
    instructions = [" ".join(t["instruction"].split()) for t in tasks]
    candidates = {
        "175 seeds and 252 user-oriented instructions": [" ".join(s.split()) for s in seeds] + instructions,
        "eight models' answers taken as candidate instructions": [
            " ".join(line.split()) for said in answers.values() for text in said for line in text.split("\n")
        ],
    }
    for title, texts in candidates.items():
        whole = [t for t in texts if t]
        pairs = [(first_broken(PUBLISHED_RULES, t), reference_instruction(t)) for t in whole]
        same &= compared(f"Self-Instruct's text rules, {title}", pairs)
    instances = [
        (task["instruction"], task["instances"][0]["input"].strip(), text.strip())
        for said in answers.values()
        for task, text in zip(tasks, said, strict=True)
    ]
    pairs = [(first_broken(INSTANCE_RULES, *row), reference_instance(row[1], row[2])) for row in instances]
    return compared("Self-Instruct's instance rules, eight models' answers", pairs) & same


def replay_best_of_n(tasks: list[dict[str, Any]], answers: dict[str, list[str]], folder: Path) -> bool:
    """The reward is ROUGE-L with the released reference answer, so anybody can say which pairs are right."""
    gold = {task_id(task): task["instances"][0]["output"] for task in tasks}
    records = [
        Record.born(task_id(task), answers=[Answer(said[at].strip(), by=model) for model, said in answers.items()])
        for at, task in enumerate(tasks)
    ]
    reward = folder / "replay_reward.py"
    reward.write_text(
        "import json\nfrom tuneworks.factory.rouge import ascii_tokens, rouge_l\n"
        f"GOLD = json.loads({json.dumps(json.dumps(gold))})\n"
        "def score(prompt, answer):\n    return rouge_l(ascii_tokens(answer), ascii_tokens(GOLD[prompt]))\n"
    )
    made = asyncio.run(ranked(records, BestOfN(n=0, reward=Function(file=str(reward)))))
    rows = {row["prompt"][0]["content"]: row for row in preference_rows(made)}
    right = wrong = none = 0
    for record in records:
        expected = extremes(record, gold[record.prompt_text])
        row = rows.get(record.prompt_text)
        if expected is None or row is None:
            none += expected is None and row is None
            wrong += (expected is None) != (row is None)
            continue
        got = (row["chosen"][0]["content"], row["rejected"][0]["content"])
        right += got == expected
        wrong += got != expected
    reward.unlink()
    print("\n### Best-of-8 over the eight models' answers, reward ROUGE-L with the reference answer\n")
    print(f"{len(records)} prompts: {right} pairs are the best and the worst answer, {none} have none as they should, ")
    print(f"{wrong} differ")
    return wrong == 0


def task_id(task: dict[str, Any]) -> str:
    return f"{task['instruction']}\n\n{task['instances'][0]['input']}".strip()


async def ranked(records: list[Record], best_of_n: BestOfN) -> list[Record]:
    engine = Scripted(lambda request: "")
    items = [item async for item in best_of_n.generate(records, engine, Dice(0, "replay"))]
    return [item for item in items if isinstance(item, Record)]


def extremes(record: Record, gold: str) -> tuple[str, str] | None:
    """The best and the worst of the different answers; None where all are equally good."""
    usable: dict[str, str] = {}
    for answer in record.answers:
        if answer.text:
            usable.setdefault(" ".join(answer.text.split()).casefold(), answer.text)
    scored = [(rouge_l(ascii_tokens(text), ascii_tokens(gold)), -at, text) for at, text in enumerate(usable.values())]
    if len(scored) < 2 or max(scored)[0] == min(scored)[0]:
        return None
    worst = min(scored, key=lambda s: (s[0], -s[1]))
    return max(scored)[2], worst[2]


def replay_hh(path: Path) -> bool:
    items = list(read_file(str(path), "hh", "file"))
    records = [item for item in items if isinstance(item, Record)]
    aside = [item for item in items if isinstance(item, Rejected)]
    different = [item for item in aside if "different prompts" in item.reason]
    prompts = Counter(tuple((m.role, m.content) for m in record.prompt) for record in records)
    longer = sum(len(r.answers[0].text) > len(r.answers[1].text) for r in records)
    print("\n### hh-rlhf, harmless-base, test\n")
    print(f"{len(items)} rows: {len(records)} pairs; the chosen answer is longer in {longer}, ")
    print(f"{sum(n > 1 for n in prompts.values())} prompts come more than once. Set aside:\n")
    for reason, count in Counter(re.sub(r"\d+", "N", item.reason) for item in aside).most_common():
        print(f"- {count}: {reason}")
    return len(different) == 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data: Path = parser.parse_args().data
    tasks, answers = lines(data / "user_oriented_instructions.jsonl"), predictions(data)
    seeds = [row["instruction"] for row in lines(data / "self_instruct_seed_tasks.jsonl")]
    print("\n".join(f"{model}: {sum(map(bool, said))} answers" for model, said in answers.items()))
    fine = replay_rules(tasks, seeds, answers)
    fine &= replay_best_of_n(tasks, answers, Path.cwd())
    fine &= replay_hh(data / "hh_harmless_test.jsonl.gz")
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
