"""Instruction back-translation (arXiv:2308.06259): from documents to instructions that they answer.

The document is the answer, written by a person; the model writes what somebody asked to get it. Then the model marks
each pair (the paper's self-curation), and only pairs with a high mark stay.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from pydantic import Field

from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.errors import EngineError, EngineUnavailable, InputError
from tuneworks.factory.example_turns import example_turns
from tuneworks.factory.flight import in_order
from tuneworks.factory.form import Filled, Form, fill
from tuneworks.factory.generator import Generator
from tuneworks.factory.judge import Judge
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import filled, load_prompts
from tuneworks.factory.record import REWARD, Answer, Fact, Message, Record, Rejected
from tuneworks.factory.rouge import rouge_l, unicode_tokens
from tuneworks.factory.wording import asks_nothing, needs_attachment

TEMPERATURE, TOP_P = 0.7, 0.9
TOKENS = 160
MOST_WORDS = 100
"""Most words of an instruction; a longer one has begun to write the document."""
COPIED = 0.7
"""ROUGE-L with a sentence of the document from which an instruction counts as copied out of it."""


@dataclass(frozen=True, slots=True)
class Prompts:
    ask: str
    """Asks for the instruction to which {document} is the answer."""
    label: str
    """What the instruction is called in a reply."""
    examples: tuple[tuple[str, str], ...]
    """Documents and instructions, shown as earlier turns."""
    pointing: tuple[str, ...]
    """Words that point at the document or the answer, which who asks does not have."""


PROMPTS: Mapping[Language, Prompts] = {
    "en": Prompts(
        ask=(
            "Here is an answer that an assistant gave:\n\n{document}\n\n"
            "Write the question or request that it answers, in one sentence."
        ),
        label="Request",
        examples=(
            (
                "Salt keeps meat from going bad, for it draws out the water, and without water bacteria cannot grow.",
                "Why does salt keep meat from going bad?",
            ),
            (
                "To clean a wooden board, rub it with half a lemon and coarse salt, rinse it, and let it dry upright.",
                "Explain how to clean a wooden chopping board.",
            ),
            (
                "Owls fly without a sound. The front edge of their feathers is like a comb and breaks up the air, and "
                "the soft back edge swallows the rest of the noise.",
                "How do owls manage to fly so quietly?",
            ),
        ),
        pointing=(
            *(f"{this} {text}" for this in ("the", "this") for text in ("text", "passage", "article", "document")),
            *("the author", "the answer", "answer is", "possible answer"),
        ),
    ),
    "zh": Prompts(
        ask="下面是助手给出的回答：\n\n{document}\n\n请用一句话写出它所回答的问题或请求。",
        label="请求",
        examples=(
            ("盐能让肉不容易变坏，因为它会吸走水分，没有水分，细菌就不能生长。", "为什么盐能让肉不容易变坏？"),
            ("清洗木砧板时，用半个柠檬蘸粗盐擦一遍，冲净后竖着晾干。", "请说明怎样清洗木砧板。"),
            (
                "猫头鹰飞行时几乎没有声音，因为羽毛的前缘像梳子一样把气流打散了。",
                "猫头鹰为什么能飞得这么安静？",
            ),
        ),
        pointing=tuple(
            f"{this}{text}" for this in ("这段", "这篇", "本", "上", "该") for text in ("文字", "文章", "文", "回答")
        ),
    ),
}


class BackTranslation(Generator):
    """Write for each document the instruction that it answers, and mark the pair (back-translation)."""

    kind: ClassVar[str] = "back_translation"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": {"min_mark": 4.5, "max_characters": 3000}}

    min_mark: float = Field(default=0.0, ge=0, le=5)
    """Pairs with a lower mark, 1 to 5, from the model as judge are rejected; 0 marks none."""
    max_characters: int = Field(default=3000, ge=1)
    """A longer document is cut at the last end of a paragraph before."""
    prompts: File | None = None
    """A YAML file with prompts of your own in the place of ours."""

    def check(self) -> None:
        super().check()
        load_prompts(self.prompts, PROMPTS)

    def calls(self, records: int) -> int:
        return records * (2 if self.min_mark else 1)

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        if not any(is_document(record) for record in records):
            raise InputError(
                f"back_translation got {len(records)} records and none is a document; "
                "start its source from a file with the column text or document"
            )
        prompts = load_prompts(self.prompts, PROMPTS)
        async for item in in_order((partial(self._pair, r, engine, dice, prompts) for r in records), engine.room):
            yield item

    async def _pair(
        self, document: Record, engine: Engine, dice: Dice, prompts: Mapping[Language, Prompts]
    ) -> Record | Rejected:
        if not is_document(document):
            return Rejected(document, dice.stage, "it is no document: its row had no column text or document")
        text = opening_part(document.prompt_text, self.max_characters)
        if text is None:
            long = len(document.prompt_text.strip().split("\n\n")[0])
            over = f"its first paragraph has {long} characters, over {self.max_characters}"
            return Rejected(document, dice.stage, over)
        made = await self._instruction(document, text, engine, dice, prompts[language_of(text)])
        return made if isinstance(made, Rejected) else await self._curated(made, engine, dice.stage)

    async def _instruction(
        self, document: Record, text: str, engine: Engine, dice: Dice, prompts: Prompts
    ) -> Record | Rejected:
        form, language = Form({"instruction": prompts.label}), language_of(text)
        shown = [(filled(prompts.ask, document=d), {"instruction": asked}) for d, asked in prompts.examples]
        request = Request(
            (*example_turns(form, shown, engine, language), Message("user", filled(prompts.ask, document=text))),
            max_tokens=TOKENS,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            seed=dice.number("instruction", document.id),
        )
        meta = {name: fact for name, fact in document.meta.items() if name != "document"}
        made = await fill(form, request, engine, language, lambda t: no_instruction(t["instruction"], text, prompts))
        if not isinstance(made, Filled):
            return made.rejected(dice.stage, engine.name, source=document.source, parents=(document.id,), meta=meta)
        instruction = made.texts["instruction"]
        facts: dict[str, Fact] = {"operator": self.kind, "instruction": instruction, "input": ""}
        if len(text) < len(document.prompt_text.strip()):
            facts |= {"characters": len(text), "document_characters": len(document.prompt_text.strip())}
        return Record.born(
            instruction,
            answers=[Answer(text, by="document")],
            source=document.source,
            parents=(document.id,),
            meta={**meta, **facts},
        )

    async def _curated(self, pair: Record, engine: Engine, stage: str) -> Record | Rejected:
        if not self.min_mark:
            return pair
        try:
            mark = await Judge().score(pair, pair.answers[0], engine)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Rejected(pair, stage, str(error))
        marked = pair.with_answers([replace(pair.answers[0], scores={REWARD: mark})])
        if mark >= self.min_mark:
            return marked
        return Rejected(marked, stage, f"the pair is marked {mark:.2f}, under {self.min_mark:g}")


def is_document(record: Record) -> bool:
    return record.meta.get("document") is True


def opening_part(document: str, most: int) -> str | None:
    """The document, or as many of its first paragraphs as have `most` characters; None where even one has more."""
    document = document.strip()
    if len(document) <= most:
        return document
    end = document.rfind("\n\n", 0, most + 1)
    return document[:end].rstrip() or None if end > 0 else None


def no_instruction(text: str, document: str, prompts: Prompts) -> str | None:
    """Why a text cannot be the instruction to which the document is the answer, or None."""
    words = unicode_tokens(text)
    if len(words) > MOST_WORDS:
        return f"{len(words)} words, more than {MOST_WORDS}"
    if said := next((phrase for phrase in prompts.pointing if phrase in text.lower()), None):
        return f'it points at the answer: "{said}"'
    if (request := prompts.ask.split("\n")[-1]) in text:
        return f'it repeats what the model was told: "{request}"'
    if any(rouge_l(words, unicode_tokens(shown)) > COPIED for _, shown in prompts.examples):
        return "it repeats an example of the prompt"
    return copied(text, document) or asks_nothing(text) or needs_attachment(text)


def copied(text: str, document: str) -> str | None:
    """Why it is taken out of the document: it is one of its sentences, or nearly."""
    words = unicode_tokens(text)
    ends = document.replace("\n", ". ").replace("。", ". ").replace("？", ". ").split(". ")
    closest = max((rouge_l(words, unicode_tokens(sentence)) for sentence in ends), default=0.0)
    return f"ROUGE-L {closest:.3f} with a sentence of the document, over {COPIED:g}" if closest > COPIED else None
