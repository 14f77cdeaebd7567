"""Instructions that ask for nothing."""

import re

from tuneworks.factory.wording.phrases import plain

LONGEST = 100_000
"""Characters of the longest instruction that is judged."""

_REQUEST = re.compile(
    r"\?|\b(?:please|(?:can|could|would|will) you|let's|let us|(?:help|tell|give|show) me|your help|up to you"
    r"|(?:asked|expected|required) to|you (?:need|must|should|will|can|have to|ought)|i'd|looking for"
    r"|(?:i|we) (?:need|want|would|wish)|(?:task|job|goal|aim|challenge|assignment) (?:is|will be)"
    r"|(?:should|must|needs? to) be|would (?:be|appreciate)|the (?:following|given)|in this task"
    r"|you are (?:given|tasked|to))\b|, (?:what|how|why)\b"
    r"|(?:^|[.!:;\n])\W{0,8}(?:what|who|whom|whose|which|when|where|why|how|is|are|am|was|were|does|did|can|could|will"
    r"|would|should|shall|may|has|(?:is|are|do|does|did|wo|ca)n't|(?:what|who|how|where)'s)\b"
)
_ENGLISH = re.compile(r"\b(?:and|are|for|have|is|it|my|not|of|she|that|the|they|this|to|was|with|you|your)\b")
_CLAUSE = re.compile(r"\w(?:[^.!;:,\n()\"\s]|\s(?!-+\s|(?:and|then|now|also|first|only|just|don't|do not)\b))*")
_ORDER = re.compile(  # a known imperative, or what may be one before the first word of an object
    r"(?:(?:and|then|now|also|first|only|just|don't|do not|(?!\w*ply\b)\w{3,}ly|\d+) )?(?:(?:re-?)?"
    r"(?:act|add|advise|agree|aim|analy[sz]e|answer|apologi[sz]e|apply|argue|arrange|assess|assign|be|brainstorm|"
    r"break|calculate|categori[sz]e|censor|change(?! (?:is|was|of|in|comes|will)\b)|check|choose|cite|classify|"
    r"clean|click|collaborate|collect|combine|come|comment|compare|compose|compress|conduct|connect|consider|"
    r"construct|convert|convince|copy|correct|create|cross|cut|debate|decide|deduce|define|delete|deploy|"
    r"describe|design|detect|determine|develop|diagnose|differentiate|discuss|distinguish|divide|do|draft|edit|"
    r"elaborate|embed|enter|equate|estimate|evaluate|expand|explain|express|extract|extrapolate|feed|fetch|"
    r"figure|fill|find|format|formulate|gather|generate|get|give|go|grapple|guess|have|help|hypothesi[sz]e|"
    r"identify|imagine|implement|include|infer|insert|introduce|invoke|lay|learn|let|list|look|make|mark|match|"
    r"mention|merge|mix|motivate|name|narrow|negotiate|offer|omit|operate|organi[sz]e|outline|output|"
    r"participate|pay|perform|pick|plan|point|predict|pretend|produce|propose|provide|prune|pull|put|rank|rate|"
    r"read|recommend|reconcile|redact|refer|reflect|remove|replace|reply|report|research|respond|retrieve|"
    r"return|reverse|reword|rewrite|say|search|seek|select|set|show|solve|sort|speak|specify|speculate|spell|"
    r"stitch|suggest|sum|summari[sz]e|suppose|synthesi[sz]e|take|talk|tell|think|translate|true|try|turn|type|"
    r"use|vote|weigh|work|write)\b)"
    r"|(?:(?:now|also|first|only|just|don't|do not|(?!\w*ply\b)\w{3,}ly|\d+) )?"
    r"(?!(?:a|about|after|all|an|and|any|as|at|before|but|by|every|for|from|he|her|here|his|i|if|in|into|it|"
    r"like|my|no|not|of|on|one|or|our|she|since|so|some|than|that|the|there|they|to|under|until|we|when|"
    r"while|with|without|you|your)\b)"
    r"[a-z-]+(?<![^s]s)(?<!ed) (?:an?|the|this|that|these|those|your|my|me|all|each|any|every|some|more|how|why|what"
    r"|which|whether|if|it|them|their|both|up|out|one|two|three|four|five|\d+)\b"
)


def asks_nothing(instruction: str) -> str | None:
    """No clause of it is a question, a wish or an order. English only: other languages are not judged."""
    text = plain(instruction)
    if "?" in text or len(text) > LONGEST or _foreign(text):
        return None
    clauses = 0
    for clause in _CLAUSE.finditer(text):
        if _ORDER.match(clause[0]):
            return None
        clauses += 1
    if not _ENGLISH.search(text) or _REQUEST.search(text):
        return None
    return f"asks for nothing in any of its {clauses} clauses"


def _foreign(text: str) -> bool:
    if text.isascii():
        return False
    return sum(letter.isalpha() and not letter.isascii() for letter in text) * 50 > len(text)
