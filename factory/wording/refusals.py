"""Refusals: an answer that opens by declining the task."""

import re

from tuneworks.factory.wording.phrases import found, has_any, plain

OPENING = 240
"""Characters in which a refusal is looked for; later on the text has begun to answer."""

_UNABLE = (
    r"(?:can't|can ?not|won't be able to|will not be able to|(?:am|'m) (?:\w+ )?(?:unable|not able) to"
    r"|(?:am|'m) not (?:capable of|allowed to|permitted to)|(?:do not|don't) (?:\w+ )?(?:have|possess))"
)
_SERVE = (
    r"(?:help|assist|provid|fulfil|compl|answer|generat|creat|writ|produc|giv|access|brows|see\b|view|open|process"
    r"|perform|translat|summari|determin|engag|discuss|support|participat|respond|identif|find|search|retriev|draw"
    r"|recommend|design|display|edit|rewrit|analy|classif|calculat|estimat|predict|understand|enough|sufficient"
    r"|personal|real|information|a physical|any (?:information|data|context)|do (?:that|this|so)\b"
    r"|the (?:ability|capability|data|information|context|necessary))\w*"
)
_SORRY = r"(?:i(?:'m| am) (?:\w+ )?(?:sorry|afraid)|sorry|my apologies|i apologi[sz]e|unfortunately)\b"
_REFUSAL = re.compile(
    rf"(?:^|[.!?]\s+)(?:{_SORRY}[^.!?\n]{{0,80}}?\b(?:i|and|so) ?{_UNABLE} {_SERVE}"
    rf"|{_SORRY},? but (?:there (?:is|are)|you (?:have not|haven't|did not|didn't|need)|it (?:seems|appears)"
    r"|(?:the|your|this) (?:\w+ ){0,2}(?:input|text|instruction|question|prompt|request|data|information)\b)"
    rf"|as an? (?:ai|artificial|(?:large )?language)\b[^.!?\n]{{0,60}}?\bi ?{_UNABLE} {_SERVE}"
    rf"|i ?{_UNABLE} (?:help (?:you|with)|assist|fulfil|comply|provide|(?:participate|engage) in"
    r"|(?:answer|complete) (?:this|that|your|the))\b|i must (?:\w+ )?(?:decline|refuse)\b"
    r"|this (?:instruction|task|request|question) (?:can't|can ?not) be\b)"
    r"|^.{0,30}?(?:抱歉|对不起|不好意思|很遗憾)[^。！？\n]{0,24}?(?:无法|不能|没法|没有办法|不便)[^。！？\n]{0,10}?"
    r"(?:回答|提供|帮|协助|完成|满足|生成|访问|理解|处理|执行|继续|给出|讨论|支持|判断|确定|查看|浏览|打开|撰写|翻译)"
    r"|^(?:作为[^。！？\n]{0,20})?我(?:暂时|目前)?(?:无法|不能|没法)(?:回答|提供|协助|完成|满足|生成|访问|为您|帮您)"
)
_NEEDED = (
    *("sorry", "afraid", "apolog", "unfortunately", "i must", "can't", "cannot", "can not", "able to", "capable of"),
    *("allowed to", "permitted to", "do not", "don't", "无法", "不能", "没法", "没有办法", "不便"),
)


def refusal(text: str, opening: int = OPENING) -> str | None:
    """It opens by declining the task. A letter that says sorry declines nothing, nor do quoted words."""
    start = plain(text.strip()[:opening])
    return found(_REFUSAL, start, "refuses") if has_any(start, _NEEDED) else None
