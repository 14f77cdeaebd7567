"""The key of a server: read from where the user keeps it, and shown nowhere."""

import html
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote

from tuneworks.factory.errors import EngineUnavailable

NONE = "none"
"""Sent where there is no key: the client insists on one, and a server of one's own ignores it."""


@dataclass(frozen=True, slots=True)
class Key:
    text: str = field(repr=False)
    kept_in: str
    """Where the user has to look: a variable's name or a file's path."""

    def out_of(self, said: bytes) -> bytes:
        """What a server sent, without the key, which some repeat: plain, in a header, in a web page or an address."""
        for form in _forms(self.text):
            if form in said:
                said = said.replace(form, b"[the key]")
        return said


@cache
def _forms(key: str) -> tuple[bytes, ...]:
    if key == NONE:
        return ()
    written = (key, html.escape(key), quote(key, safe=""), key.replace("/", "\\/"))
    return tuple(form.encode() for form in dict.fromkeys(written))


def key_from(variable: str, file: str | None) -> Key | None:
    """The key that the file holds or, where none is named, the environment variable; null where that is empty. Raises
    EngineUnavailable for what cannot be a key."""
    if file is None:
        text, kept_in = os.environ.get(variable, "").strip(), f"the environment variable {variable}"
    else:
        text, kept_in = _read(Path(file).expanduser()), f"the file {file}"
    if not text:
        return None
    if not text.isascii() or not text.isprintable() or " " in text:
        raise EngineUnavailable(f"{kept_in} holds something else than a key; put the key, and nothing more, into it")
    return Key(text, kept_in)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise EngineUnavailable(f"the key's file {path} cannot be read ({reason}); correct api_key_file") from error
    if not text:
        raise EngineUnavailable(f"the key's file {path} is empty; put the key into it")
    return text
