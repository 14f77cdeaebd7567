"""What vLLM's log says about why it ended."""

import re

RAISED = re.compile(r"\b([A-Z]\w*(?:Error|Exception)): (.+)$")
"""A traceback's last line, whatever stands before it."""

ELSEWHERE = re.compile(r"root cause|see stack trace|EngineCore encountered|initialization failed", re.IGNORECASE)
"""vLLM's processes report each other's end in such words."""

LONGEST = 300
"""Characters of a cause in a sentence."""


def cause_of(reason: str, log: str) -> str:
    """`reason`, unless it only points to another process: then the last error that the log names."""
    if reason and not ELSEWHERE.search(reason):
        return reason
    raised = [found.group(2) for line in log.splitlines() if (found := RAISED.search(line))]
    own = [said for said in raised if not ELSEWHERE.search(said)]
    return own[-1] if own else reason


def one_line(said: str) -> str:
    """Short enough for a sentence, and without the full stop."""
    text = " ".join(said.split()).rstrip(".")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
