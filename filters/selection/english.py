"""Reads what an English instruction asks: its root verb and the noun that verb is about, by rules and a list of verbs.

No parser is asked, so a sentence built in an unforeseen way is misread. `read` walks over the words from left to right:
past politeness and an opening clause to the verb, past what may stand before the noun, and up to where its phrase ends.
"""

import re
from collections.abc import Iterator

WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*|[,;:()\"“”—–]|\d+")
SENTENCE = re.compile(r"(?<=[.?!])[\"”')]*\s+|\n+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS = _words(
    """accept add adjust advise analyze answer apply argue arrange ask assess assign assume attract be become begin
    belong boil brainstorm break bring build buy calculate call capture categorize celebrate change check choose
    cite clarify classify code collect combine come comment compare compile complete compose compute condense
    conduct connect consider construct continue contrast convert cook copy correct cost count cover create critique
    cut deal debate decide deduce define demonstrate derive describe design detect determine develop devise differ
    differentiate discuss display distinguish divide draft draw edit elaborate eliminate employ encode enumerate
    estimate evaluate examine execute expand explain explore express extend extract feel fill filter find finish fit
    fix follow form formulate gather generate get give go group grow guess guide happen have help highlight identify
    illustrate imagine implement improve include increase indicate infer inform insert introduce invent invert
    investigate judge justify keep label lay learn leave let link list locate look make mark match mean measure
    mention merge modify move name need offer order organize outline paraphrase pay pick plan play point portray
    predict prepare present print produce program proofread propose prove provide pull put rank rate reach read
    rearrange recall recommend reconstruct reduce refer reformulate rehearse relate remember remove rephrase replace
    reply report represent request require research respond restate return reverse review revise reword rewrite
    round save say search seem select separate set share shorten show simplify simulate sketch solve sort sound
    speak specify spell split spot start state stop store structure submit suggest suit sum summarize supply support
    swap synthesize take talk teach tell test think trace transcribe transform translate turn understand unscramble
    update use utilize validate verify visualize weigh work write"""
)
AUXILIARIES = _words("is are am was were do does did can could will would should shall may might must has have had")
QUESTIONS = _words("what which who whom whose why how when where")
PRONOUNS = _words(
    "i you he she it we they me him us them one someone somebody anyone people there this that these those"
)
INDIRECT = _words("me us him them her you")
DETERMINERS = _words(
    "a an the my your his her its our their this that these those each every some any all both no another"
)
FORE = _words("only just exactly about at least most more few several many much other such same enough little lot of")
LEADS = _words("of for to into at in on about from with by over up out down off away together through as between upon")
ENDS = AUXILIARIES | QUESTIONS | LEADS | _words(
    "and or but nor so because if unless while when since until after before than that without within during under "
    "above below across against among around behind beside like near inside outside toward towards via per using "
    "including based given following regarding containing set written called named here there whether to not if too "
    "also then earlier later now today yes please currently apart"
)  # fmt: skip
OPENERS = LEADS | _words(
    "given using based considering imagine suppose assuming if when while after before once without during "
    "following according because since under within"
)
NUMBERS = _words("two three four five six seven eight nine ten eleven twelve twenty")
PASSED = (
    DETERMINERS
    | FORE
    | LEADS
    | QUESTIONS
    | INDIRECT
    | AUXILIARIES
    | _words("whether if that one what's given following named written")
) - {"it"}
CLOSES = (ENDS | DETERMINERS | PRONOUNS | INDIRECT) - _words("one people")
GERUNDS = _words("meaning meeting painting building writing rating setting spelling beginning ending")
LY = _words("assembly daily early elderly family friendly likely lively lonely lovely monthly reply weekly yearly")
POLITE = re.compile(
    r"^(?:(?:please|kindly|now|then|next|first|finally|also|so|hi|hello|hey|ok|okay|just|carefully|briefly|and)\b[ ,!]*"
    r"|(?:can|could|would|will) you (?:please |kindly |help me (?:to )?)?(?!think|say|call|tell me whether)"
    r"|i(?:'d| would) (?:like|love) (?:you )?(?:to )?|i (?:want|need) you to |i want to |help me (?:to )?"
    r"|your (?:task|job|goal) is to |you (?:need|have|are asked|should|must) (?:to )?|let's |let us |try to )+",
    re.IGNORECASE,
)
WANTS = re.compile(r"(?:i|we) (?:need|want)\b", re.IGNORECASE)
IRREGULAR = {
    "children": "child", "men": "man", "women": "woman", "feet": "foot", "teeth": "tooth", "mice": "mouse",
    "lives": "life", "leaves": "leaf", "knives": "knife", "wives": "wife", "halves": "half", "shelves": "shelf",
    "criteria": "criterion", "phenomena": "phenomenon", "analyses": "analysis", "hypotheses": "hypothesis",
    "indices": "index", "movies": "movie", "cookies": "cookie", "shoes": "shoe",
}  # fmt: skip
UNCHANGED = _words("series species news means physics mathematics economics politics gas bus lens this always perhaps")


def read(text: str) -> tuple[str, str] | None:
    """The root verb and its object's head noun ("" where it has none) of the first sentence that asks something."""
    for sentence in SENTENCE.split(text[:2000].strip()):
        if found := _asks(POLITE.sub("", sentence.strip(" \"“”'*#-"), count=1)):
            return found
    return None


def _asks(sentence: str) -> tuple[str, str] | None:
    """Of a sentence's clauses, apart by commas and colons, the first that begins with a verb or a question."""
    words = [word.lower().replace("’", "'") for word in WORD.findall(sentence)]
    starts = [0, *(at + 1 for at, word in enumerate(words) if word in (",", ":", ";", "—"))]
    opened = bool(words) and words[0] in OPENERS
    for number, start in enumerate(starts):
        clause = words[start:]
        while clause and clause[0] in ("please", "and", "then", "so", "or"):
            clause = clause[1:]
        listed = number > 0 and not opened and not set(clause[:1]) & QUESTIONS
        if (found := _clause(clause)) and not (listed and found[0] not in VERBS):
            return found
    return None


def _clause(words: list[str]) -> tuple[str, str] | None:
    if len(words) > 1 and words[0] in LEADS and words[1] in QUESTIONS:
        words = words[1:]
    if not words:
        return None
    first = words[0]
    if first in QUESTIONS or (first in AUXILIARIES and len(words) > 2 and first not in ("do", "have")):
        return _asked(words)
    if first == "do" and len(words) > 1 and words[1] in PRONOUNS | DETERMINERS:
        return _asked(words)
    if WANTS.match(" ".join(words[:2])) and len(words) > 2:
        return _base(words[1]), _object(words[2:])
    verb = _base(first)
    if (verb in VERBS and not first.endswith("ing")) or (
        len(words) > 1 and words[1] in DETERMINERS and first not in ENDS | PRONOUNS | DETERMINERS
    ):
        return verb, _object(words[3:] if words[1:2] in (["and"], ["or"]) else words[1:], gives=True)
    return None


def _asked(words: list[str]) -> tuple[str, str]:
    """A question gives its question word, or the verb it opens with, and the first noun that follows; where its subject
    is a pronoun, the object."""
    first, rest = words[0].split("'")[0], words[1:]
    if first == "how" and rest and rest[0] not in AUXILIARIES:
        rest = rest[1:]
    while rest and rest[0] in AUXILIARIES:
        rest = rest[1:]
    if rest and rest[0] in ("i", "you", "we", "he", "she", "it", "they", "there", "one"):
        rest = rest[2:] if first in QUESTIONS or len(rest) > 2 else rest[1:]
    elif (
        rest
        and words[1] not in AUXILIARIES
        and (first == "who" or (_base(rest[0]) in VERBS and _base(rest[0]) != rest[0]))
    ):
        rest = rest[1:]
    return _base(first) if first in AUXILIARIES else first, _object(rest, clause=True)


def _object(words: list[str], gives: bool = False, clause: bool = False) -> str:
    """The head noun of the first noun phrase. With `gives`, of two phrases in a row the second: "give the man a tip".
    With `clause` the phrase is a subject, and a verb follows it."""
    rest = _to_the_noun(words)
    if len(rest) > 1 and _base(rest[0]) in VERBS and (rest[1] in DETERMINERS or words[0] == "to" or "to" in words[:3]):
        rest = _to_the_noun(rest[1:])
    clause = clause or bool(QUESTIONS & set(words[: len(words) - len(rest)]))
    phrase = list(_phrase(rest, clause))
    after = rest[len(phrase) :]
    if gives and phrase and after and after[0] in ("a", "an", "some"):
        phrase = list(_phrase(_to_the_noun(after), clause))
    return _singular(phrase[-1]) if phrase else ""


def _to_the_noun(words: list[str]) -> list[str]:
    """What is left once prepositions, a person spoken of, determiners, question words and their verbs are passed."""
    asked = next((at for at, word in enumerate(words[:6]) if word in QUESTIONS), None)
    at = asked if asked is not None and words[0] in ("to", "in", "for") else 0
    while at < len(words) and (words[at] in PASSED or words[at].isdigit() or _counts(words, at)):
        degree = words[at] == "how" and at + 2 < len(words) and words[at + 1] not in AUXILIARIES | PASSED | PRONOUNS
        at += 2 if degree and words[at + 2] in DETERMINERS | AUXILIARIES else 1
    return [] if at < len(words) and words[at] in PRONOUNS else words[at:]


def _counts(words: list[str], at: int) -> bool:
    return words[at] in NUMBERS and words[at + 1 : at + 2] == ["of"]


def _phrase(words: list[str], clause: bool) -> Iterator[str]:
    """The words of the noun phrase at the start: up to what cannot be inside one."""
    for at, word in enumerate(words):
        noun = at == 0 or word in GERUNDS or words[at - 1].endswith(("'s", "s'"))
        inflected = _base(word) != word and (clause or not word.endswith("s"))  # "five names" are no verb
        verb = not noun and _base(word) in VERBS and (clause or inflected or word in _PLAIN_VERBS)
        last = word == "first" and not set(words[at + 1 : at + 2]) - CLOSES
        adverb = at > 0 and (last or (word.endswith("ly") and word not in LY))
        if not word[0].isalnum() or (word in CLOSES and (at or word != "set")) or verb or adverb:
            return
        yield word


_PLAIN_VERBS = _words(
    "attract be become belong boil bring buy differ do fit get give go grow happen have keep make mean reach say show "
    "suit take tell understand use"
)


def _base(word: str) -> str:
    """A verb as the dictionary has it, in the American spelling."""
    word = re.sub(r"(?<=.{3})is(e|es|ed|ing)$", r"iz\1", word) if word not in ("advise", "revise", "raise") else word
    word = {"analyse": "analyze", "is": "be", "are": "be", "am": "be", "was": "be", "were": "be", "does": "do",
            "did": "do", "has": "have", "had": "have"}.get(word, word)  # fmt: skip
    stems = [word]
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word.removesuffix(ending)
            stems += [stem, stem + "e", stem[:-1]] if stem[-1:] == stem[-2:-1] else [stem, stem + "e"]
    return next((stem for stem in stems if stem in VERBS), word)


def _singular(word: str) -> str:
    word = re.sub(r"'s?$", "", word)
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word in UNCHANGED or len(word) < 4 or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "shes", "ches", "xes", "zzes")) else word[:-1]
