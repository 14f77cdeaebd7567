"""Numbers that belong to a person: how they are written, and the sums and ranges that tell them from other numbers.

Numbers set aside for documentation, and those a writer makes up, such as 123-45-6789, are nobody's.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise

from tuneworks.filters.privacy.findings import Span

_ALONE = r"(?<![A-Za-z0-9_.])(?<!\d[ \-])"

_CARD = re.compile(
    rf"{_ALONE}(?:\d{{14,19}}|\d{{4}}([ \-])\d{{4}}\1\d{{4}}\1\d{{4}}(?:\1\d{{1,3}})?|\d{{4}}([ \-])\d{{6}}\2\d{{4,5}})"
    r"(?![ \-]?\d|[A-Za-z_]|\.\d)"
)
_CARD_PREFIX = re.compile(
    r"4\d{15}|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|"
    r"(?:6011|65\d\d|64[4-9]\d|35[2-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}"
)
_CARD_WORD = re.compile(r"(?i)\bcards?\b|\bvisa\b|master ?card|\bamex\b|american express|credit|debit|tarjeta|karte|卡")
_TEST_CARDS = frozenset({
    "4242424242424242", "4012888888881881", "4000056655665556", "5555555555554444", "5105105105105100",
    "378282246310005", "371449635398431", "378734493671000", "6011111111111117", "6011000990139424",
    "3530111333300000", "3566002020360505", "30569309025904", "38520000023237", "36227206271667",
    "2223003122003222", "5200828282828210",
})  # fmt: skip

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_IBAN_LENGTH: Mapping[str, int] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_SAMPLE_IBANS = frozenset({
    "GB82WEST12345698765432", "GB29NWBK60161331926819", "GB33BUKB20201555555555", "DE89370400440532013000",
    "FR1420041010050500013M02606", "CH9300762011623852957", "NL91ABNA0417164300", "ES9121000418450200051332",
    "IT60X0542811101000000123456", "BE68539007547034", "AT611904300234573201", "IE29AIBK93115212345678",
})  # fmt: skip

_RESIDENT = re.compile(rf"{_ALONE}[1-8]\d{{16}}[\dXx](?![A-Za-z0-9_]|[.\-]\d)")
_PROVINCES = frozenset({
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43",
    "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82",
})  # fmt: skip
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_SAMPLE_RESIDENTS = frozenset({"11010519491231002X", "440524188001010014"})

_SSN = re.compile(r"(?<![\w\-.])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w\-]|\.\d)")
_USED_SSNS = frozenset({"078-05-1120", "219-09-9999", "457-55-5462"})
"""Printed in advertisements: all the world's, so nobody's."""


def luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def made_up(digits: str) -> bool:
    """Whether five digits run up, down or stay the same, as in what a writer puts where a number goes."""
    steps = [(int(b) - int(a)) % 10 for a, b in pairwise(digits)]
    return any(steps[i] in (0, 1, 9) and len({*steps[i : i + 4]}) == 1 for i in range(len(steps) - 3))


def cards(text: str) -> Iterator[Span]:
    """Of digits without groups one in a hundred passes for a card: those count beside a word that speaks of one."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if not _CARD_PREFIX.fullmatch(digits) or not luhn(digits) or digits in _TEST_CARDS or made_up(digits):
            continue
        around = text[max(0, match.start() - 60) : match.end() + 60]
        if digits != match[0] or _CARD_WORD.search(around):
            yield match.span()


def ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTH.get(match[0][:2], 0)
        places = [i for i, c in enumerate(match[0]) if c != " "][:length]
        if not length or len(places) < length:
            continue
        end = match.start() + places[-1] + 1
        iban = "".join(match[0][i] for i in places)
        number = int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4]))
        if number % 97 == 1 and not text[end : end + 1].isalnum() and iban not in _SAMPLE_IBANS:
            yield match.start(), end


def resident_ids(text: str) -> Iterator[Span]:
    """Identity numbers of residents of China (GB 11643): province, day of birth, and a check character."""
    for match in _RESIDENT.finditer(text):
        number = match[0].upper()
        check = sum(w * int(d) for w, d in zip(_RESIDENT_WEIGHTS, number, strict=False)) % 11
        known = number[:2] in _PROVINCES and _is_day(number[6:14]) and "10X98765432"[check] == number[17]
        if known and number not in _SAMPLE_RESIDENTS:
            yield match.span()


def _is_day(digits: str) -> bool:
    try:
        return 1900 <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year <= 2099
    except ValueError:
        return False


def ssns(text: str) -> Iterator[Span]:
    for match in _SSN.finditer(text):
        if match[0] not in _USED_SSNS and not made_up(re.sub(r"\D", "", match[0])):
            yield match.span()
