"""The prompt_leakage filter: a text that repeats the machinery that made it."""

import pytest

from tuneworks.factory.evol_instruct.prompts import PROMPTS
from tuneworks.factory.record import Answer, Record, to_table
from tuneworks.factory.wording import prompt_leakage
from tuneworks.filters.wording.prompt_leakage import PromptLeakage, own_sentences


def reason(asked: str, text: str, where: str = "both") -> str | None:
    work = PromptLeakage.model_validate({"where": where})
    return work.reject(PromptLeakage().measure(to_table([Record.born(asked, answers=[Answer(text)])]))).to_list()[0]


@pytest.mark.parametrize(
    "text",
    [
        "The sea is salty.<|im_end|>\n<|im_start|>user",
        "[INST] Name a river. [/INST]",
        "It rains.\n\n### Instruction: Name a river.",
        "### 指令：说出一条河。",
        "Below is an instruction that describes a task.",
        "#Rewritten Prompt#:\nName a long river.",
        "Rewritten prompt: Name a long river.",
        "Here are 5 new instructions:",
        "Here is the rewritten prompt you wanted.",
        "As a language model I was asked to generate a task about rivers.",
        "以下是改写后的指令：说出一条河。",
        "作为语言模型，我被要求生成一个任务。",
        "The Rhine.\n\nHuman: And in Spain?\n\nAssistant: The Ebro.",
        "莱茵河。\n用户：西班牙呢？\n助手：埃布罗河。",
        "Human: I do not know that.",
        "Assistant: The Rhine is long.",
    ],
)
def test_leaks(text: str) -> None:
    said = prompt_leakage(text)
    assert said is not None
    assert " at character " in said
    assert reason("Name a river.", text) == f"the answer {said}"


@pytest.mark.parametrize(
    "text",
    [
        "Human: living\nCar: not living\nTree: living",
        "GPT models write a story from a given prompt.",
        "You will find new tasks on the board.",
        "User: your_name\nPassword: secret",
        "# Heading\n## Input\nThe program reads a file.",
        "I was asked to write a letter.",
        "f(x) <| g |> h",
        "给定的两个数之和是五。",
        "",
    ],
)
def test_texts_that_leak_nothing(text: str) -> None:
    assert prompt_leakage(text) is None


def test_what_the_prompt_says_is_no_leak_of_the_answer() -> None:
    assert reason("What does <|im_end|> mean?", "<|im_end|> ends a turn.", "answer") is None
    assert reason("What does <|im_end|> mean?", "<|im_end|> ends a turn.") is not None
    assert reason("Write a dialogue.", "User: Hi\nAssistant: Hello") is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_methods_own_sentences(language: str) -> None:
    text = PROMPTS["en" if language == "en" else "zh"].reasoning.replace("{prompt}", "")
    said = reason(f"Sure. {text}", "Yes.")
    assert said is not None
    assert said.startswith("the instruction repeats a prompt at character ")
    assert reason(f"Sure. {text}", "Yes.", "answer") is None
    assert all("{" not in sentence for sentence in own_sentences())
