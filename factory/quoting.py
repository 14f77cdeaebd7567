"""What others said, short enough for a sentence or a line."""

LONGEST_QUOTE = 303
"""Characters of another program's own words in an error, the dots at their end included."""


def one_line(said: object, longest: int = LONGEST_QUOTE) -> str:
    text = " ".join(str(said).split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
