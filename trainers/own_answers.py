"""What a model is told of the answers it writes while it trains, and how good its answers to held-out prompts are."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from datasets import Dataset

from tuneworks.factory.errors import InputError, TuneworksError
from tuneworks.factory.reward import Reward
from tuneworks.trainers.computed_rewards import Turns, rewards_of
from tuneworks.trainers.job import Job
from tuneworks.trainers.masks import MOST_CUT
from tuneworks.trainers.paired import told_rewards
from tuneworks.trainers.steering import replies

HELD = 32
"""Most held-out prompts that are answered."""


def scoring(reward: Reward) -> Callable[..., list[float | None]]:
    """The reward as TRL calls it: answers to one prompt come one after the other, and are scored together."""

    def score(prompts: Sequence[Turns], completions: Sequence[Turns], **columns: Any) -> list[float | None]:
        references = columns.get("reference") or [None] * len(prompts)
        rows = list(zip(prompts, completions, references, strict=True))
        found = [one for _, group in groupby(rows, key=lambda row: (row[0], row[2])) for one in _rewards(list(group))]
        if found and all(one is None for one in found):
            raise TuneworksError(
                f"the reward {reward.kind} can tell of none of {len(found)} answers; try it on a few with best_of_n"
            )
        return found

    def _rewards(rows: list[tuple[Turns, Turns, str | None]]) -> list[float | None]:
        prompt, _, reference = rows[0]
        return rewards_of(prompt, [answer[-1]["content"] for _, answer, _ in rows], reward, reference)

    score.__name__ = reward.kind
    return score


def readable(job: Job) -> Dataset:
    """The prompts that leave room for an answer; how many do not is said, and too many are refused."""
    longest = getattr(job.model().config.get_text_config(), "max_position_embeddings", None)
    room = longest - int(job.arguments["max_completion_length"]) if longest else None
    if room is None:
        return job.train
    if room < 1:
        raise InputError(
            f"max_completion_length is {job.arguments['max_completion_length']}, and the model reads {longest} tokens "
            "with the prompt; lower it under args"
        )
    fit = [len(tokens_of(job, row["prompt"])) <= room for row in job.train]
    left_out = fit.count(False)
    if left_out > MOST_CUT * len(fit):
        raise InputError(
            f"{left_out} of {len(fit)} prompts are longer than {room} tokens, and {longest} are what the model reads "
            "with an answer; lower max_completion_length under args, or drop long prompts with the filter length"
        )
    if left_out:
        job.say(f"{left_out} of {len(fit)} prompts are longer than {room} tokens and left out")
    return job.train.select([at for at, fits in enumerate(fit) if fits])


def tokens_of(job: Job, prompt: Any) -> list[int]:
    """A prompt up to where its answer begins."""
    text = str(job.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False))
    return list(job.tokenizer(text, add_special_tokens=False)["input_ids"])


def held_out_rewards(job: Job, model: Any, reward: Reward) -> list[float | None] | None:
    """The reward of the most likely answer to each held-out prompt, of up to HELD; None where there are none."""
    if job.test is None:
        return None
    held = [job.test[at] for at in range(min(HELD, len(job.test)))]
    texts = [
        str(job.tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False))
        for row in held
    ]
    training = model.training
    model.eval()
    said = replies(texts, model, job)
    model.train(training)
    return [
        rewards_of(row["prompt"], [text], reward, row.get("reference"))[0] for row, text in zip(held, said, strict=True)
    ]


def compared(job: Job, metrics: dict[str, Any]) -> dict[str, Any]:
    """The held-out rewards before and after as what they tell: means, and their difference with its interval."""
    before, after = metrics.pop("held_out_rewards_before", None), metrics.pop("held_out_rewards_after", None)
    log = [entry["reward"] for entry in metrics["log"] if "reward" in entry]
    metrics |= {"first_reward": log[0], "last_reward": log[-1]} if log else {}
    if log and all(entry.get("reward_std") == 0 for entry in metrics["log"]):
        job.say("in every step all answers to a prompt had the same reward, so nothing was learned; see the reward")
    return metrics | {"held_out_reward": told_rewards(before or [], after or [], job.plan.seed, job.say)}
