"""Reads what a Chinese instruction asks: its verb, or question word, and the noun that is about, by rules alone.

Chinese has no spaces and nothing here divides it into words: verbs come from a list, and the noun is what stands after
the last 的 of the verb's phrase, of a longer one its last two characters.
"""

import re

_VERBS = """
    编写 撰写 改写 续写 仿写 缩写 扩写 书写 填写 翻译 转换 转化 转述 解释 说明 阐述 描述 介绍 讲解 分析 比较
    对比 评价 评估 评论 总结 概括 归纳 归类 归为 压缩 简化 提取 摘出 摘录 找出 指出 列出 列举 列 给出 举出 选出
    挑出 查出 写出 说出 算出 计算 估算 求出 解答 回答 判断 判定 识别 区分 分类 排序 排列 整理 安排 规划 制定
    制作 设计 创建 创作 生成 构建 构造 构思 编造 编 改成 改正 改为 修改 修正 纠正 润色 优化 改进 改善 补充 补全
    完成 填空 替换 删除 添加 提供 提出 推荐 建议 讨论 论述 探讨 预测 推断 推理 证明 验证 检查 校对 定义 命名 起
    取 造 想 写 译 算 排 讲 说 做 画 改 换 选 找 查 来 看看 读 猜 教 告诉 谈谈 举 拟 出
"""
VERBS = "|".join(sorted(_VERBS.split(), key=lambda verb: -len(verb)))
POLITE = re.compile(
    r"^(?:请问|请你|请您|请|麻烦你?|你?能不能|你?能否|你?可以|你?可否|帮我|帮忙|帮|我想让你|我需要你|我想|我要|现在|首先|然后|直接"
    r"|[给为替](?:我|[^，]{1,12}?(?=写|说|讲|归纳|设计|起|做|列|推荐|制定|准备|编|总结)))+"
)
QUESTION = re.compile(
    r"为什么|为何|怎么样|怎么|怎样|如何|什么|哪些|哪个|哪几|哪份|哪里|哪|多少|多久|几|谁|还是|是否|能否|吗"
)
MOVED = re.compile(rf"^[把将](?P<object>.+?)(?P<verb>{VERBS})")
COUNTED = (
    "(?:篇(?!章)|个(?!人|性)|条(?!件|款|目)|首(?!都|先)|份(?!额)|段(?!落)|张|句(?!子|式)|则|种(?!类|植)|道(?!理|路|德)"
    "|封(?!面)|位(?!置)|款(?!式|项)|项(?!目)|组(?!织|合)|名(?!字|胜|著|称|词|言|人|单)|件|部(?!分|门)|本(?!文)|次(?!序)|点(?!评))"
)
MEASURE = re.compile(
    rf"^(?:了|一下|多少|什么|哪些|一些|几|[一二两三四五六七八九十百\d]+|这|那|此|该|每|所有|全部|下面|以下|下列|上面|上述|的|{COUNTED})+"
)
LONG = "表器员者率图码名卡词"
"""Last characters of words of three."""

BREAK = re.compile(r"[，。？！；：、,.?!;:\s]")
LEADS = re.compile(r"^(?:为(?!什么|何)|根据|按照|按|依据|基于|结合|针对|对于|关于|从|用|以|照|在)")
CLOSING = re.compile(r"(?<=.)(?:和|与|及|以及|或|并|来|到|给|在|是|有|比较|最|更|发给).*$")


def read(text: str) -> tuple[str, str] | None:
    """The verb, or the question word, and the noun ("" where there is none) of the first clause that asks something."""
    for sentence in re.split(r"(?<=[。？！!?])|\n", text[:1000]):
        question = sentence.rstrip().endswith(("？", "?"))
        for clause in re.split(r"[，；：,;:。]", sentence):
            plain = POLITE.sub("", clause.strip(" “”\"'*#-"))
            if found := _question(plain) if question and QUESTION.search(plain) else _command(plain):
                return found
    return None


def _command(clause: str) -> tuple[str, str] | None:
    if moved := MOVED.match(clause):
        return _short(moved["verb"]), _head(moved["object"])
    pattern = re.compile(VERBS)
    led = LEADS.match(clause)
    found = pattern.search(clause, led.end()) if led else pattern.match(clause)
    if not found:
        return None
    rest = clause[found.end() :]
    return _short(found.group()), "" if found.group() == "翻译" and rest[:1] in "成为" else _head(rest)


def _question(clause: str) -> tuple[str, str] | None:
    """The noun right after the question word, else what the clause begins with."""
    word = QUESTION.search(clause)
    if not word:
        return None
    after = BREAK.split(clause[word.end() :].rstrip("？?呢吗"))[0]
    named = word.group() in ("什么", "哪些", "哪个", "哪份", "哪", "多少", "几", "哪几") and after
    return word.group(), _head(after) if named else _head(re.split(r"[的是该能会有才]", clause[: word.start()])[0])


def _short(verb: str) -> str:
    return {"改成": "改", "改为": "改", "归为": "归", "看看": "看", "谈谈": "谈"}.get(verb, verb)


def _head(phrase: str) -> str:
    parts = [part for part in BREAK.split(phrase)[0].split("的") if part]
    if not parts:
        return ""
    noun = MEASURE.sub("", CLOSING.sub("", MEASURE.sub("", parts[-1]))).strip("“”\"'《》")
    return noun if len(noun) <= 3 else noun[-3:] if noun[-1] in LONG else noun[-2:]
