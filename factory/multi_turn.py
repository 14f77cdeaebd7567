"""Multi-turn: a record becomes a conversation. The model plays the person, asking on, and then answers.

What a person asks next comes in the person's own voice: a follow-up that asks an earlier question again, only says
thanks, or answers instead of asking is asked for again, a bounded number of times.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from pydantic import Field

from tuneworks.factory.answer import Answering
from tuneworks.factory.dice import Dice
from tuneworks.factory.engine import Engine, Request
from tuneworks.factory.example_turns import example_turns
from tuneworks.factory.flight import in_order
from tuneworks.factory.form import Filled, Form, fill
from tuneworks.factory.language import Language, language_of
from tuneworks.factory.plugin import File
from tuneworks.factory.prompts import filled, load_prompts
from tuneworks.factory.record import Answer, Message, Record, Rejected, best_answer
from tuneworks.factory.rouge import rouge_l, unicode_tokens
from tuneworks.factory.wording import asks_nothing

TEMPERATURE, TOP_P = 0.7, 0.9
TOKENS = 120
MOST_WORDS = 80
"""Most words of a follow-up; a longer one has begun to answer."""
SAME = 0.7
"""ROUGE-L with an earlier turn from which a follow-up counts as a repetition of it."""


@dataclass(frozen=True, slots=True)
class Prompts:
    ask: str
    """Asks for the person's next message after {conversation}."""
    examples: tuple[tuple[str, str, str], ...]
    """What was asked, what was answered, what was asked next: shown as earlier turns."""
    user: str
    """What the person is called in the conversation as it is shown."""
    assistant: str
    label: str
    """What the message is called in a reply."""
    leaks: tuple[str, ...]
    """Words of `ask` that a person in the conversation would not say."""


PROMPTS: Mapping[Language, Prompts] = {
    "en": Prompts(
        ask=(
            "Here is a conversation between a person and an assistant.\n\n{conversation}\n\n"
            "Write one short question that the person asks next about the assistant's last answer."
        ),
        examples=(
            (
                "How long does it take to boil an egg?",
                "About four minutes for a soft yolk and nine for a hard one.",
                "Does that change if the egg comes straight from the fridge?",
            ),
            (
                "Name three things to see in Rome.",
                "The Colosseum, the Pantheon and the Vatican Museums.",
                "Which of these three should I visit first, and why?",
            ),
            (
                "Make this sound polite: Send me the file.",
                "Could you please send me the file when you have a moment?",
                "Can you make it a little more urgent?",
            ),
        ),
        user="Person",
        assistant="Assistant",
        label="Question",
        leaks=("follow-up", "the conversation", "previous conversation", "the person", "the assistant"),
    ),
    "zh": Prompts(
        ask="下面是用户和助手的对话。\n\n{conversation}\n\n请写出用户看到助手最后的回答以后，接着会问的一个简短问题。",
        examples=(
            ("煮鸡蛋要多长时间？", "溏心蛋大约四分钟，全熟大约九分钟。", "如果鸡蛋刚从冰箱里拿出来，时间要变吗？"),
            ("说出罗马的三个景点。", "斗兽场、万神殿和梵蒂冈博物馆。", "这三个里我应该先去哪一个？"),
            ("把这句话改得礼貌些：把文件发给我。", "方便的时候，请您把文件发给我，好吗？", "能不能再正式一点？"),
        ),
        user="用户",
        assistant="助手",
        label="问题",
        leaks=("对话", "助手", "用户"),
    ),
}


class MultiTurn(Answering):
    """Continue each record as a conversation: the model asks on as the person would, then answers."""

    kind: ClassVar[str] = "multi_turn"

    turns: int = Field(default=1, ge=1, le=10)
    """How many more times the person asks. Where a turn cannot be made, the record keeps those before it."""
    prompts: File | None = None
    """A YAML file with prompts of your own in the place of ours."""

    def check(self) -> None:
        super().check()
        load_prompts(self.prompts, PROMPTS)

    def calls(self, records: int) -> int:
        return records * 2 * self.turns

    async def generate(self, records: Sequence[Record], engine: Engine, dice: Dice) -> AsyncIterator[Record | Rejected]:
        prompts = load_prompts(self.prompts, PROMPTS)
        async for items in in_order((partial(self._continued, r, engine, dice, prompts) for r in records), engine.room):
            for item in items:
                yield item

    async def _continued(
        self, record: Record, engine: Engine, dice: Dice, prompts: Mapping[Language, Prompts]
    ) -> list[Record | Rejected]:
        """What was set aside, and the conversation as far as it came."""
        conversation = record
        if not _best(record).text.strip():
            first = await self.sample(record, engine, dice, "first")
            if isinstance(first, Rejected):
                return [Rejected(first.record, dice.stage, first.reason)]
            conversation = record.with_answers([first])
        for turn in range(1, self.turns + 1):
            asked = await self._asked(record, conversation, turn, engine, dice, prompts)
            if isinstance(asked, Rejected):
                return [asked, conversation]
            answer = await self.sample(asked, engine, dice, "answer")
            if isinstance(answer, Rejected):
                return [answer, conversation]
            conversation = asked.with_answers([answer])
        return [conversation]

    async def _asked(
        self, record: Record, conversation: Record, turn: int, engine: Engine, dice: Dice,
        prompts: Mapping[Language, Prompts],
    ) -> Record | Rejected:  # fmt: skip
        """The conversation with its best answer and the person's next turn, not yet answered."""
        language = language_of(record.prompt_text)
        ours = prompts[language]
        said = (*conversation.prompt, Message("assistant", _best(conversation).text))
        form = Form({"message": ours.label})
        shown = [
            (asking((Message("user", a), Message("assistant", b)), ours), {"message": c}) for a, b, c in ours.examples
        ]
        request = Request(
            (*example_turns(form, shown, engine, language), Message("user", asking(said, ours))),
            max_tokens=TOKENS,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            seed=dice.number("person", record.id, turn),
        )
        made = await fill(form, request, engine, language, lambda texts: no_follow_up(texts["message"], said, ours))
        meta = {**record.meta, "turns": sum(m.role == "user" for m in said) + 1}
        if not isinstance(made, Filled):
            return made.rejected(dice.stage, engine.name, source=record.source, parents=(record.id,), meta=meta)
        prompt = (*said, Message("user", made.texts["message"]))
        return Record.born(prompt, source=record.source, parents=(record.id,), meta=meta)


def _best(record: Record) -> Answer:
    return best_answer(record) or Answer("")


def asking(turns: Sequence[Message], prompts: Prompts) -> str:
    """What asks for the person's next turn; what a system message says is not part of the conversation."""
    names = {"user": prompts.user, "assistant": prompts.assistant}
    written = "\n\n".join(f"{names[m.role]}: {m.content}" for m in turns if m.role in names)
    return filled(prompts.ask, conversation=written)


def no_follow_up(text: str, said: Sequence[Message], prompts: Prompts) -> str | None:
    """Why a text cannot be what the person says next, or None."""
    words = unicode_tokens(text)
    if len(words) > MOST_WORDS:
        return f"{len(words)} words, more than {MOST_WORDS}"
    for turn in said:
        if (score := rouge_l(words, unicode_tokens(turn.content))) > SAME:
            whose = "earlier question" if turn.role == "user" else "answer"
            return f"it repeats an {whose}: ROUGE-L {score:.3f}, over {SAME:g}"
    if any(rouge_l(words, unicode_tokens(shown)) > SAME for *_, shown in prompts.examples):
        return "it repeats an example of the prompt"
    if leak := next((words for words in prompts.leaks if words in text.lower()), None):
        return f'it speaks of the asking: "{leak}"'
    return plays_assistant(text, prompts) or only_thanks(text) or asks_nothing(text)


_SERVES = re.compile(
    r"\W*(?:(?:sure|certainly|absolutely|of course|great question)\b[,.!:]"
    r"|(?:here (?:is|are)|here's) (?:a|an|some|the|my|your|\d+)\b|i(?:'d| would) be (?:happy|glad) to\b"
    r"|(?:how|what) (?:can|may|else can) i (?:help|do for|assist)\b|as an ai\b|yes, (?:i can|you can|the|it)\b"
    r"|(?:当然|没问题|好的)[，,。！!]?(?:以下|下面|我(?:可以|来|会))|以下是|作为(?:一[个名])?(?:ai|人工智能|助手)|我很乐意)",
    re.IGNORECASE,
)


_OTHERS = ("User", "Human", "Answer", "The answer", "答案", "回答")


def plays_assistant(text: str, prompts: Prompts) -> str | None:
    """Why it is the assistant who speaks: it opens by serving, or goes on with turns of the conversation."""
    if opening := _SERVES.match(text.replace("’", "'")):
        return f'it answers instead of asking: "{opening[0].strip()}"'
    names = "|".join(re.escape(name) for name in (prompts.user, prompts.assistant, *_OTHERS))
    label = re.search(rf"(?:\A|\n)\W{{0,4}}({names})\W{{0,3}}[:：]", text, re.IGNORECASE)
    return f'it holds a turn of "{label[1]}"' if label else None


_THANKS = re.compile(
    r"\bthank|\bthx\b|\bappreciate|\b(?:great|perfect|awesome|wonderful|helpful|got it|okay|ok|i see)\b"
    r"|谢|感激|明白了|知道了|有帮助|太好了|好的",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"[?？]|\b(?:please|now|but|also|can|could|would|what|how|why|which|where|when|who|make|give|tell|show|explain|add"
    r"|write|list)\b|[请吗呢再换哪]|帮我|什么|怎么|如何|多少|可以|能不能",
    re.IGNORECASE,
)


def only_thanks(text: str) -> str | None:
    """Why it asks for nothing more: every sentence of it thanks or agrees."""
    sentences = [s for s in re.split(r"(?<=[.!?。！？])|\n", text) if unicode_tokens(s)]
    polite = [s for s in sentences if _THANKS.search(s) and not _WANTS.search(s)]
    return "it only says thanks" if sentences and len(polite) == len(sentences) else None
