"""What Evol-Instruct says to the model, in English and Chinese.

The paper's prompts hold rules and headings that large models follow and small ones copy. These are short, and examples
of our own (examples.py) go before them as earlier turns of the chat.
"""

from dataclasses import dataclass

from tuneworks.factory.language import Language


@dataclass(frozen=True, slots=True)
class Prompts:
    """An operator's prompt stands under the operator's name; {prompt} is the request that it evolves."""

    constraints: str
    deepen: str
    concretise: str
    reasoning: str
    complicate_input: str
    """{data} is the form of the data that the new request comes with."""
    breadth: str
    equal: str
    """Asks whether the requests {first} and {second} are equal; answered with `same` or `different`."""
    same: str
    different: str
    label: str
    """What a model may write before the evolved request; it is taken off."""
    verdict: str
    """What a model may write before `same` or `different`; it is taken off."""
    leaks: tuple[str, ...]
    """Words that an evolved request has only when it speaks of its own rewriting."""
    chatter: tuple[str, ...]
    """Words of an assistant about itself, which no request holds that did not before (lower case)."""


ENGLISH = Prompts(
    constraints=(
        "Rewrite this request with one more constraint or requirement, in 10 to 20 more words. Keep all that it asks. "
        "Do not answer it.\n\n{prompt}"
    ),
    deepen=(
        "Rewrite this request so that it asks for more depth and breadth on its subject, in 10 to 20 more words. "
        "Do not answer it.\n\n{prompt}"
    ),
    concretise=(
        "Rewrite this request with specific things and cases in place of general ones, in 10 to 20 more words. "
        "Do not answer it.\n\n{prompt}"
    ),
    reasoning=(
        "Rewrite this request so that answering it takes several steps of reasoning, in 10 to 20 more words. "
        "Do not answer it.\n\n{prompt}"
    ),
    complicate_input=(
        "Rewrite this request so that it must be answered from {data}, and write that data out in full after it. "
        "Do not answer it.\n\n{prompt}"
    ),
    breadth=(
        "Write a new request of the same kind as this one, as long and as hard, about something rarer. "
        "It must make sense on its own. Do not answer it.\n\n{prompt}"
    ),
    equal=(
        "Compare two requests. Are they equal: the same conditions and requirements, the same depth and breadth?\n\n"
        "First: {first}\n\nSecond: {second}\n\nReply with Equal or Different."
    ),
    same="Equal",
    different="Different",
    label="New request",
    verdict="Verdict",
    leaks=(
        "given prompt", "rewritten prompt", "new prompt", "created prompt", "original prompt",
        "given request", "rewritten request", "new request", "original request", "this request",
        "do not answer it",
        "given instruction", "rewritten instruction", "original instruction",
    ),
    chatter=("as an ai", "ai assistant", "how can i assist", "how may i assist", "how can i help", "glad to help",
             "happy to help", "happy to assist"),
)  # fmt: skip

CHINESE = Prompts(
    constraints="请改写下面的请求，多加一个限制或要求，增加二三十个字，原来的要求都要保留。不要回答它。\n\n{prompt}",
    deepen="请改写下面的请求，让它对主题问得更深、更广，增加二三十个字。不要回答它。\n\n{prompt}",
    concretise="请改写下面的请求，把笼统的说法换成具体的事物和情形，增加二三十个字。不要回答它。\n\n{prompt}",
    reasoning="请改写下面的请求，让人必须经过几步推理才能回答，增加二三十个字。不要回答它。\n\n{prompt}",
    complicate_input="请改写下面的请求，让人必须根据{data}来回答，并在后面完整写出这些数据。不要回答它。\n\n{prompt}",
    breadth="请写一个和下面同类的新请求，长度和难度相当，但换一个更少见的主题，单独读也能看懂。不要回答它。\n\n{prompt}",
    equal=(
        "请比较两个请求。它们是否等同，也就是条件和要求一样，深度和广度也一样？\n\n"
        "第一个：{first}\n\n第二个：{second}\n\n请只回复“等同”或“不同”。"
    ),
    same="等同",
    different="不同",
    label="新请求",
    verdict="结论",
    leaks=(
        "给定的提示", "给定提示", "原提示", "改写后的提示", "新提示", "原请求", "改写后的请求", "新请求", "下面的请求",
        "这个请求", "给定的指令", "改写后的指令", "不要回答它",
    ),
    chatter=("作为ai", "作为人工智能", "作为一个人工智能", "ai助手", "有什么可以帮", "很高兴为您", "很高兴帮"),
)  # fmt: skip

PROMPTS: dict[Language, Prompts] = {"en": ENGLISH, "zh": CHINESE}
