"""What vLLM's log says about why it ended."""

import re

from tuneworks.factory.quoting import one_line

RAISED = re.compile(r"\b([A-Z]\w*(?:Error|Exception)): (.+)$")
"""A traceback's last line, whatever stands before it."""

ELSEWHERE = re.compile(r"root cause|see stack trace|EngineCore encountered|initialization failed", re.IGNORECASE)
"""vLLM's processes report each other's end in such words."""


def cause_of(reason: str, log: str) -> str:
    """`reason`, unless it only points to another process: then the last error that the log names."""
    if reason and not ELSEWHERE.search(reason):
        return part_of_sentence(reason)
    raised = [found.group(2) for line in log.splitlines() if (found := RAISED.search(line))]
    own = [said for said in raised if not ELSEWHERE.search(said)]
    return part_of_sentence(own[-1] if own else reason)


def part_of_sentence(said: str) -> str:
    """Short enough, and without the full stop."""
    return one_line(said.strip().rstrip("."))
