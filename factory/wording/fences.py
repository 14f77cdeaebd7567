"""Code blocks that are opened and never closed."""

import re

from tuneworks.factory.wording.phrases import has_any

_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")


def unbalanced_fences(text: str) -> str | None:
    """A block of code is opened and never closed."""
    if not has_any(text, ("```", "~~~")):
        return None
    fence, opened = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if match and not fence:
            fence, opened = match[1], number
        elif match and match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return f"the code fence opened in line {opened} is never closed" if fence else None
