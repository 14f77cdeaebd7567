"""Signs, read off the words alone, that a text is no usable answer or instruction (English and Chinese).

Each is a phrase with the number that decided, or None. Verse, lists, tables, code and single words are fine.
"""

import re
import unicodedata
from collections import Counter

from tuneworks.factory.rouge import UNSPACED, unicode_tokens

OPENING = 240  # characters in which a refusal is looked for; later on the text has begun to answer
SAME_LETTERS = 40  # letters in a run that repeats one to eight of them over and over
SAME_TIMES, SAME_SHARE = 5, 0.4  # how often a sentence comes in a loop, and its share of the tokens
SAME_ITEMS = 4  # how often one item comes in a numbered list that is mostly it
# Tokens in a phrase that comes again, fewest in a loop, and its share of such phrases; a chorus stays below.
PHRASE, LOOP_TOKENS, LOOP_SHARE = 8, 48, 0.6
# Fewest tokens of a last line that is cut off; the second where no sentence has a closing mark, by style.
CUT_TOKENS, LONE_CUT_TOKENS = 14, 30

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
_MODEL = r"(?:(?:large )?(?:ai|artificial intelligence|language model)\b(?: (?:language )?model| assistant)?)"
_ZH_MODEL = r"(?:一[个名款位])?(?:大型)?(?:ai|人工智能|大?语言模型|大模型|聊天机器人)(?:语言模型|模型|助手|程序)?"
_SELF_REFERENCE = re.compile(
    rf"(?:^|[.!?\n]\s{{0,4}})as an? {_MODEL},|\bas an? {_MODEL},? (?:i|i'm|my)\b"
    rf"|\bi(?:'m| am) (?:just |only )?an? {_MODEL}(?! (?:engineer|researcher|developer|student|expert))"
    r"|\bmy (?:training data|knowledge cut-?off)\b|\bi was trained by (?:openai|anthropic|google|meta)\b"
    r"|\bi (?:do not|don't) have (?:personal (?:opinions|preferences|experiences|feelings)|a physical body)\b"
    rf"|(?:作为|身为){_ZH_MODEL}[，,我]|我(?:只)?是(?:由.{{1,12}}(?:开发|训练)的)?{_ZH_MODEL}"
)


def refusal(text: str) -> str | None:
    """It opens by declining the task. A letter that says sorry declines nothing, nor do quoted words."""
    return _found(_REFUSAL, text.strip()[:OPENING], "refuses")


def self_reference(text: str) -> str | None:
    """It speaks of itself as a model; a text about models does not."""
    return _found(_SELF_REFERENCE, text, "speaks of itself as a model")


def _found(pattern: re.Pattern[str], text: str, says: str) -> str | None:
    match = pattern.search(text.lower().replace("’", "'"))
    if match is None:
        return None
    words = " ".join(match[0].strip(" .!?:;,\n").split())
    return f'{says} at character {match.start()}: "{words}"'


def repetition(text: str) -> str | None:
    """It runs in a loop: letters, a sentence or line, or phrases come again and again."""
    for run in re.findall(rf"[^\W\d_]{{{SAME_LETTERS},}}", text):
        loop = re.search(r"(.{1,8}?)\1{4,}", run)
        if loop and len(loop[0]) >= SAME_LETTERS:
            return f'repeats "{loop[1]}" {len(loop[0]) // len(loop[1])} times in a row'
    tokens = unicode_tokens(text)
    for sentence, times in Counter(map(tuple, map(unicode_tokens, _sentences(text)))).items():
        share = times * len(sentence) / max(1, len(tokens))
        if len(sentence) > 2 and times >= SAME_TIMES and share >= SAME_SHARE:
            return f"says the same sentence {times} times, {share:.0%} of the text"
    items = Counter(" ".join(unicode_tokens(item)) for item in _NUMBERED_ITEM.findall(text))
    if items and (most := items.most_common(1)[0])[1] >= SAME_ITEMS and 2 * most[1] > items.total():
        return f'lists "{most[0]}" {most[1]} times'
    share = _repeated_share(tokens)
    if len(tokens) >= LOOP_TOKENS and share >= LOOP_SHARE:
        return f"repeats itself: {share:.0%} of its words are in phrases of {PHRASE} that came before"
    return None


_NUMBERED_ITEM = re.compile(r"(?m)^[ \t]{0,8}\d{1,3}[.)、．][ \t]{0,8}(\S.*)$")


def _sentences(text: str) -> list[str]:
    """Sentences and lines; the row of a table is one, whatever marks its cells hold."""
    marks = re.compile(r"[.!?;]+(?!\S)|[。！？；]+")
    return [s for line in text.splitlines() for s in ([line] if "|" in line else marks.split(line))]


def _repeated_share(tokens: list[str]) -> float:
    """The share of tokens inside of a phrase that came before."""
    seen: set[tuple[str, ...]] = set()
    covered = end = 0
    for start in range(len(tokens) - PHRASE + 1):
        phrase = tuple(tokens[start : start + PHRASE])
        if phrase in seen:
            covered += start + PHRASE - max(start, end)
            end = start + PHRASE
        seen.add(phrase)
    return covered / max(1, len(tokens))


_OPEN_ENDS = ",，、:：-–—([{（“‘「《"
_SMALL_WORD = re.compile(
    r"an?|and|are|as|at|because|but|by|for|from|has|if|in|into|is|its?|of|on|or|so|that|the|their|this|to|was|with"
)
_LAST_WORDS = frozenset(["it", "this", "so", "has", "was", "at", "by", "for", "in", "on", "with"])
_LETTER_LINE = re.compile(r"(?i)\s*(?:dear|hi|hello)\b|.*\b(?:regards|sincerely|yours|truly|best|thanks),$")
_CODE = re.compile(r" {4}|\t|.*(?:[{}=<>\\|]|\w\(|\[\w+\]|[#@]\w+$|https?://\S{0,300}$)")  # or a tag, an address
_ITEM = re.compile(
    r"\s*(?:[-*•+#>$]|\(?\w{1,3}[.)]\s)"  # of a list; or a heading, a quotation, a command
    r"|.*[\"”'’.!?)]\s*[-–—~]\s*[\w. ]{2,40}$"  # who said it
)


def truncated(text: str) -> str | None:
    """It ends in mid-sentence: at a comma, a colon, an "and", or after long prose without a closing mark."""
    text = text.rstrip()
    lines = text.splitlines()
    if not text or unbalanced_fences(text) or _CODE.match(lines[-1]):
        return None
    tokens, last, item = unicode_tokens(lines[-1]), text[-1], _ITEM.match(lines[-1])
    if last in _OPEN_ENDS:
        form = len(lines) > 1 and lines[-2].rstrip()[-1:] == last == ":"
        fine = item or form or len(unicode_tokens(text)) < 4 or _LETTER_LINE.match(lines[-1])
        return None if fine else f'ends at "{last}" after {len(tokens)} words of its last line'
    if not last.isalpha():
        return None
    small = [bool(_SMALL_WORD.fullmatch(token)) for token in tokens]
    if small[-1] and tokens[-1] not in _LAST_WORDS and len(tokens) > 5:
        return f'ends at "{tokens[-1]}" after {len(tokens)} words of its last line'
    prose = re.search(f"[{UNSPACED}]$", text) or sum(small) > 2
    limit = CUT_TOKENS if re.search(r"[.!?](?!\S)|[。！？]", text) else LONE_CUT_TOKENS
    cut = prose and not item and len(tokens) >= limit
    return f"has no closing mark after the {len(tokens)} words of its last line" if cut else None


def unbalanced_fences(text: str) -> str | None:
    """A block of code is opened and never closed."""
    fence, opened = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
        if match and not fence:
            fence, opened = match[1], number
        elif match and match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return f"the code fence opened in line {opened} is never closed" if fence else None


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


def needs_attachment(instruction: str) -> str | None:
    """It is about, or asks for, a picture, a sound, a file or a link, which text cannot give; code can."""
    coded = _IN_TEXT.search(instruction.lower())
    return None if coded else _found(_ATTACHMENT, instruction, "needs more than text")


_REQUEST = re.compile(
    r"\?|\b(?:please|(?:can|could|would|will) you|let's|let us|(?:help|tell|give|show) me|your help|up to you"
    r"|(?:asked|expected|required) to|you (?:need|must|should|will|can|have to|ought)|i'd|looking for"
    r"|(?:i|we) (?:need|want|would|wish)|(?:task|job|goal|aim|challenge|assignment) (?:is|will be)"
    r"|(?:should|must|needs? to) be|would (?:be|appreciate))\b|, (?:what|how|why)\b"
    r"|(?:^|[.!:;\n])\W{0,8}(?:what|who|whom|whose|which|when|where|why|how|is|are|am|was|were|does|did|can|could|will"
    r"|would|should|shall|may|has|(?:is|are|do|does|did|wo|ca)n't|(?:what|who|how|where)'s)\b"
)
_ENGLISH = re.compile(r"\b(?:and|are|for|have|is|it|my|not|of|she|that|the|they|this|to|was|with|you|your)\b")
_CLAUSE = re.compile(r"\w(?:[^.!;:,\n()\"\s]|\s(?!-+\s|(?:and|then|now|also|first|only|just|don't|do not)\b))*")
_ORDER = re.compile(  # a known imperative, or what may be one before the first word of an object
    r"(?:(?:and|then|now|also|first|only|just|don't|do not|(?!\w*ply\b)\w{3,}ly|\d+) )?(?:(?:re-?)?"
    r"(?:act|add|advise|analyze|answer|apply|argue|arrange|assess|assign|be|brainstorm|break|calculate|"
    r"categorize|choose|classify|clean|collect|combine|come|comment|compare|compose|compress|conduct|consider|"
    r"construct|convert|copy|correct|create|cross|cut|decide|define|delete|describe|design|detect|develop|"
    r"differentiate|discuss|distinguish|do|draft|edit|elaborate|estimate|evaluate|expand|explain|express|"
    r"extract|figure|fill|find|format|gather|generate|get|give|go|guess|have|help|identify|imagine|include|"
    r"insert|lay|let|list|look|make|match|merge|name|offer|organize|outline|output|perform|pick|plan|point|"
    r"predict|pretend|produce|propose|provide|pull|put|read|recommend|remove|replace|reply|report|research|"
    r"respond|retrieve|return|reverse|rewrite|say|search|select|set|show|solve|speak|spell|suggest|sum|"
    r"summarize|synthesize|take|talk|tell|think|translate|true|try|turn|type|use|weigh|work|write)\b)"
    r"|(?:(?:now|also|first|only|just|don't|do not|(?!\w*ply\b)\w{3,}ly|\d+) )?"
    r"(?!(?:a|about|after|all|an|and|any|as|at|before|but|by|every|for|from|he|her|here|his|i|if|in|into|it|"
    r"like|my|no|not|of|on|one|or|our|she|since|so|some|than|that|the|there|they|to|under|until|we|when|"
    r"while|with|without|you|your)\b)"
    r"[a-z-]+(?<![^s]s)(?<!ed) (?:an?|the|this|that|these|those|your|my|me|all|each|any|every|some|more|how|why|what"
    r"|which|whether|if|it|them|their|both|up|out|one|two|three|four|five|\d+)\b"
)


def asks_nothing(instruction: str) -> str | None:
    """No clause of it is a question, a wish or an order. English only: other languages are not judged."""
    text = instruction.lower().replace("’", "'")
    foreign = sum(letter.isalpha() and not letter.isascii() for letter in text) * 50 > len(text)
    if foreign or not _ENGLISH.search(text) or _REQUEST.search(text):
        return None
    clauses = _CLAUSE.findall(text)
    orders = any(map(_ORDER.match, clauses))
    return None if orders else f"asks for nothing in any of its {len(clauses)} clauses"


def same_text(answer: str, question: str) -> str | None:
    """It says nothing but the question. Case and marks count: to change them may be the task."""
    said, asked = (" ".join(unicodedata.normalize("NFC", text).split()) for text in (answer, question))
    if not asked or asked not in said:
        return None
    labels = {"answer", "input", "instruction", "output", "question", "response", *"答案输入出回复问题指令"}
    times, rest = said.count(asked), set(unicode_tokens(said.replace(asked, " ")))
    again = rest <= labels and (rest or times > 1) and len(unicode_tokens(asked)) > 2
    return f"only says again what it was given ({times}x)" if said == asked or again else None
