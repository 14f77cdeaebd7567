"""Secrets: keys, tokens and passwords that open something."""

import re
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

import polars as pl

from tuneworks.filters.filter import Filter
from tuneworks.filters.privacy.findings import Finding, Of, found, held
from tuneworks.filters.privacy.randomness import looks_random, stands_in


class Secrets(Filter):
    """Drop records that hold a key, a token or a password.

    Keys of known makes are told by their form; passwords in links and values assigned to a name such as
    `password` or `api_key` by how random they are, so that tutorials with 'your_password' stay. All messages and
    all answers are read. The reason shows what kind it is, and none of what is secret.
    """

    kind: ClassVar[str] = "secrets"
    measured_by: ClassVar[tuple[str, ...] | None] = ()

    of: Of = "both"
    """Where it may not be: prompt, answer, or both."""

    def measure(self, table: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame([found(table, WORTH, search)])

    def reject(self, measures: pl.DataFrame) -> pl.Series:
        return measures.select(reason=held(self.of)).to_series()


class Secret(NamedTuple):
    kind: str
    shown: str
    pattern: re.Pattern[str]
    """Its first group is what is secret."""
    real: Callable[[re.Match[str]], bool]
    """Whether that is no stand-in for a secret."""


def _made(kind: str, shown: str, pattern: str) -> Secret:
    """A key of a known make: its form is proof enough, unless it stands in for one."""
    pattern = rf"(?<![A-Za-z0-9_\-])({pattern})(?![A-Za-z0-9_])"
    return Secret(kind, shown, re.compile(pattern), lambda match: not stands_in(match[1]))


def _has_key(block: str) -> bool:
    return re.search("[A-Za-z0-9+/=]{40}", block) is not None and not stands_in(block)


_NAME = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret(?:[_\-]?access)?(?:[_\-]?key)?|(?:api|access|auth|private|account|encryption)"
    r"[_\-]?key|(?:(?:auth|access|api|bearer|refresh|bot)[_\-]?)?token|client[_\-]?secret|密码|口令|密钥)"
)

_ASSIGNED = re.compile(rf"(?i){_NAME}[\"']?\s{{0,4}}[:=]?$")


def _is_assigned(match: re.Match[str]) -> bool:
    return _ASSIGNED.search(match.string, max(0, match.start() - 40), match.start()) is not None


SECRETS = (
    _made("anthropic", "an Anthropic key sk-ant-***", r"sk-ant-[a-z]{2,8}\d\d-[A-Za-z0-9_\-]{60,120}"),
    _made(
        "openai",
        "an OpenAI key sk-***",
        r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_\-]{40,200}|sk-(?=[A-Za-z]*\d)[A-Za-z0-9]{20,60}",
    ),
    _made("openrouter", "an OpenRouter key sk-or-***", r"sk-or-v1-[0-9a-f]{64}"),
    _made("aws", "an AWS access key ***", r"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    _made("github", "a GitHub token gh***", r"gh[pousr]_[A-Za-z0-9]{36,76}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _made("gitlab", "a GitLab token glpat-***", r"glpat-[A-Za-z0-9_\-]{20,60}"),
    _made("hugging_face", "a Hugging Face token hf_***", r"hf_[A-Za-z0-9]{34,40}"),
    _made("google", "a Google key AIza***", r"AIza[A-Za-z0-9_\-]{35}"),
    _made("slack", "a Slack token xox***", r"xox[abeprs]-(?:\d{8,14}-){1,3}[A-Za-z0-9\-]{16,64}"),
    _made("slack", "a Slack webhook hooks.slack.com/***", r"hooks\.slack\.com/services/T\w{8,12}/B\w{8,12}/\w{24}"),
    _made("stripe", "a Stripe key ***", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,120}"),
    _made("npm", "an npm token npm_***", r"npm_[A-Za-z0-9]{36}"),
    _made("pypi", "a PyPI token pypi-***", r"pypi-AgE[A-Za-z0-9_\-]{60,200}"),
    _made("sendgrid", "a SendGrid key SG.***", r"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"),
    _made("telegram", "a Telegram bot token ***", r"\d{8,10}:AA[A-Za-z0-9_\-]{33}"),
    _made(
        "jwt", "a JSON web token eyJ***", r"eyJ[A-Za-z0-9_\-]{8,400}\.eyJ[A-Za-z0-9_\-]{8,4000}\.[A-Za-z0-9_\-]{20,800}"
    ),
    Secret(
        "private_key",
        "a private key block",
        re.compile(r"(-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,400})"),
        lambda match: _has_key(match[1].split("-----END")[0]),
    ),
    Secret(
        "url_password",
        "a password in a link ***",
        re.compile(
            r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.\-]{1,20}://[^\s:/@\"'<>]{1,64}:([^\s:/@\"'<>]{6,64})@"
            r"(?!localhost|127\.|[\w.\-]{0,60}example\.)[\w\-]"
        ),
        lambda match: looks_random(match[1], least=8),
    ),
    Secret(
        "assigned",
        "a secret value ***",
        re.compile(r"[=:：>是]\s{0,4}[\"'“]([^\s\"'“”]{10,200})[\"'”]"),
        lambda match: _is_assigned(match) and looks_random(match[1], least=10),
    ),
    Secret(
        "assigned",
        "a secret value ***",
        re.compile(r"[=:：]\s{0,4}([A-Za-z0-9_\-+/=.]{20,200})(?![\w(\[.])"),
        lambda match: _is_assigned(match) and looks_random(match[1], least=20),
    ),
)

WORTH = pl.any_horizontal(
    pl.col("text").str.contains_any(
        ["sk-", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_", "AIza", "xox",
         "hooks.slack", "k_live_", "k_test_", "npm_", "pypi-", "SG.", ":AA", "eyJ", "PRIVATE KEY"]
    ),
    pl.col("text").str.contains(r"://[^\s/@]+:[^\s/@]+@"),
    pl.col("text").str.contains(rf"(?i){_NAME}[\"']?\s{{0,4}}[=:：是]"),
)  # fmt: skip
"""The text holds the beginning of a key, a link with a password, or an assignment to a name for one."""


def search(text: str) -> Iterator[Finding]:
    """Every finding; a value that several patterns meet is of the first one's kind."""
    taken = bytearray(len(text))
    for secret in SECRETS:
        for match in secret.pattern.finditer(text):
            start, end = match.span(1)
            if 1 not in taken[start:end] and secret.real(match):
                taken[start:end] = b"\1" * (end - start)
                yield Finding(secret.kind, start, secret.shown)
