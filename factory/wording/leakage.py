"""Leaks: a text that repeats the machinery that made it, such as the marks of a chat template or words of a prompt."""

import re

from tuneworks.factory.wording.phrases import plain, told

_MARK = r"<\|[a-z_]{2,24}\|>|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|<｜[^｜\n]{2,24}｜>"
_HEADING = (
    r"^[ \t]{0,4}#{2,3} ?(?:instruction|response|input|human|assistant|user|system|指令|回答|输入|用户|助手)s? ?[:：]"
    r"|\bbelow is an instruction that describes a task\b"
    r"|^[ \t]{0,4}#{1,4} ?(?:the )?(?:given|rewritten|created|new) prompt ?#{1,4}"
    r"|以下是(?:一条)?描述(?:了)?一?项?任务的指令"
)
_WHICH = r"(?:rewritten|evolved|revised|modified|created|new|generated|updated|original|given)"
_WHAT = r"(?:prompt|instruction|task|request)s?"
_TALK = (
    rf"\bhere(?: is|'s| are) (?:the|a|an|my|your|some|\d+) (?:{_WHICH} ){{1,2}}{_WHAT}\b"
    rf"|(?:^|[.!?\n]\s{{0,4}})(?:the )?{_WHICH} (?:prompt|instruction) ?(?::|is as follows)"
    rf"|\bi (?:was|am|'m|have been|had been) (?:asked|told|instructed|prompted) to"
    rf" (?:generate|write|create|come up with|rewrite|produce|make|evolve)\b[^.!?\n]{{0,30}}?\b{_WHAT}\b"
    r"|我(?:被|受到?)(?:要求|指示)(?:生成|写|创建|编写|改写|重写)[^。！？\n]{0,12}?(?:任务|指令|提示|请求)"
    r"|(?:以下|下面)是(?:改写|重写|修改|生成)(?:后|出)?的(?:新)?(?:提示词?|指令|任务|请求)"
    r"|(?:改写|重写|修改)后的(?:提示词?|指令|请求)[：:]|(?:^|[。！？\n])(?:给定|原|新)的?(?:提示词?|指令|请求)[：:]"
)
_LEAK = re.compile(f"(?m){_MARK}|{_HEADING}|{_TALK}")
_NEEDED = ("<|", "inst]", "sys>>", "_of_turn>", "<｜", "#", "prompt", "instruction", "task", "request",
           "提示", "指令", "任务", "请求")  # fmt: skip
_TURNS = (
    re.compile(r"(?m)^[ \t]{0,4}(?:human|user|person|用户|人类|问)[ \t]?[:：]"),
    re.compile(r"(?m)^[ \t]{0,4}(?:(?:ai )?assistant|chatgpt|助手|助理)[ \t]?[:：]"),
)
_SPEAKER = re.compile(r"\s{0,8}(?:human|(?:ai )?assistant|人类|助手)[ \t]?[:：]")
_LABEL = re.compile(r"(?m)^[ \t]{0,4}\w[\w ]{0,20}[:：]")
_TALKING = re.compile(r"\b(?:dialog|conversation|chat|interview|script|transcript|assistant|human)|对话|聊天|助手|采访")


def prompt_leakage(text: str, asked: str = "") -> str | None:
    """It repeats the machinery that made it; what stands in the prompt, `asked`, is no leak."""
    said, known = plain(text), plain(asked)
    if any(word in said for word in _NEEDED):
        leak = next((m for m in _LEAK.finditer(said) if m[0].strip() not in known), None)
        if leak:
            return told(leak, "repeats its own making")
    return _turns(said, known)


def _turns(said: str, known: str) -> str | None:
    """Turns of a chat inside one text, both a person's and an assistant's, where no talk was asked for."""
    if ":" not in said and "：" not in said:
        return None
    turns = [pattern.search(said) for pattern in _TURNS]
    both = [turn for turn in turns if turn] if all(turns) else []
    first = min(both, key=re.Match.start, default=None) or _opening_turn(said)
    return None if first is None or _TALKING.search(known) else told(first, "holds turns of a chat")


def _opening_turn(said: str) -> re.Match[str] | None:
    """A speaker that a text begins with, unless it is the first label of a list."""
    opening = _SPEAKER.match(said)
    return opening if opening and len(_LABEL.findall(said)) == 1 else None
