"""Quality-conditioned fine-tuning: the model learns good and bad answers, and when to give which."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import ValidationInfo, field_validator, model_validator

from tuneworks.factory.errors import InputError, RecipeError
from tuneworks.factory.reward import Reward
from tuneworks.factory.weights import locate
from tuneworks.trainers.computed_rewards import refuse_judges
from tuneworks.trainers.loading import is_adapter
from tuneworks.trainers.rows import answers_learned, ordered
from tuneworks.trainers.sft import Sft
from tuneworks.trainers.spoken import Which
from tuneworks.trainers.trl_trainer import Tuning

if TYPE_CHECKING:
    from tuneworks.trainers.job import Job
    from tuneworks.trainers.labelled import Labelling

WHOLE = ("lora", "rslora", "dora", "full")
"""Ways to tune that end in a whole model, and can train the embeddings of new tokens."""

WHERE = {
    "text": "the last line of the system turn",
    "token": "behind the header of the answer: apply_chat_template(..., control=TOKEN), else the best is asked for",
}


class Quality(Sft):
    """Supervised fine-tuning on answers of every quality, each asked for in the prompt.

    On held-out rows it measures whether the control steers: the loss of answers of each quality under each
    control, how many greedy answers change with it, and what a reward says of them.
    """

    kind: ClassVar[str] = "quality"
    rows: ClassVar[str] = "quality"
    learning_rate: ClassVar[Mapping[Tuning, float]] = {"lora": 1e-3, "full": 5e-5}

    turns: Which = "last"
    """`last`: the quality that is asked for is that of the last answer."""
    control: Literal["text", "token"] = "text"
    """What asks: the line of the system turn that the rows bring along, or a special token for each quality behind the
    header of the answer. With tokens the whole model is saved, and its chat template asks for the best."""
    reward: Reward | None = None
    """Scores answers to held-out prompts asked for in the best and in the worst quality: classifier, function ..."""

    @model_validator(mode="after")
    def _last_turn(self) -> Self:
        if self.turns != "last":
            raise ValueError("quality is asked for of the last answer alone; leave turns out, or train sft")
        return self

    @field_validator("reward", mode="before")
    @classmethod
    def _named(cls, value: object, info: ValidationInfo) -> Reward | None:
        return None if value is None else Reward.nested(value, info)

    def check(self) -> None:
        if self.control == "token" and self.tuning not in WHOLE:
            raise RecipeError(
                f"quality: tuning {self.tuning} cannot learn new tokens; take {', '.join(WHOLE)}, or control: text"
            )
        super().check()
        if self.control == "token" and self.bits is not None:
            raise RecipeError("quality: new tokens need weights that can be merged into; leave bits out")
        if self.control == "token" and self.follows is None and is_adapter(locate(self.model)):
            raise RecipeError(f"quality: {self.model} is an adapter, to which tokens cannot be added; merge it first")
        if self.reward is not None:
            refuse_judges(self.reward, self.kind)

    def columns(self) -> tuple[str, ...]:
        return (*super().columns(), "quality", "control")

    def labelling(self, job: "Job", args: Any) -> "Labelling":
        from tuneworks.trainers.control_tokens import add_to_tokenizer
        from tuneworks.trainers.controlled_rows import ControlledLabelling

        plain = super().labelling(job, args)
        if self.control == "token":
            if any(answers_learned(quality) > 1 for quality in job.train["quality"]):
                raise InputError("rows of hindsight ask in words, each answer for itself; write control: text")
            add_to_tokenizer(job.tokenizer, self.labels(job))
        return ControlledLabelling(
            plain.tokenizer, plain.turns, plain.max_length, plain.kept, plain.everything, self.tokens(job)
        )

    def tokens(self, job: "Job") -> dict[str, int]:
        """The number of the token of each quality; empty where words control."""
        return {label: self.number(job, label) for label in self.labels(job)} if self.control == "token" else {}

    def begun(self, job: "Job") -> Any:
        model = super().begun(job)
        if self.control == "token":
            from tuneworks.trainers.control_tokens import add_to_model

            add_to_model(model, list(self.tokens(job).values()))
        return model

    def adapter(self, job: "Job", rows: int) -> Any:
        config = super().adapter(job, rows)
        if config is not None and self.control == "token":
            config.trainable_token_indices = list(self.tokens(job).values())
        return config

    def labels(self, job: "Job") -> list[str]:
        """The qualities that its rows ask for, the worst first."""
        return ordered(set(job.train["quality"]))

    def number(self, job: "Job", label: str) -> int:
        from tuneworks.trainers.control_tokens import token_of

        found = job.tokenizer.convert_tokens_to_ids(token_of(label))
        assert isinstance(found, int)  # one token was asked for
        return found

    def after(self, job: "Job", model: Any) -> dict[str, Any]:
        from tuneworks.trainers.steering import held_of, steering

        held = held_of(job) if job.test is not None else []
        if held:
            found = steering(held, model, job, self)
        else:
            job.say("no held-out record has a good and a bad answer: whether the control steers is not measured")
        self.leave_controls(job)
        return {"steering": found if held else None}

    def leave_controls(self, job: "Job") -> None:
        """How to ask for a quality goes to control.json, and with tokens into the chat template too."""
        from tuneworks.trainers.steering import texts_of

        if not self.labels(job):
            return
        texts: Mapping[str, Any] = texts_of(job.train)
        if self.control == "token":
            from tuneworks.trainers.control_tokens import asking_for, token_of

            job.tokenizer.chat_template = asking_for(job.tokenizer.chat_template, self.labels(job)[-1])
            texts = {label: token_of(label) for label in self.labels(job)}
        told = {"best": self.labels(job)[-1], "where": WHERE[self.control], "controls": texts}
        text = json.dumps(told, indent=2, ensure_ascii=False)
        (job.into / "control.json").write_text(f"{text}\n", encoding="utf-8")

    def encoded(self, job: "Job", prompt: Any, completion: Any, label: str) -> tuple[list[int], int]:
        """The tokens of an answer under the control of `label`, which `prompt` already has where texts control."""
        from tuneworks.trainers.masks import encode

        tokens, start = encode(job.tokenizer, prompt, completion)
        if self.control == "text":
            return tokens, start
        return [*tokens[:start], self.number(job, label), *tokens[start:]], start + 1

    def asked(self, job: "Job", prompt: Any, label: str) -> str:
        """What the model is to go on from when it gives an answer under that control."""
        text = str(job.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False))
        if self.control == "text":
            return text
        return f"{text}{job.tokenizer.convert_ids_to_tokens(self.number(job, label))}"

    def to_save(self, model: Any, job: "Job") -> Any:
        """With tokens a whole model: the adapter alone would need a base of another size than it names."""
        return model if self.control == "text" or self.tuning == "full" else model.merge_and_unload()
