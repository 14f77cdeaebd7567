"""What Constitutional AI says to the model around each principle, in English and Chinese."""

from dataclasses import dataclass

from tuneworks.factory.language import Language


@dataclass(frozen=True, slots=True)
class Prompts:
    critique: str
    """Asks for a critique: the {conversation} with its last answer, and a principle's {request}."""
    revision: str
    """Asks for a revision: the {conversation}, its {critique}, and the principle's {request}."""
    system: str
    """Before each message of the conversation, who speaks."""
    user: str
    assistant: str
    critique_label: str
    """What a model may write before its critique, and is taken off."""
    revision_label: str


ENGLISH = Prompts(
    critique=(
        "{conversation}\n\nThis was a conversation. Criticise the assistant's last answer in one or two sentences. "
        "{request} If nothing is wrong, say so."
    ),
    revision=(
        "{conversation}\n\nThis was a conversation. A critic says about the assistant's last answer: {critique}\n\n"
        "{request} If nothing is wrong with it, repeat it as it is. Write only the answer."
    ),
    system="Instructions:",
    user="User:",
    assistant="Assistant:",
    critique_label="Critique",
    revision_label="Answer",
)

CHINESE = Prompts(
    critique="{conversation}\n\n以上是一段对话。请用一两句话评论助手的最后一个回答。{request}如果没有问题，就直接说没有问题。",
    revision="{conversation}\n\n以上是一段对话。对助手最后一个回答的评论：{critique}\n\n{request}如果没有问题，就原样重复。只写回答。",
    system="要求：",
    user="用户：",
    assistant="助手：",
    critique_label="评论",
    revision_label="回答",
)

PROMPTS: dict[Language, Prompts] = {"en": ENGLISH, "zh": CHINESE}
