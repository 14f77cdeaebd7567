"""What Self-Instruct says to the model, in English and Chinese."""

from dataclasses import dataclass
from typing import Literal

from tuneworks.factory.language import Language
from tuneworks.factory.self_instruct.sorting import Wording

Prompting = Literal["chat", "few_shot"]


@dataclass(frozen=True, slots=True)
class Prompts:
    list_tasks: str
    """Asks for the numbered list that the examples begin; {count} is its length."""
    more_tasks: str
    """Asks for {count} tasks more than the {examples}, as JSON."""
    labels_ask: str
    """Stage 2: is the answer to a task one of a few labels, or open?"""
    labels_answer: str
    labels_yes: str
    labels_no: str
    input_ask: str
    """Stage 3: does the task work on a text that must be given with it?"""
    input_answer: str
    input_yes: str
    input_no: str
    make_input: str
    """Asks for such a text, for the task {task}."""
    leaks: tuple[str, ...]
    """Words of `make_input` that a text made for it says only when it talks about the asking."""
    output_first: str
    """Before the examples of stage 3 for classification: the label is chosen first, so that all labels come up."""
    classification_ask: str
    """Few-shot: before the examples that say of each task whether it is classification."""
    classification_answer: str
    classification_yes: str
    classification_no: str
    instances: str
    """Few-shot: before the examples of tasks, each with inputs and outputs."""
    task: str
    label: str
    given: str
    output: str
    example: str
    """Few-shot: stands with a number before each of a task's instances."""

    @property
    def classification(self) -> Wording:
        return Wording(self.labels_ask, self.task, self.labels_answer, self.labels_yes, self.labels_no)

    @property
    def needs_input(self) -> Wording:
        return Wording(self.input_ask, self.task, self.input_answer, self.input_yes, self.input_no)

    @property
    def is_classification(self) -> Wording:
        answer, yes, no = self.classification_answer, self.classification_yes, self.classification_no
        return Wording(self.classification_ask, self.task, answer, yes, no)


ENGLISH = Prompts(
    list_tasks=(
        "Write a numbered list of {count} different tasks that people could give to an assistant. "
        "Each is on a new subject and makes sense on its own."
    ),
    more_tasks=(
        "These are tasks that people gave to an assistant:\n{examples}\n\n"
        "Write {count} more, different from these and from each other. Each is on a new subject and makes sense on "
        'its own. Reply with a JSON object that has the list "tasks" of their texts.'
    ),
    labels_ask=(
        "Say for each task whether its answer comes from a finite set of labels, such as categories or yes and no, "
        "or is open."
    ),
    labels_answer="Labels:",
    labels_yes=" finite",
    labels_no=" open",
    input_ask="Write the input of each task, or none.",
    input_answer="Input:",
    input_yes=" given",
    input_no=" none",
    make_input=(
        "Somebody will ask an assistant: {task}\n\n"
        "Write a short text, two or three sentences long, that this request could be about. Write the text only."
    ),
    leaks=("assistant", "request"),
    output_first=(
        "Each of these tasks asks for a label. Write one of the possible labels, then an input to which that label is "
        "the right answer."
    ),
    classification_ask="Say for each task whether it is classification: whether its answer is one of a few labels.",
    classification_answer="Classification:",
    classification_yes=" Yes",
    classification_no=" No",
    instances=(
        "Write examples for each of these tasks, several where you can: an input and the output to it. "
        "Where a task needs no input, write the output alone."
    ),
    task="Task:",
    label="Label:",
    given="Input:",
    output="Output:",
    example="Example",
)

CHINESE = Prompts(
    list_tasks="请列出{count}个人们可能交给助手的不同任务，并编号。每个任务换一个主题，单独读也能看懂。",
    more_tasks=(
        "下面是人们交给助手的任务：\n{examples}\n\n请再写{count}个，与它们不同，彼此也不同。"
        "每个任务换一个主题，单独读也能看懂。请用JSON对象回复，其中的列表“tasks”是这些任务的文字。"
    ),
    labels_ask="请判断每个任务的答案是从有限的几个标签（例如类别，或者“是”与“否”）中选出来的，还是开放的。",
    labels_answer="答案：",
    labels_yes="有限",
    labels_no="开放",
    input_ask="请写出每个任务的输入，没有就写“无”。",
    input_answer="输入：",
    input_yes="有",
    input_no="无",
    make_input="有人会这样请助手帮忙：{task}\n\n请写出这个请求可能针对的一小段文字，两三句话。只写这段文字。",
    leaks=("助手", "请求"),
    output_first="下面的任务都要给出一个标签。先写出一个可能的标签，再写出一段以它为正确答案的输入。",
    classification_ask="请判断每个任务是不是分类任务，即答案是不是几个标签中的一个。",
    classification_answer="分类任务：",
    classification_yes="是",
    classification_no="否",
    instances="请为每个任务写出例子，能写几个就写几个：一个输入和它的输出。不需要输入的任务，只写输出。",
    task="任务：",
    label="标签：",
    given="输入：",
    output="输出：",
    example="示例",
)

PROMPTS: dict[Language, Prompts] = {"en": ENGLISH, "zh": CHINESE}
