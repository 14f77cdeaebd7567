"""What a reward says of a quality model's answers: those asked for in the best quality beside those in the worst."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tuneworks.factory.reward import Reward
from tuneworks.trainers.computed_rewards import Turns, rewards_of
from tuneworks.trainers.held import Held
from tuneworks.trainers.job import Job
from tuneworks.trainers.paired import interval


def rewarded(held: Sequence[Held], said: Mapping[str, Sequence[str]], job: Job, reward: Reward) -> dict[str, Any]:
    """What the reward gives the answers asked for in the best and the worst quality, and how far apart they are."""
    sides = {
        label: [rewards_of(_uncontrolled(one, label), [text], reward)[0] for one, text in zip(held, texts, strict=True)]
        for label, texts in said.items()
    }
    (best, high), (worst, low) = sides.items()
    both = [(one, other) for one, other in zip(high, low, strict=True) if one is not None and other is not None]
    if not both:
        job.say(f"{reward.kind} scored no held-out answer under both controls")
        return {"prompts": 0}
    mean, lowest, highest = interval([one - other for one, other in both], job.plan.seed)
    job.say(
        f"{reward.kind}: answers asked for as {best} score {mean:+.3f} [{lowest:+.3f}, {highest:+.3f}] above those "
        f"asked for as {worst}, over {len(both)} held-out prompts (95% of paired bootstraps)"
    )
    means = {best: fmean(one for one, _ in both), worst: fmean(other for _, other in both)}
    return {"prompts": len(both), "means": means, "difference": mean, "low": lowest, "high": highest}


def _uncontrolled(held: Held, label: str) -> Turns:
    """What asks for a quality is not the reward's to read."""
    return [turn for turn in held.prompts[label] if turn["role"] != "system"]
