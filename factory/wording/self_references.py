"""An answer that speaks of itself as a model."""

import re

from tuneworks.factory.wording.phrases import found, has_any, plain

_MODEL = r"(?:(?:large )?(?:ai|artificial intelligence|language model)\b(?: (?:language )?model| assistant)?)"
_ZH_MODEL = r"(?:一[个名款位])?(?:大型)?(?:ai|人工智能|大?语言模型|大模型|聊天机器人)(?:语言模型|模型|助手|程序)?"
_SELF_REFERENCE = re.compile(
    rf"(?:^|[.!?\n]\s{{0,4}})as an? {_MODEL},|\bas an? {_MODEL},? (?:i|i'm|my)\b"
    rf"|\bi(?:'m| am) (?:just |only )?an? {_MODEL}(?! (?:engineer|researcher|developer|student|expert))"
    r"|\bmy (?:training data|knowledge cut-?off)\b|\bi was trained by (?:openai|anthropic|google|meta)\b"
    r"|\bi (?:do not|don't) have (?:personal (?:opinions|preferences|experiences|feelings)|a physical body)\b"
    rf"|(?:作为|身为){_ZH_MODEL}[，,我]|我(?:只)?是(?:由.{{1,12}}(?:开发|训练)的)?{_ZH_MODEL}"
)
_NEEDED = (
    *("a ai", "an ai", "large ai", "artificial intelligence", "language model", "my training data"),
    *("my knowledge cut", "i was trained by", "have personal", "have a physical body"),
    *("作为", "身为", "我是", "我只是"),
)


def self_reference(text: str) -> str | None:
    """It speaks of itself as a model; a text about models does not."""
    said = plain(text)
    return found(_SELF_REFERENCE, said, "speaks of itself as a model") if has_any(said, _NEEDED) else None
