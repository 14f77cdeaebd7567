"""Examples of what each operator makes, and words that a small model can go on from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tuneworks.factory.evol_instruct.operators import Operator
from tuneworks.factory.language import Language

Data = Literal["table", "json", "xml", "code"]


@dataclass(frozen=True, slots=True)
class Example:
    """A request and what an operator makes of it; `data` is the form of data that the operator was told to use."""

    before: str
    after: str
    data: Data | None = None


DATA: Mapping[Language, Mapping[Data, str]] = {
    "en": {"table": "a table", "json": "a JSON object", "xml": "an XML document", "code": "a piece of code"},
    "zh": {"table": "一张表格", "json": "一个JSON对象", "xml": "一段XML", "code": "一段代码"},
}

DATA_LEADS: Mapping[Data, tuple[str, str]] = {
    "table": ("|", "\n\n"),
    "json": ("```json\n{", "```"),
    "xml": ("```xml\n<", "```"),
    "code": ("```python\n", "```"),
}
"""How data of each form begins, and the text at which a model that goes on from there is stopped."""

LEADS: Mapping[Language, Mapping[Operator, tuple[str, ...]]] = {
    "en": {
        "constraints": ("In your answer,", "Make sure to", "Avoid", "Also include"),
        "deepen": ("Also explain why", "Also explain how", "Then compare it with", "Also describe"),
        "reasoning": ("First work out", "Explain step by step how", "Then say what would change if"),
        "complicate_input": ("Use the data below.",),
    },
    "zh": {
        "constraints": ("回答时要", "请不要", "还要包括"),
        "deepen": ("再解释为什么", "再说明如何", "并比较它与"),
        "reasoning": ("请先推算", "请一步一步说明", "再说说如果"),
        "complicate_input": ("请使用下面的数据。",),
    },
}
"""What goes after the old request where the engine goes on with a reply that we began. No example says it, for a small
model would go on as the example does."""

EXAMPLES: Mapping[Language, Mapping[Operator, tuple[Example, ...]]] = {
    "en": {
        "constraints": (
            Example(
                "Suggest a name for a bakery.",
                "Suggest a name for a bakery that has two words and begins with a B. Do not use the word bread.",
            ),
            Example(
                "Why do leaves change colour in autumn?",
                "Why do leaves change colour in autumn? Name at least two pigments, and use at most four sentences.",
            ),
            Example(
                "Write a message to my landlord about the broken heater.",
                "Write a message to my landlord about the broken heater. Stay polite, mention the date it broke, "
                "and ask for a repair within three days.",
            ),
        ),
        "deepen": (
            Example(
                "What is inflation?",
                "What is inflation, what are its main causes, and how does it touch savers, borrowers and wage earners "
                "in different ways?",
            ),
            Example(
                "List some tips for sleeping better.",
                "List some tips for sleeping better. Say how each of them acts on the body, and for whom it may "
                "not work.",
            ),
            Example(
                "Describe a solar panel.",
                "Describe a solar panel. What is it made of, and why does it make less power on a hot day?",
            ),
        ),
        "concretise": (
            Example(
                "How can I save money on food?",
                "How can I, a student with a budget of 40 dollars a week and one small pan, save money on breakfast "
                "and lunch?",
            ),
            Example(
                "Write a story about an animal.",
                "Write a story about an old lighthouse cat that follows a lost seal pup along the beach in a storm.",
            ),
            Example(
                "Give me advice about a job interview.",
                "Give me advice about my first interview for a nursing post at a children's hospital, where three "
                "people will ask the questions.",
            ),
        ),
        "reasoning": (
            Example(
                "How long does it take to drive 120 miles?",
                "How long does it take to drive 120 miles, the first half at 40 miles an hour and the rest at 60, with "
                "a break of 15 minutes between them?",
            ),
            Example(
                "Is a tomato a fruit or a vegetable?",
                "Is a tomato a fruit or a vegetable? Begin with what each of the words means to a botanist and to a "
                "cook, then decide.",
            ),
            Example(
                "Should our club buy or rent a boat?",
                "Should our club buy or rent a boat? Add up the costs of both ways year by year, and find the year in "
                "which buying becomes cheaper.",
            ),
        ),
        "complicate_input": (
            Example(
                "Which month had the best sales?",
                "Which month had the best sales, and by how much did it beat the worst one? Use the data below.\n\n"
                "| month | sales |\n|---|---|\n| May | 410 |\n| June | 655 |\n| July | 520 |",
                "table",
            ),
            Example(
                "Write a short birthday wish.",
                "Write a short birthday wish that fits this person. Use the data below.\n\n"
                '```json\n{"name": "Ada", "age": 60, "likes": ["chess", "roses"]}\n```',
                "json",
            ),
            Example(
                "Recommend a book.",
                "Recommend one of these books to a reader who likes short novels. Use the data below.\n\n"
                '```xml\n<books>\n  <book pages="120">The Well</book>\n  <book pages="640">Roads</book>\n</books>\n```',
                "xml",
            ),
            Example(
                "Explain what a loop is.",
                "Explain what a loop is and what this one prints. Use the data below.\n\n"
                "```python\ntotal = 0\nfor n in [2, 4, 6]:\n    total += n\nprint(total)\n```",
                "code",
            ),
        ),
        "breadth": (
            Example("Translate 'good morning' into French.", "Translate 'the tide is going out' into Icelandic."),
            Example(
                "What are the health benefits of walking?", "What are the health benefits of playing the didgeridoo?"
            ),
            Example("Write a poem about the sea.", "Write a poem about a salt mine under a mountain."),
        ),
    },
    "zh": {
        "constraints": (
            Example("给面包店起个名字。", "给面包店起个名字，要两个字，听起来温暖，不要用“面包”二字，并说明理由。"),
            Example("树叶秋天为什么变色？", "树叶秋天为什么变色？至少提到两种色素，总共不超过四句话。"),
            Example(
                "给房东写条信息，说暖气坏了。",
                "给房东写条信息，说暖气坏了。语气要客气，写明是哪一天坏的，并请他三天内派人来修。",
            ),
        ),
        "deepen": (
            Example(
                "什么是通货膨胀？", "什么是通货膨胀，主要由哪些原因引起，对储蓄的人、借钱的人和领工资的人各有什么影响？"
            ),
            Example("介绍几个改善睡眠的方法。", "介绍几个改善睡眠的方法。每种方法怎样作用于身体，对哪些人可能没有用？"),
            Example("介绍一下太阳能板。", "介绍一下太阳能板。它由什么做成，炎热的日子里发电为何反而更少？"),
        ),
        "concretise": (
            Example("怎样省伙食费？", "我是住校的大学生，每周伙食费两百元，只有一个小电饭锅，怎样在早餐和午餐上省钱？"),
            Example(
                "写一个关于动物的故事。", "写一个故事：一只守灯塔的老猫在冬天的风暴里，沿着海滩护送一只走失的小海豹。"
            ),
            Example("面试要注意什么？", "我第一次去儿童医院应聘护士，有三位考官同时提问，面试的前十分钟要注意什么？"),
        ),
        "reasoning": (
            Example(
                "开车走一百二十公里要多久？",
                "开车走一百二十公里，前一半时速四十公里，后一半时速六十公里，中间休息一刻钟，一共要多久？",
            ),
            Example("番茄是水果还是蔬菜？", "番茄是水果还是蔬菜？先看植物学家和厨师各自怎样定义这两个词，再作出判断。"),
            Example(
                "我们社团该买船还是租船？",
                "我们社团该买船还是租船？逐年算出两种办法的总花费，找出从哪一年起买更划算。",
            ),
        ),
        "complicate_input": (
            Example(
                "哪个月卖得最好？",
                "哪个月卖得最好，比最差的一个月多卖多少？请使用下面的数据。\n\n"
                "| 月份 | 销量 |\n|---|---|\n| 五月 | 410 |\n| 六月 | 655 |\n| 七月 | 520 |",
                "table",
            ),
            Example(
                "写一句生日祝福。",
                "给这个人写一句合适的生日祝福。请使用下面的数据。\n\n"
                '```json\n{"姓名": "李兰", "年龄": 60, "爱好": ["下棋", "种花"]}\n```',
                "json",
            ),
            Example(
                "推荐一本书。",
                "从这些书里给喜欢短篇的读者推荐一本。请使用下面的数据。\n\n"
                '```xml\n<书单>\n  <书 页数="120">古井</书>\n  <书 页数="640">北路</书>\n</书单>\n```',
                "xml",
            ),
            Example(
                "解释什么是循环。",
                "解释什么是循环，并说出这段代码打印什么。请使用下面的数据。\n\n"
                "```python\ntotal = 0\nfor n in [2, 4, 6]:\n    total += n\nprint(total)\n```",
                "code",
            ),
        ),
        "breadth": (
            Example("把“早上好”翻译成法语。", "把“正在退潮”翻译成冰岛语。"),
            Example("走路对健康有什么好处？", "吹奏尺八对健康有什么好处？"),
            Example("写一首关于大海的诗。", "写一首关于山底盐矿的诗。"),
        ),
    },
}
