"""Instructions about, or for, what text cannot hold: a picture, a sound, a file, a link."""

import re

from tuneworks.factory.wording.phrases import has_any, plain, told

_SIGHT = r"(?:image|picture|photo|photograph|drawing|diagram|screenshot|flow ?chart|infographic|map)s?"
_MEDIUM = rf"(?:{_SIGHT}|(?:painting|graph|video|audio|recording|(?:film|audio) clip|(?:audio|video) file)s?)"
_ITSELF = (
    r"(?!\w|['’]s|[ -](?:of speech|title|caption|description|idea|script|name|album|frame|book|game|format"
    r"|process|classif|recogni|theory|database|topic|content|concept|prompt|url|call|system|function|reduce))"
)
_DO = r"(?:^|[.!?:;]\s{1,4}|\b(?:and|then|please|you) )"
_ATTACHMENT = re.compile(
    r"\b(?:this|these|following|attached|given|provided|uploaded|linked|above) (?:an? |the )?"
    rf"(?:(?!when|while|for)\w+ )?(?:{_MEDIUM}|(?:file|link|attachment)s?){_ITSELF}"
    r"|\b(?:in|from|about|describe|analy[sz]e|caption|watch|edit|look at|based on|transcribe|listen to) the"
    rf" {_MEDIUM}{_ITSELF}(?! (?:of|by)\b| ?[\"'“‘])"
    rf"|{_DO}(?:create|make|generate|design|produce|build|construct|render|take|find|show|send|upload|edit|crop)\b"
    r"(?: me)?(?: an?| the| some)? (?:(?!mental|clear|vivid|big|mind|concept|site|road|word|brand|story|of\b)"
    rf"[\w-]+ ){{0,2}}(?:{_SIGHT}|graph|video|animation|painting){_ITSELF}"
    rf"|{_DO}(?:draw|sketch|paint|photograph)\b(?! (?:up|on|upon|from|out|attention|inspiration|a picture"
    r"|(?:\w+ ){0,2}(?:conclusion|comparison|parallel|inference|distinction|contrast|connection|lesson)))"
    rf"|{_DO}(?:plot|graph) (?:the|an?|these|this) (?!story|course)"
    r"|\b(?:click|open|visit|follow) (?:on )?(?:the|this|that) (?:\w+ )?(?:link|file|attachment|url)\b"
    r"|\b(?:provide|list|give|send|share|include)\b[^.?!]{0,40} (?:a|the|an|some|any)(?: \w+)? links?\b"
    r"|\b(?:see|in|open|read|check) (?:the )?attach(?:ed|ments?)\b|!\[[^\]]*\]\(|<(?:image|video|audio|file)>"
    r"|(?:这|那|下面|以下|上面|给定|附件|所给|提供)的?[一几]?[张幅段个些份]?的?"
    r"(?:图|照片|相片|画(?!家|面)|截图|视频|音频|录音|文件|链接|附件)(?!书|案|标题|脚本|文案)"
    r"|(?:如|见|看|根据|上|下)图(?!书)|(?:画|绘制)[一几]?[张幅个只条朵棵](?!大?饼)|(?:拍|生成|制作)[一几]?[张幅](?!.{0,8}表)|附件[中里]"
    r"|(?:打开|点击|下载|上传)[^。！？]{0,10}(?:链接|文件|附件|图片|视频)"
)
_IN_TEXT = re.compile(
    r"\b(?:code|python|java\w*|html|svg|latex|ascii|functions? (?:that|to|which)|program|script|sql)\b|代码"
)
_NEEDED = (
    *("image", "picture", "photo", "drawing", "diagram", "screenshot", "chart", "infographic", "map", "paint", "graph"),
    *("video", "audio", "recording", "clip", "file", "link", "attach", "animation", "draw", "sketch", "plot", "url"),
    *("![", "图", "照片", "相片", "画", "绘制", "视频", "音频", "录音", "文件", "链接", "附件", "张", "幅"),
)


HEAD, TAIL = 400, 200
"""Characters at the beginning and the end of an instruction that say what it asks; between them may be a passage."""


def needs_attachment(instruction: str) -> str | None:
    """It is about, or asks for, a picture, a sound, a file or a link, which text cannot give; code can."""
    asked = plain(instruction)
    if not has_any(asked, _NEEDED) or _IN_TEXT.search(asked):
        return None
    places = _ATTACHMENT.finditer(asked)
    match = next((m for m in places if m.start() < HEAD or m.end() > len(asked) - TAIL), None)
    return None if match is None else told(match, "needs more than text")
