"""Prices: what a model's tokens cost. A small dated file comes along; the user's own files win over it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from platformdirs import user_config_path

from tuneworks.factory.errors import InputError

OURS = Path(__file__).with_name("prices.yaml")
OPENAI_HOST = "api.openai.com"

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_FORM = "write models: {NAME: {prompt: USD, completion: USD}}, for a million tokens each"


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1_000_000


FREE = Price(0.0, 0.0)


def price_of(model: str, place: str, file: str | None = None) -> Price | None:
    """What `model` costs at `place` (a URL), null where nobody knows.

    The user's file is asked first, then the one in the user's configuration, then ours, which is about OpenAI itself.
    A dated name (gpt-x-2025-01-31) has the price of the undated one unless it is listed. What runs on one's own machine
    or network costs nothing unless a user's file says so. Raises InputError for a file that is not as it should be.
    """
    host = urlsplit(place).hostname or ""
    for prices in map(_read, _files(file, host)):
        for name in (model, _DATED.sub("", model)):
            if name in prices:
                return prices[name]
    return FREE if _own(host) else None


def configured() -> Path:
    """Where a user's prices lie for all recipes."""
    return user_config_path("tuneworks") / "prices.yaml"


def _files(file: str | None, host: str) -> Iterator[Path]:
    if file is not None:
        yield Path(file).expanduser()
    if configured().is_file():
        yield configured()
    if host == OPENAI_HOST:
        yield OURS


def _own(host: str) -> bool:
    """Whether the name or address is of one's own machine or network."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan"))


def _read(path: Path) -> Mapping[str, Price]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        written, lines = yaml.safe_load(text), _lines(text)
    except OSError as error:
        raise InputError(f"the prices file {path} cannot be read: {error.strerror}; correct its path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the prices file {path} is no text; {_FORM}") from error
    except (yaml.YAMLError, ValueError) as error:  # a date that cannot be is a ValueError
        raise InputError(f"the prices file {path} is not YAML{_place(error)}; {_FORM}") from error
    models = written.get("models") if isinstance(written, Mapping) else None
    if not isinstance(models, Mapping):
        raise InputError(f"the prices file {path} names no models; {_FORM}")
    return {str(name): _price(entry, f"line {lines[str(name)]} of {path}") for name, entry in models.items()}


def _price(entry: object, where: str) -> Price:
    values = [entry.get(name) for name in ("prompt", "completion")] if isinstance(entry, Mapping) else []
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 1e9]
    if len(numbers) != 2:
        raise InputError(f"{where} gives no price: it needs two numbers, {{prompt: USD, completion: USD}}; correct it")
    return Price(*numbers)


def _lines(text: str) -> dict[str, int]:
    """The line on which each model stands, from 1."""
    root: Any = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    models = next((value for name, value in pairs if name.value == "models"), None)
    entries = models.value if isinstance(models, yaml.MappingNode) else []
    return {_name(node): node.start_mark.line + 1 for node, _ in entries}


def _name(node: yaml.Node) -> str:
    """As safe_load reads it: a bare 3.5 is a number."""
    return str(yaml.safe_load(yaml.serialize(node)))


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark else ""
