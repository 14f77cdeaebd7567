"""Addresses that lead to a person: of e-mail, and of machines on the public internet."""

import ipaddress
import re
from collections.abc import Iterator

from tuneworks.filters.privacy.findings import Span

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9_%+\-][A-Za-z0-9._%+\-]{0,63}@"
    r"(?:[A-Za-z0-9][A-Za-z0-9\-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9@\-])"
)
_LINK = re.compile(r"://[^\s@]*$")
_STAND_INS = frozenset({
    "abc", "xyz", "test", "tester", "example", "sample", "demo", "dummy", "foo", "bar", "foobar", "user",
    "username", "someone", "somebody", "anyone", "name", "email", "emailaddress", "myemail", "myname", "me", "you",
    "firstname", "lastname", "first", "last", "johndoe", "janedoe", "johnsmith", "janesmith", "jdoe", "jsmith",
    "my",
})  # fmt: skip
_ROLES = frozenset({
    "abuse", "admin", "administrator", "alert", "alerts", "billing", "careers", "contact", "contactus", "customer",
    "customercare", "customers", "customerservice", "customersupport", "donotreply", "editor", "enquiries",
    "events", "feedback", "git", "hello", "help", "helpdesk", "hostmaster", "hr", "info", "inquiries", "jobs",
    "mail", "marketing", "media", "members", "news", "newsletter", "noreply", "notification", "notifications",
    "offers", "office", "orders", "postmaster", "press", "privacy", "promo", "promotions", "recruitment",
    "registrar", "reservations", "returns", "rewards", "root", "sales", "security", "service", "services", "shop",
    "support", "team", "update", "updates", "webmaster",
})  # fmt: skip
_EXAMPLE_HOSTS = frozenset({
    "example", "sample", "test", "domain", "email", "website", "site", "company", "companyname", "company-name",
    "mycompany", "mydomain", "mysite", "myemail", "abc", "xyz", "abccompany", "xyzcompany", "acme", "foo", "bar",
})  # fmt: skip
_RESERVED_TOPS = frozenset({"example", "test", "invalid", "local", "localhost"})


def emails(text: str) -> Iterator[Span]:
    """Addresses of persons: not those of documentation (RFC 2606), stand-ins, or the desks of a firm."""
    for match in _EMAIL.finditer(text):
        in_link = _LINK.search(text[max(0, match.start() - 80) : match.start()])
        if not in_link and _is_persons(match[0].lower()):
            yield match.span()


def _is_persons(address: str) -> bool:
    name, _, domain = address.partition("@")
    words = re.findall("[a-z]+", name)
    *labels, top = domain.split(".")
    if not {*words[:1], "".join(words)}.isdisjoint(_STAND_INS | _ROLES):
        return False
    if name.startswith("your") or any(label in _EXAMPLE_HOSTS or label.startswith("your") for label in labels):
        return False
    return top not in _RESERVED_TOPS and len(name) + len(labels[-1]) > 2


def masked_email(address: str) -> str:
    """The first letters of name and domain, and the end of the domain: j***@g***.com."""
    name, _, domain = address.partition("@")
    host, _, top = domain.rpartition(".")
    return f"{_first(name)}***@{_first(host)}***.{top}"


def _first(word: str) -> str:
    return word[0] if len(word) > 2 else ""


_IP = re.compile(
    r"(?<![\w.:\-])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w\-]|\.\w)|[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:]))"
)
_MACHINE = re.compile(r"(?i)\b(?:IPs?|IPv[46]|address(?:es)?|hosts?|servers?|ping|ssh|client|visitor|login)\b|地址")
_VERSION = re.compile(r"(?i)(?:version|release|build|section|chapter|update|identifier|OID|\bv)\W{0,3}$")
_NOBODYS_IPS = frozenset({
    "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "4.2.2.2", "4.2.2.1", "208.67.222.222", "208.67.220.220",
    "1.2.3.4", "2.3.4.5", "4.3.2.1", "5.6.7.8", "12.34.56.78", "123.45.67.89", "11.22.33.44",
    "2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111", "2606:4700:4700::1001",
})  # fmt: skip
"""Name servers open to all, and counting."""


def ips(text: str) -> Iterator[Span]:
    """Public addresses. Four short numbers may be a version or a section: they count where two of them have three
    digits, or a word before speaks of a machine."""
    for match in _IP.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        short = "." in match[0] and sum(len(octet) == 3 for octet in match[0].split(".")) < 2
        if not _VERSION.search(before) and not (short and not _MACHINE.search(before)) and _is_public(match[0]):
            yield match.span()


def _is_public(written: str) -> bool:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and written not in _NOBODYS_IPS


def masked_ip(address: str) -> str:
    return f"{address[0]}***"
