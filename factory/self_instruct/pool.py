"""The pool of tasks: the seeds and what was made of them, with the rules and the novelty gate in front.

A candidate joins only if no text rule speaks against it and its ROUGE-L with every seed and every task made so far is
not over the limit (arXiv:2212.10560, section 2.2).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tuneworks.factory.errors import InputError
from tuneworks.factory.record import Record, Rejected
from tuneworks.factory.rouge import RougeIndex, Tokens, ascii_tokens, unicode_tokens
from tuneworks.factory.self_instruct.text_rules import TASK_RULES, Rule, RuleSet, task_complaint


@dataclass(frozen=True, slots=True)
class Gate:
    """What a candidate must pass."""

    most_similar: float = 0.7
    rules: Sequence[tuple[str, Rule]] = TASK_RULES["ours"]
    tokens: Tokens = unicode_tokens

    @classmethod
    def of(cls, rules: RuleSet, most_similar: float) -> "Gate":
        """The published gate compares as the package rouge_score does, which sees a-z and 0-9 alone."""
        return cls(most_similar, TASK_RULES[rules], ascii_tokens if rules == "published" else unicode_tokens)


class Pool:
    """`answered` says whether only seeds with an answer can be examples; every seed counts for what is new."""

    def __init__(self, seeds: Sequence[Record], stage: str, gate: Gate, answered: bool = False) -> None:
        self.stage = stage
        self.source = seeds[0].source
        self.made: list[Record] = []
        self._shown_seeds = [seed for seed in seeds if seed.answers or not answered]
        self._gate = gate
        self._index = RougeIndex(gate.tokens)
        for seed in seeds:
            self._index.add(str(seed.meta["instruction"]))

    def examples(self, rng: random.Random, count: int, made: int) -> list[Record]:
        """`count` tasks, shuffled: `made` of those made, as far as there are any, and seeds."""
        shown = rng.sample(self.made, min(made, len(self.made)))
        shown += rng.sample(self._shown_seeds, min(count - len(shown), len(self._shown_seeds)))
        rng.shuffle(shown)
        return shown

    def judged(self, candidate: Record) -> Record | Rejected:
        """The candidate with its nearest task and their ROUGE-L among its facts, now in the pool; or why it goes."""
        task = str(candidate.meta["instruction"])
        complaint = task_complaint(task, self._gate.rules)
        if complaint is not None:
            return Rejected(candidate, self.stage, complaint, "reply")
        nearest = self._index.nearest(task)
        text, score = (nearest.text, nearest.score) if nearest else ("", 0.0)
        candidate = candidate.with_meta(nearest=text, nearest_score=score)
        if score > self._gate.most_similar:
            over = f'ROUGE-L {score:.3f} with "{text}", over {self._gate.most_similar:g}'
            return Rejected(candidate, self.stage, over, "reply")
        self._index.add(task)
        self.made.append(candidate)
        return candidate


def seed_tasks(records: Sequence[Record], kind: str) -> list[Record]:
    """The records that say what their instruction is; what else a seed says is no where they are silent."""
    seeds = [
        r.with_meta(**{"input": "", "is_classification": False, **r.meta}) for r in records if r.meta.get("instruction")
    ]
    if not seeds:
        raise InputError(
            f"{kind} got {len(records)} records and none is a task with an instruction; "
            "start its source from seeds: builtin, or from a file with instructions"
        )
    return seeds
