"""Phone numbers: as they are written with a country code, in America, France, Britain and China, or after a word that
announces one. Numbers of firms (800, 400), of fiction (555, 020 7946 0) and made-up ones are no person's."""

import re
from collections.abc import Iterator
from itertools import pairwise

from tuneworks.filters.privacy.findings import Span
from tuneworks.filters.privacy.personal_numbers import made_up

_BEFORE, _AFTER = r"(?<![A-Za-z0-9_.+\-/])", r"(?![A-Za-z0-9_/]|[.,\-]\d)"
_CHINESE = r"(?:86[ \-]?)?1[3-9]\d([ \-]?)\d{4}\1\d{4}"
_LOOSE = r"\d(?:[ ().\-/]{0,2}\d)"

_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?<![A-Za-z0-9_+.)\]])(?:\+|\(\+)[1-9](?:[ ().\-/]{{0,2}}\d){{7,14}}{_AFTER}",
        rf"{_BEFORE}(?:1[ .\-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.\-])[2-9]\d\d[ .\-]\d{{4}}{_AFTER}",
        rf"{_BEFORE}(?<![0-9A-Fa-f]{{2}} )0[1-9]([ .\-])\d\d(?:\1\d\d){{3}}{_AFTER}",
        rf"{_BEFORE}\(?0(?:2\d\)? \d{{4}} \d{{4}}|[17]\d{{3}}\)? (?:\d{{6}}|\d{{3}} \d{{3}})|"
        rf"1(?:1\d|\d1)\)? \d{{3}} \d{{4}}){_AFTER}",
        rf"{_BEFORE}{_CHINESE}{_AFTER}",
        rf"{_BEFORE}0(?:10|2\d|[3-9]\d\d)-\d{{7,8}}{_AFTER}",
    )
)
_WORD = (
    r"(?:\b(?:tele?(?:phone|fon)?|(?:tele)?phone|mobile|cell|fax|whatsapp|tél(?:éphone)?|teléfono|móvil|handy|"
    r"(?:call|reach|contact|text|ring) (?:me|us|him|her|them) (?:at|on))\b|电话|手机|手机号|传真|微信|热线)"
)
_ANNOUNCED = re.compile(rf"{_BEFORE}(?<!\d[ ()])\(?{_LOOSE}{{8,13}}{_AFTER}")
_ANNOUNCES = re.compile(rf"(?i){_WORD}[^\d\n]{{0,16}}$")
"""What stands before a number that is one of a phone whatever its form."""

_HAN = re.compile("[\u4e00-\u9fff]")
_ARITHMETIC = re.compile(r"[=*/×÷^%<>]")
_AMOUNT = re.compile(r"\s*(?:[=*/×÷^%<>]|\+ ?\d|元|美元|人|个|万|亿|吨|公里|千米)")
_CATALOGUED = re.compile(r"(?i)(?:ISBN|ISSN|DOI|EAN|UPC)\W{0,3}$")

_COUNTRIES = re.compile(
    r"7|2(?:[07]|1[12368]|[2-6]\d|9[01789])|3(?:[0-469]|[578]\d)|4(?:[013-9]|2\d)|5(?:[1-8]|0\d|9\d)|6(?:[0-6]|[789]\d)|"
    r"8(?:[1246]|5\d|8\d)|9(?:[0-58]|[679]\d)"
)
_AMERICAN = re.compile(r"(?!.11)[2-9](?!9)\d\d(?!.11)[2-9]\d\d\d{4}")
_FIRMS = re.compile(r"8(?:33|44|55|66|77|88)|[2-9]00|555")
_FICTION = re.compile(r"0?(?:207946|1632960|7700900|1[1-9]14960|1[1-9]{2}4960|8081570|9098790|306999)")


def phones(text: str) -> Iterator[Span]:
    spans = [match.span() for form in _FORMS for match in form.finditer(text) if _is_phone(text, *match.span())]
    spans += [match.span() for match in _ANNOUNCED.finditer(text) if _is_announced(text, *match.span())]
    end = 0
    for start, stop in sorted(spans):
        if start >= end:
            yield start, stop
            end = stop


def _is_announced(text: str, start: int, end: int) -> bool:
    return _ANNOUNCES.search(text, max(0, start - 40), start) is not None and _is_phone(text, start, end)


def _is_phone(text: str, start: int, end: int) -> bool:
    number, before = text[start:end], text[max(0, start - 40) : start]
    digits = re.sub(r"\D", "", number)
    if made_up(digits) or _rising(digits) or len(set(digits)) < 4 or _CATALOGUED.search(before):
        return False
    if _ARITHMETIC.search(before[-2:]) or _AMOUNT.match(text, end):
        return False
    if "+" in number:
        return _abroad(digits)
    if digits[0] == "0":
        return not _FICTION.match(digits)
    if re.fullmatch(_CHINESE, number):
        grouped = not number.isdigit()
        return grouped or bool(_ANNOUNCES.search(before) or _HAN.search(before + text[end : end + 20]))
    if len(digits) in (10, 11):
        return _american(digits.removeprefix("1") if len(digits) == 11 else digits)
    return True


def _abroad(digits: str) -> bool:
    if digits[0] == "1":
        return _american(digits[1:])
    if digits.startswith("86"):
        return bool(re.fullmatch(r"86(?:1[3-9]\d{9}|0?[1-9]\d{8,10})", digits))
    code = _COUNTRIES.match(digits)
    return code is not None and 7 <= len(digits) - code.end() <= 12 and not _FICTION.match(digits, code.end())


def _american(digits: str) -> bool:
    """Area code and exchange as the North American plan gives them out, to a person."""
    return bool(_AMERICAN.fullmatch(digits)) and not _FIRMS.match(digits) and digits[3:6] != "555"


def _rising(digits: str) -> bool:
    pairs = [int(digits[i : i + 2]) for i in range(0, len(digits) - 1, 2)]
    return all(b == a + 1 for a, b in pairwise(pairs))
