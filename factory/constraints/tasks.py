"""Tasks that anybody can do, in every length and form, so that only the constraint makes them hard."""

import random
from collections.abc import Iterator, Mapping, Sequence

from tuneworks.factory.constraints.constraint import Asked, Constraint
from tuneworks.factory.language import Language

TASKS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        "Describe a walk in the rain.",
        "Say what makes a good friend.",
        "Explain why people like music.",
        "Tell me about a day at the market.",
        "Give advice to somebody who moves to a new town.",
        "Describe your favourite kind of weather.",
        "Explain how to look after a plant.",
        "Tell me what one can see in a forest.",
        "Say why sleep is good for us.",
        "Describe a kitchen where something is being baked.",
        "Explain what a library is for.",
        "Tell me how to make new friends.",
    ),
    "zh": (
        "描述一次雨中的散步。",
        "说说什么样的人是好朋友。",
        "解释人们为什么喜欢音乐。",
        "讲讲在集市上的一天。",
        "给刚搬到新城市的人一些建议。",
        "描述你最喜欢的天气。",
        "解释怎样照顾一盆植物。",
        "说说在森林里能看到什么。",
        "说说睡眠为什么对我们有好处。",
        "描述一个正在烤面包的厨房。",
        "解释图书馆是做什么用的。",
        "告诉我怎样结交新朋友。",
    ),
}


def constrained(
    constraints: Sequence[Constraint], language: Language, times: int, dice: random.Random
) -> Iterator[Asked]:
    """Each constraint of the language so many times, every time behind another task as long as there are others."""
    for constraint in constraints:
        if language not in constraint.said:
            continue
        tasks = dice.sample(TASKS[language], len(TASKS[language]))
        for at in range(times):
            yield Asked(tasks[at % len(tasks)], constraint, constraint.drawn(dice, language), language)
