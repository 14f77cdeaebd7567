"""A page in one file that asks for nothing else, with its style and script inside."""

import base64
import hashlib
from pathlib import Path

from tuneworks.pipelines.report.html import Html, el, joined

STYLE = Path(__file__).with_name("report.css")


def document(title: str, content: Html, script: str = "") -> str:
    """The whole file. Nothing is fetched, and no script runs but `script`: whatever a record holds stays text."""
    first = joined(
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("link", rel="icon", href="data:,"),
        el("style", Html(STYLE.read_text(encoding="utf-8"))),
    )
    body = el("body", content, el("script", Html(script)) if script else None)
    return f"<!DOCTYPE html>\n{el('html', el('head', first), body, lang='en')}\n"


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = f"script-src 'sha256-{digest}'; " if script else ""
    return f"default-src 'none'; {scripts}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
