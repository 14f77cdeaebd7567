"""How long a server asks to be left alone, as its headers say it."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_COUNTED = ("requests", "tokens")

LONGEST = 86_400.0
"""Seconds; a header that asks for more than a day is a mistake."""


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds until the next attempt is welcome, by whatever header says so; null where none does."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (after := headers.get("retry-after")) is not None and (seconds := _after(after)) is not None:
        return seconds
    return _until_reset(headers) or None


def pause(headers: Mapping[str, str]) -> float:
    """Seconds until a limit that is used up is filled again, from a reply that was still given; 0 where none is."""
    return _until_reset(headers) if "x-ratelimit-remaining-requests" in headers or _tokens(headers) else 0.0


def _tokens(headers: Mapping[str, str]) -> bool:
    return "x-ratelimit-remaining-tokens" in headers


def _until_reset(headers: Mapping[str, str]) -> float:
    """The longest reset among the limits of which nothing remains."""
    used_up = (what for what in _COUNTED if _number(headers.get(f"x-ratelimit-remaining-{what}")) == 0)
    return max((duration(headers.get(f"x-ratelimit-reset-{what}", "")) or 0.0 for what in used_up), default=0.0)


def _after(said: str) -> float | None:
    """Retry-After: seconds, or a date."""
    if (seconds := _number(said)) is not None:
        return seconds
    try:
        return min(max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0), LONGEST)
    except (ValueError, OverflowError):
        return duration(said)


def duration(said: str) -> float | None:
    """Seconds in `6m0s`, `20ms`, `1.5s` or a bare number; null where it is none of them."""
    if (seconds := _number(said)) is not None:
        return seconds
    parts = _PART.findall(said)
    if not parts or "".join(number + unit for number, unit in parts) != said.strip():
        return None
    return min(sum(float(number) * _UNITS[unit] for number, unit in parts), LONGEST)


def _number(said: str | None) -> float | None:
    try:
        value = float(said or "")
    except ValueError:
        return None
    return min(value, LONGEST) if value >= 0 else None
