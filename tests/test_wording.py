"""What the wording rules catch, and above all what they let pass."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworks.factory import seeds, wording
from tuneworks.factory.wording import attachment, refusals, self_references
from tuneworks.factory.wording.copying import copied_share
from tuneworks.factory.wording.phrases import has_any

SEEDS = [
    json.loads(line)
    for name in ("en", "zh")
    for line in (Path(seeds.__file__).parent / f"{name}.jsonl").read_text("utf-8").splitlines()
]
ANSWER_RULES = [
    wording.refusal,
    wording.self_reference,
    wording.repetition,
    wording.truncated,
    wording.unbalanced_fences,
]
INSTRUCTION_RULES = [wording.needs_attachment, wording.asks_nothing]

POEM = """The kettle hums, the window steams,
The garden lies in frost,
And I am walking through the dreams
Of all the things I lost,

The kettle hums, the morning grows
Along the silver lane,
And all the quiet garden knows
Is rain and rain and rain"""
SONG = "\n\n".join(
    f"{verse}\n\nRow on, row on, the river is wide,\nRow on, row on, to the other side."
    for verse in (
        "We left the town before the dawn had come,\nThe lamps were out, the market square was dumb.",
        "The miller waved, his wheel was turning slow,\nHe asked us in, but we had far to go.",
        "At noon we slept beneath a willow tree,\nAnd dreamed of nothing but the open sea.",
    )
)
TABLE = """| City | Country | Rain in May |
|------|---------|-------------|
| Bergen | Norway | a lot |
| Lima | Peru | none |
| Leeds | England | some |
| Porto | Portugal | some |
| Vigo | Spain | some |"""
CODE = """def mean(numbers):
    total = 0
    for number in numbers:
        total += number
    return total / len(numbers)"""
LIST = """1. Boil the water
2. Warm the pot
3. Put one spoon of tea in the pot for each person and one more for luck
4. Wait for four minutes and then pour it into the cups that you have warmed"""
ZH_POEM = "夜里，天空悄悄拆开一封信，\n把白色的字撒满屋檐，\n清晨我推开门，不敢落脚，\n怕踩疼这一地的安静"
FINE = [POEM, SONG, TABLE, CODE, LIST, ZH_POEM, "Blue", "42", "positive", "北京", "yes", "", "..."]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: str(seed["id"]))
def test_every_packaged_seed_passes_every_rule(seed: dict[str, str]) -> None:
    assert [rule(seed["instruction"]) for rule in INSTRUCTION_RULES] == [None] * len(INSTRUCTION_RULES)
    assert [rule(seed["output"]) for rule in ANSWER_RULES] == [None] * len(ANSWER_RULES)
    assert wording.same_text(seed["output"], seed["instruction"]) is None
    assert wording.same_text(seed["output"], seed["input"]) is None


def test_all_seeds_were_read() -> None:
    assert len(SEEDS) == 235


@pytest.mark.parametrize("text", FINE)
def test_verse_lists_tables_code_and_single_words_pass(text: str) -> None:
    assert [rule(text) for rule in ANSWER_RULES] == [None] * len(ANSWER_RULES)


PATTERNS = [
    (refusals._REFUSAL, refusals._NEEDED),
    (self_references._SELF_REFERENCE, self_references._NEEDED),
    (attachment._ATTACHMENT, attachment._NEEDED),
]


@pytest.mark.parametrize(("pattern", "needed"), PATTERNS, ids=["refusal", "self_reference", "needs_attachment"])
@given(data=st.data())
def test_no_text_matches_without_one_of_the_needed_words(
    pattern: re.Pattern[str], needed: tuple[str, ...], data: st.DataObject
) -> None:
    match = pattern.search(data.draw(st.from_regex(pattern)).lower())
    assert match is None or has_any(match[0], needed)


@given(st.text())
def test_no_text_breaks_a_rule_itself(text: str) -> None:
    for rule in (*ANSWER_RULES, *INSTRUCTION_RULES):
        reason = rule(text)
        assert reason is None or reason.strip()
    assert wording.same_text(text, text) is None or text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I cannot create images.",
        "I cannot assist you in finding that address.",
        "Thank you for the question. Unfortunately, I am unable to access the internet.",
        "As an AI, I do not have access to the prices of today.",
        "I'm sorry, but you didn't give me the text.",
        "I must respectfully decline.",
        "This task cannot be done by a program.",
        "抱歉，我无法回答这个问题。",
        "很遗憾，作为助手，我不能帮您完成这个请求。",
        "我无法提供医疗建议。",
    ],
)
def test_refusals(text: str) -> None:
    reason = wording.refusal(text)
    assert reason is not None
    assert reason.startswith("refuses at character ")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I'm unable to come into work today, since my son has a fever.",
        "Dear Anna, I am sorry that I could not come to your party.",
        "I'm sorry to hear that your parcel is late. We will send it again today.",
        "I can't help but smile when the first snow falls.",
        "I cannot wait to see you again!",
        "Unfortunately, the shop is closed on Mondays.",
        '"I\'m sorry, I cannot help you," said the ferryman, and rowed on.',
        "对不起，今天我发烧了，不能来上课，请老师批准。",
        "The fox could not reach the grapes. " * 8 + "I cannot assist you, said the crow.",
    ],
)
def test_letters_and_stories_refuse_nothing(text: str) -> None:
    assert wording.refusal(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I have no favourite colour.",
        "My favourite is blue, but as an AI, I can't see it.",
        "Well, I am an AI assistant, so I never sleep.",
        "I don't have personal opinions about football.",
        "作为一个AI语言模型，我没有感情。",
        "作为人工智能，我不吃饭。",
        "我是一个人工智能助手。",
    ],
)
def test_self_references(text: str) -> None:
    reason = wording.self_reference(text)
    assert reason is not None
    assert reason.startswith("speaks of itself as a model at character ")


@pytest.mark.parametrize(
    "text",
    [
        "A language model predicts the next word from those before it.",
        "She works as an AI engineer in Lyon.",
        "As an air pump ages, it gets louder.",
        "I am an AI researcher and I live in Kyoto.",
        "作为人工智能的一个分支，机器学习研究如何从数据中学习。",
        "语言模型可以用来翻译。",
    ],
)
def test_texts_about_models_are_no_self_reference(text: str) -> None:
    assert wording.self_reference(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "I like tea. " * 6,
        "We want to see your work!\n" * 5,
        "the dog and the cat and " * 12,
        "Input: a red hat\nOutput: hats\n\n" * 9,
        "ha" * 30,
        "今天天气很好。" * 6,
        "我爱你我想你" * 12,
        "好" * 50,
    ],
)
def test_loops(text: str) -> None:
    assert wording.repetition(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Happy birthday to you,\nHappy birthday to you,\nHappy birthday, dear Lena,\nHappy birthday to you!",
        "Ha ha ha ha ha! That was a good one.",
        "Yes. No. Yes. Yes. No. Yes. Yes. Yes.",
        "\n".join(f"The capital of {a} is {b}." for a, b in zip("ABCDEFGHIJ", "KLMNOPQRST", strict=True)),
        "| yes | no |\n" * 2 + "| no | no |\n",
        "Name: ____\nDate: ____\nPlace: ____\n",
        "10 to the power of 50 is 1" + "0" * 50,
    ],
)
def test_refrains_and_templates_are_no_loops(text: str) -> None:
    assert wording.repetition(text) is None


def test_a_loop_is_told_with_its_numbers() -> None:
    assert wording.repetition("I like tea. " * 6) == "says the same sentence 6 times, 100% of the text"
    assert wording.repetition("ab" * 30) == 'repeats "ab" 30 times in a row'


@pytest.mark.parametrize(
    "text",
    [
        "Bread rises because the yeast makes gas. When the dough is warm, it works faster and the loaf in the tin",
        "The main reasons are the cost, the weather and",
        "Here is what you need for the cake:",
        "She opened the box, and found,",
        "首先把面粉和水混合，揉成面团。然后把面团放在温暖的地方，等它慢慢变大，再把它切成小块",
        "The city lies by the river,\nand it is known for the old bridge that was built by the",
    ],
)
def test_texts_that_stop_in_mid_sentence(text: str) -> None:
    assert wording.truncated(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "How to Grow Tomatoes on a Balcony in a Cold and Windy City",
        "The small brown dog ran home",
        "Try our new bread! It is baked with seeds from the farm next door and it is still warm #bread",
        "“Nobody has ever been made poor by giving.” - Anne Frank",
        "Read more about it at https://example.org/tea",
        "Kind regards,\nLena Holm",
        "Dear Ms Holm,\n\nThank you for the book.\n\nKind regards,",
        "Name:\nAddress:\nPhone:",
        "```python\nprint('the sum of the numbers that are in the list is', total)\n```",
        'It ends in "and the"',
        "1. Choose a goal\n2. Find a person that you would like to share the goal with",
        "苹果、香蕉、梨",
        "5 + 7 = 12",
    ],
)
def test_titles_labels_letters_and_code_are_not_cut_off(text: str) -> None:
    assert wording.truncated(text) is None


def test_fences() -> None:
    assert wording.unbalanced_fences("Run this:\n```sh\nls\n```\nDone.") is None
    assert wording.unbalanced_fences("````\n```\nnested\n````") is None
    assert wording.unbalanced_fences("Use `ls` or ``a`b``.") is None
    reason = wording.unbalanced_fences("Run this:\n```sh\nls\n")
    assert reason == "the code fence opened in line 2 is never closed"
    assert wording.unbalanced_fences("~~~\na\n```\nb") is not None
    assert wording.truncated("Run this:\n```sh\nls -a and the") is None


@pytest.mark.parametrize(
    "instruction",
    [
        "Describe what you see in this picture.",
        "Draw a house by a lake.",
        "Create an image of a red fox.",
        "Count the people in the photo.",
        "What is the main idea of the following video?",
        "Summarize the attached file.",
        "Transcribe the audio.",
        "Click the link and tell me what the page says.",
        "Find three hotels in Oslo and provide a link for each of them. Give me the links to the best ones.",
        "Plot the function between 0 and 5.",
        "Use this map to find the shortest way.",
        "描述这张图片里的内容。",
        "根据下图回答问题。",
        "画一只猫。",
        "请看附件中的表格并总结。",
        "把这段视频的内容写下来。",
    ],
)
def test_what_cannot_be_done_in_text(instruction: str) -> None:
    reason = wording.needs_attachment(instruction)
    assert reason is not None
    assert reason.startswith("needs more than text at character ")


@pytest.mark.parametrize(
    "instruction",
    [
        "Imagine a day without clocks and write about it.",
        "Write a profile of a person who repairs bicycles.",
        "Explain photosynthesis to a child.",
        "Describe the plot of a novel about a lighthouse.",
        "Suggest a title for a video about knitting.",
        "What conclusions can you draw from this text?",
        "Draw a comparison between tea and coffee.",
        "How do I file a complaint about a late train?",
        "Write a Python function that opens a file and counts its lines.",
        "Explain the link between sleep and memory.",
        "What is graph theory used for?",
        "Name three painters who painted the sea.",
        "Draw a triangle in ASCII characters with code.",
        "Paint a picture in words of a harbour at night.",
        "Which figure of speech is used in this sentence?",
        "给一段关于春天的视频写一个标题。",
        "解释什么是图书馆。",
        "企图和意图有什么区别？",
    ],
)
def test_what_can_be_done_in_text(instruction: str) -> None:
    assert wording.needs_attachment(instruction) is None


@pytest.mark.parametrize(
    "instruction",
    [
        "The most beautiful thing about the city is that it has a river.",
        "I am going to bake this cake tomorrow.",
        "It's your birthday today.",
        "You are the person who owns the blue car.",
        "This shop is not open on Sundays, but the baker next door is.",
        "A man went to his brother and said that he had lost the key.",
    ],
)
def test_statements_ask_nothing(instruction: str) -> None:
    reason = wording.asks_nothing(instruction)
    assert reason is not None
    assert reason.startswith("asks for nothing in any of its ")


@pytest.mark.parametrize(
    "instruction",
    [
        "Name three rivers that flow to the sea.",
        "Concatenate the two lists.",
        "Briefly describe the taste of a ripe pear.",
        "Given the two numbers, work out their mean.",
        "How to get ink out of a shirt that is white.",
        "The train is late. What should I tell my boss?",
        "I need a name for the cat of my sister.",
        "You are a guide in a museum. Your task is to greet the visitors.",
        "You will be given a word and have to find its opposite.",
        "Please put the words in the right order",
        "Reply to the customer, and be polite.",
        "Re-order the lines of the poem.",
        "1. Read the text. 2. Sum it up in one line.",
        "The given text must be classified as spam or not spam.",
        "Can you split the sentence",
        "Escribe un poema sobre la luna.",
        "Das ist ein schöner Satz über die Berge.",
        "今天天气很好。",
        "",
    ],
)
def test_requests_ask_something(instruction: str) -> None:
    assert wording.asks_nothing(instruction) is None


def test_an_answer_that_is_the_question() -> None:
    question = "Name three rivers in Spain."
    assert wording.same_text(question, question) == "only says again what it was given (1x)"
    assert wording.same_text(f"{question}\n\n{question}", question) == "only says again what it was given (2x)"
    assert wording.same_text(f"Input: {question}\nOutput:", question) is not None
    assert wording.same_text("输入：" + "大海很蓝" + "\n回答：" + "大海很蓝", "大海很蓝") is not None
    assert wording.same_text("level", "level") is not None


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("On Monday we flew to Rome.", "on monday we flew to rome"),
        ("Name three rivers in Spain. Ebro, Tajo, Duero.", "Name three rivers in Spain."),
        ("He liked the film.", "He liked the film"),
        ('"The Sea and the Stars"', "The Sea and the Stars"),
        ("a a a", "a"),
        ("Paris", ""),
        ("", "Name a city."),
        ("Yes", "Yes or no?"),
    ],
)
def test_an_answer_that_is_more_or_less_than_the_question(answer: str, question: str) -> None:
    assert wording.same_text(answer, question) is None


PIECES = [
    "x",
    "\n",
    "a b ",
    "`",
    "```\n",
    ". ",
    ".",
    "as an ai ",
    "- ",
    "1. a\n",
    "http://",
    "provide a ",
    "提供的",
    "好",
    "#",
]


@pytest.mark.parametrize("end", ["", " end", "x"])
@pytest.mark.parametrize("piece", PIECES)
def test_five_megabytes_take_seconds_at_most(piece: str, end: str) -> None:
    text = piece * (5_000_000 // len(piece)) + end
    start = time.process_time()
    for rule in (*ANSWER_RULES, *INSTRUCTION_RULES):
        rule(text)
    wording.same_text(text, text[:1000])
    copied_share(text, text)
    wording.prompt_leakage(text, text[:1000])
    assert time.process_time() - start < 30


def test_a_numbered_list_of_one_item_is_a_loop() -> None:
    assert wording.repetition("\n".join(f"{n}. Blue" for n in range(1, 9))) == 'lists "blue" 8 times'
    assert wording.repetition("1. Red\n2. Blue\n3. Red\n4. Green\n5. Red") is None
    assert wording.repetition("1. yes\n2. no\n3. yes\n4. no\n5. yes\n6. no\n7. yes\n8. no") is None
