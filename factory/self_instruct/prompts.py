"""What Self-Instruct says to the model, in English and Chinese."""

from dataclasses import dataclass

from tuneworks.factory.language import Language
from tuneworks.factory.self_instruct.sorting import Wording


@dataclass(frozen=True, slots=True)
class Prompts:
    list_tasks: str
    """Asks for the numbered list that the examples begin; {count} is its length."""
    classification: Wording
    """Stage 2: is it a classification task?"""
    needs_input: Wording
    """Stage 3: does the task work on a text that must be given with it?"""
    make_input: str
    """Asks for such a text, for the task {task}."""
    leaks: tuple[str, ...]
    """Words of `make_input` that a text made for it says only when it talks about the asking."""
    output_first: str
    """Before the examples of stage 3 for classification: the label is chosen first, so that all labels come up."""
    task: str
    label: str
    given: str


ENGLISH = Prompts(
    list_tasks=(
        "Write a numbered list of {count} different tasks that people could give to an assistant. "
        "Each is on a new subject and makes sense on its own."
    ),
    classification=Wording(
        ask=(
            "Say for each task whether its answer comes from a finite set of labels, such as categories or yes and no, "
            "or is open."
        ),
        task="Task:",
        answer="Labels:",
        yes=" finite",
        no=" open",
    ),
    needs_input=Wording(
        ask="Write the input of each task, or none.", task="Task:", answer="Input:", yes=" given", no=" none"
    ),
    make_input=(
        "Somebody will ask an assistant: {task}\n\n"
        "Write a short text, two or three sentences long, that this request could be about. Write the text only."
    ),
    leaks=("assistant", "request"),
    output_first=(
        "Each of these tasks asks for a label. Write one of the possible labels, then an input to which that label is "
        "the right answer."
    ),
    task="Task:",
    label="Label:",
    given="Input:",
)

CHINESE = Prompts(
    list_tasks="请列出{count}个人们可能交给助手的不同任务，并编号。每个任务换一个主题，单独读也能看懂。",
    classification=Wording(
        ask="请判断每个任务的答案是从有限的几个标签（例如类别，或者“是”与“否”）中选出来的，还是开放的。",
        task="任务：",
        answer="答案：",
        yes="有限",
        no="开放",
    ),
    needs_input=Wording(ask="请写出每个任务的输入，没有就写“无”。", task="任务：", answer="输入：", yes="有", no="无"),
    make_input="有人会这样请助手帮忙：{task}\n\n请写出这个请求可能针对的一小段文字，两三句话。只写这段文字。",
    leaks=("助手", "请求"),
    output_first="下面的任务都要给出一个标签。先写出一个可能的标签，再写出一段以它为正确答案的输入。",
    task="任务：",
    label="标签：",
    given="输入：",
)

PROMPTS: dict[Language, Prompts] = {"en": ENGLISH, "zh": CHINESE}
