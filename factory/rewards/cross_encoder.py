"""Cross encoder: a model of sentence-transformers that reads prompt and answer together and gives one number.

The number is the logit, before the sigmoid that sentence-transformers would put on it: near 1 a sigmoid makes ties.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar

from tuneworks.factory.engine import Engine
from tuneworks.factory.engines.transformers import require_torch
from tuneworks.factory.errors import MissingExtra, RecipeError
from tuneworks.factory.record import Answer, Record
from tuneworks.factory.reward import Reward, Scores, whole_prompt
from tuneworks.factory.rewards.folder import labels_of, read_config, require_head
from tuneworks.factory.rewards.scoring import alone, score_each
from tuneworks.factory.weights import loading, prepare

PACKAGE = "sentence_transformers"
HEADS = ("SequenceClassification", "ForCausalLM")  # a language model says yes or no


class CrossEncoder(Reward):
    """A cross encoder (sentence-transformers) scores prompt and answer as a pair."""

    kind: ClassVar[str] = "cross_encoder"

    model: str
    """A folder or a Hub id of a cross encoder or reranker with one output."""

    def check(self) -> None:
        require_packages(self.model)
        config = read_config(self.model)
        if config is not None:
            require_one_output(self.model, config)

    async def score(self, record: Record, answer: Answer, engine: Engine) -> float:
        return await alone(self, record, answer, engine)

    async def scores(self, record: Record, answers: Sequence[Answer], engine: Engine) -> list[Scores]:
        return await score_each(f"the cross encoder {self.model}", self._score_now, record, answers)

    def _score_now(self, record: Record, answer: Answer) -> float:
        """Computes; call it in the thread of rewards only."""
        return loaded(self.model).score(whole_prompt(record), answer.text)


def require_packages(model: str) -> None:
    require_torch(f"the cross encoder {model}")
    if find_spec(PACKAGE) is None:
        raise MissingExtra("sentence-transformers", "embed", f"the cross encoder {model}")


def require_one_output(model: str, config: Any) -> None:
    require_head(model, config, HEADS)
    reads_words = "ForCausalLM" in str(config.get("architectures"))
    if not reads_words and len(labels := labels_of(config)) > 1:
        raise RecipeError(
            f"the model {model} has {len(labels)} labels; use it as a classifier and say which with label"
        )


class LoadedEncoder:
    """Loads at once; float32 and one pair at a time, as the classifier does and for its reasons."""

    def __init__(self, name: str) -> None:
        require_packages(name)
        import torch
        from sentence_transformers import CrossEncoder as Encoder
        from transformers.utils.logging import disable_progress_bar

        from tuneworks.factory.engines.decoding import device_and_dtype
        from tuneworks.factory.rewards.sequence_classification import UNLIMITED, longest

        disable_progress_bar()
        self.name = name
        device, _ = device_and_dtype()
        self.encoder: Any = Encoder(prepare(name), device=device, model_kwargs={"dtype": torch.float32})
        require_one_output(name, self.encoder.config.to_dict())
        self.as_it_is = torch.nn.Identity()
        self.longest = longest(self.encoder.tokenizer, self.encoder.config)
        self.encoder.max_seq_length = UNLIMITED  # nothing is cut unseen: what is too long is counted, and refused

    def score(self, prompt: str, answer: str) -> float:
        from tuneworks.factory.rewards.sequence_classification import require_room

        pair = [(prompt, answer)]
        require_room(self.name, self.encoder.preprocess(pair)["input_ids"].shape[1], self.longest)
        return float(self.encoder.predict(pair, activation_fn=self.as_it_is, show_progress_bar=False)[0])


@cache
def loaded(name: str) -> LoadedEncoder:
    with loading(f"the cross encoder {name}"):
        return LoadedEncoder(name)
