"""Checks of the claims about difficulty, mixing, quality prompts and the rows that trainers read."""

import math

import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.formats import Formats
from tuneworks.factory.record import Answer, Message, Record
from tuneworks.filters.perplexity import MEASURES, Perplexity
from tuneworks.pipelines.conformance.rule import tried
from tuneworks.pipelines.mixing.drawing import Counts, drawn
from tuneworks.pipelines.mixing.facts import AMOUNT
from tuneworks.pipelines.mixing.quotas import quotas
from tuneworks.pipelines.recipe import Mix
from tuneworks.trainers.arguments import known_names
from tuneworks.trainers.rows import PREFERENCE, QUALITY, SFT, quality_rows

KINDS = 2


def _measured(values: list[float | None], by: str) -> pl.DataFrame:
    """Measurements of two kinds, one ten times as hard as the other throughout."""
    both = [*values, *(v and 10 * v for v in values)]
    frame = pl.DataFrame({by: both}, schema={by: pl.Float64()})
    rest = {
        name: pl.lit(None, dtype=dtype) for name, dtype in MEASURES.items() if name not in (by, "tokens", "longest")
    }
    kinds = [kind for kind in "ab" for _ in values]
    return frame.with_columns(**rest).with_columns(
        tokens=pl.lit(9, dtype=pl.UInt32), longest=pl.lit(2048, dtype=pl.UInt32), bucket=pl.lit(3),
        kind=pl.Series(kinds), id=pl.Series([f"{n:03d}" for n in range(len(both))]),
    )  # fmt: skip


def band_within_strata() -> bool:
    reasons = Perplexity(keep=(0.1, 0.9)).reject(_measured([float(n) for n in range(1, 11)], "perplexity"))
    return [at for at, reason in enumerate(reasons) if reason] == [0, 9, 10, 19]


class _Letters:
    """A tokenizer whose tokens are characters, with a chat template."""

    def apply_chat_template(self, turns: list[dict[str, str]], tokenize: bool, add_generation_prompt: bool) -> str:
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in turns) + "<assistant>" * add_generation_prompt

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def template_is_used() -> bool:
    from tuneworks.factory.engines.prompts import Prompts

    context, answer = Prompts(_Letters()).given([Message("user", "Name a fish.")], "A carp.")
    said = ["".join(map(chr, tokens)) for tokens in (context, answer)]
    return said == ["<user>Name a fish.<assistant>", "A carp."]


def ifd_over_one_goes() -> bool:
    reasons = Perplexity(by="ifd", keep=(0, 1)).reject(_measured([0.05, 1.5], "ifd"))
    return [bool(reason) for reason in reasons] == [False, True, False, True]


def unmeasured_is_said() -> bool:
    reasons = Perplexity().reject(_measured([None], "perplexity"))
    return all("longer than the 2048 tokens" in str(reason) for reason in reasons)


def _mixed(cap: int) -> Counts:
    """How often each of 50 records is taken."""
    facts = pl.DataFrame({AMOUNT: [1] * 50}, schema={AMOUNT: pl.UInt32()})
    return drawn({"many": facts}, Mix(cap=cap), Dice(0, "mix"))["many"].times


def published_rates() -> bool:
    rows = {"gsm8k": 7473, "qasc": 1084, "strategyqa": 2061}
    made = quotas(rows, cap=3000, temperature=2, scale=1.2)
    raised = {name: min(1.2 * n, 3000) ** 0.5 for name, n in rows.items()}
    return all(math.isclose(made[name].rate, raised[name] / sum(raised.values())) for name in rows)


def fixed_shares() -> bool:
    made = quotas({"flan": 900, "t0": 900, "cot": 900}, size=100, shares={"flan": 0.4, "cot": 0.05})
    return [made[name].quota for name in ("flan", "t0", "cot")] == [40, 55, 5]


def no_row_twice() -> bool:
    times = _mixed(40)
    return int(times.sum()) == 40 and int(times.max()) == 1


def not_the_first_rows() -> bool:
    return int(_mixed(7)[:7].sum()) < 7


def few_shot_beside_zero_shot() -> bool:
    records = [Record.born(f"Name fish {n}.", answers=[Answer(f"Trout {n}")]) for n in range(8)]
    made = tried(Formats(few_shot=1.0), records, lambda request: "Trout").kept
    return {record.meta.get("format") for record in made} >= {"zero_shot", "few_shot"}


def _quality() -> list[dict[str, object]]:
    answers = [Answer(text, scores={"reward": float(at)}) for at, text in enumerate(("a", "b", "c", "d"))]
    return list(quality_rows(Record.born(f"Name fish {n}.", answers=answers) for n in range(300)))


def two_levels() -> bool:
    return {row["quality"] for row in _quality()} == {"good", "bad", "none"}


def nine_in_ten_controlled() -> bool:
    rows = _quality()
    plain = {row["id"] for row in rows if row["quality"] == "none"}
    return 15 <= len(plain) <= 45 and len({row["id"] for row in rows}) == 300


def ranked_in_one_loss() -> bool:
    import torch

    from tuneworks.trainers.rankings import rrhf, slic

    log_probs, rewards = torch.tensor([-2.0, -1.0]), torch.tensor([1.0, 0.0])
    return float(rrhf(log_probs, rewards)) == 1 and float(slic(log_probs, rewards, 1.0)) == 2


def dpo_args() -> bool:
    return {"beta", "loss_type", "label_smoothing"} <= set(known_names("DPOConfig"))


def conversational() -> bool:
    turns = pl.List(pl.Struct({"role": pl.String(), "content": pl.String()}))
    columns = [SFT["prompt"], SFT["completion"], PREFERENCE["chosen"], PREFERENCE["rejected"], QUALITY["prompt"]]
    return all(column == turns for column in columns)


def over_long_rows_are_counted() -> bool:
    from tuneworks.trainers.masks import MOST_CUT, MaskReport

    return "cut" in MaskReport.__dataclass_fields__ and MOST_CUT < 1
