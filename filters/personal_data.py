"""Personal data: e-mail addresses, phone and account numbers, and other things that lead to one person."""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Literal, get_args

import polars as pl
from pydantic import Field

from tuneworks.filters.filter import Filter
from tuneworks.filters.privacy.addresses import emails, ips, masked_email, masked_ip
from tuneworks.filters.privacy.findings import Finding, Of, Span, found, held, masked
from tuneworks.filters.privacy.personal_numbers import cards, ibans, resident_ids, ssns
from tuneworks.filters.privacy.phones import phones

Kind = Literal["email", "phone", "ip", "card", "iban", "resident_id", "ssn"]


class PersonalData(Filter):
    """Drop records that hold what leads to a person: addresses and numbers that are written as real ones are.

    Check sums, ranges and neighbours tell them from other numbers. What is set aside for documentation, or plainly
    made up (example.com, 555-0123, 192.0.2.1, 123-45-6789), is nobody's. All messages and all answers are read.
    The reason shows the value masked.
    """

    kind: ClassVar[str] = "personal_data"
    measured_by: ClassVar[tuple[str, ...] | None] = ()

    kinds: tuple[Kind, ...] = Field(default=get_args(Kind), min_length=1)
    """What to look for: email, phone, ip (public ones), card (credit cards), iban, resident_id (China), ssn (US)."""
    of: Of = "both"
    """Where it may not be: prompt, answer, or both."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame([found(table, WORTH, search)])

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return measures.select(reason=held(self.of, self.kinds)).to_series()


WORTH = pl.any_horizontal(
    pl.col("text").str.contains(pattern)
    for pattern in (
        r"[A-Za-z0-9_%+-]@[A-Za-z0-9]",
        r"\d(?:[ ().\-/]{0,2}\d){6}",
        r"\d\.\d{1,3}\.\d{1,3}\.\d",
        r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:",
        r"[A-Z]{2}\d{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}",
    )
)
"""The text may hold an address or at least seven digits close together."""

SEARCHES: Mapping[str, tuple[str, Callable[[str], Iterator[Span]], Callable[[str], str]]] = {
    "email": ("an e-mail address", emails, masked_email),
    "iban": ("an IBAN", ibans, masked),
    "resident_id": ("a resident identity number", resident_ids, masked),
    "card": ("a card number", cards, masked),
    "ssn": ("a social security number", ssns, masked),
    "ip": ("an IP address", ips, masked_ip),
    "phone": ("a phone number", phones, masked),
}
"""What each kind is called, who finds it, and how a value is masked; those with a check sum first."""


def search(text: str) -> Iterator[Finding]:
    """Every finding; where kinds overlap, the one that comes first in SEARCHES."""
    taken = bytearray(len(text))
    for kind, (what, spans, mask) in SEARCHES.items():
        for start, end in spans(text):
            if 1 not in taken[start:end]:
                taken[start:end] = b"\1" * (end - start)
                yield Finding(kind, start, f"{what} {mask(text[start:end])}")
