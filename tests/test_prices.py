"""What models cost, by our file and the user's."""

from pathlib import Path

import pytest

from tuneworks.factory import prices
from tuneworks.factory.errors import InputError
from tuneworks.factory.prices import FREE, Price, price_of

OPENAI = "https://api.openai.com/v1"


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def written(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_price_is_for_a_million_tokens() -> None:
    assert Price(2.0, 8.0).of(1_000_000, 500_000) == pytest.approx(6.0)
    assert FREE.of(10, 10) == 0


def test_ours_know_openai_and_only_openai() -> None:
    assert price_of("gpt-4o-mini", OPENAI) == Price(0.15, 0.60)
    assert price_of("gpt-4o-mini", "https://openrouter.example.com/v1") is None
    assert price_of("no-such-model", OPENAI) is None


def test_a_dated_name_has_the_price_of_the_undated_one() -> None:
    assert price_of("gpt-4o-mini-2024-07-18", OPENAI) == price_of("gpt-4o-mini", OPENAI)
    assert price_of("gpt-4o-mini-high", OPENAI) is None


@pytest.mark.parametrize(
    "place",
    [
        *("http://localhost:8000/v1", "http://127.0.0.1/v1", "http://10.1.2.3:8000/v1", "http://192.168.0.7/v1"),
        *("http://[::1]:8000/v1", "http://gpu-box:8000/v1", "http://gpu.local/v1"),
    ],
)
def test_a_model_of_ones_own_costs_nothing(place: str) -> None:
    assert price_of("smollm2", place) == FREE


@pytest.mark.parametrize("place", ["http://8.8.8.8/v1", "https://api.provider.com/v1"])
def test_what_others_serve_has_no_known_price(place: str) -> None:
    assert price_of("smollm2", place) is None


def test_the_users_file_wins_over_everything(tmp_path: Path) -> None:
    listed = "models:\n  gpt-4o-mini: {prompt: 1, completion: 2}\n  own: {prompt: 0.5, completion: 0}\n"
    file = written(tmp_path / "p.yaml", listed)
    assert price_of("gpt-4o-mini", OPENAI, file) == Price(1, 2)
    assert price_of("own", "http://localhost:8000/v1", file) == Price(0.5, 0)
    assert price_of("gpt-4.1", OPENAI, file) == price_of("gpt-4.1", OPENAI)


def test_a_listed_dated_name_wins_over_the_undated_one(tmp_path: Path) -> None:
    listed = "models: {m-2025-01-02: {prompt: 3, completion: 4}, m: {prompt: 1, completion: 2}}"
    file = written(tmp_path / "p.yaml", listed)
    assert price_of("m-2025-01-02", OPENAI, file) == Price(3, 4)
    assert price_of("m-2025-01-03", OPENAI, file) == Price(1, 2)


def test_the_configured_file_is_for_all_recipes_and_a_named_one_wins(tmp_path: Path) -> None:
    written(prices.configured(), "models: {m: {prompt: 1, completion: 2}}")
    assert price_of("m", "https://api.provider.com/v1") == Price(1, 2)
    named = written(tmp_path / "p.yaml", "models: {m: {prompt: 5, completion: 6}}")
    assert price_of("m", "https://api.provider.com/v1", named) == Price(5, 6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models:\n  a: {prompt: 1, completion: 2}\n  b: {prompt: 1}\n", "line 3 of .* gives no price"),
        ("models:\n  a: 3\n", "line 2 of .* gives no price"),
        ("models: {a: {prompt: -1, completion: 2}}", "line 1 of .* gives no price"),
        ("models: {a: {prompt: true, completion: 2}}", "line 1 of .* gives no price"),
        ("models:\n  3.5: {prompt: x, completion: 2}\n", "line 2 of .* gives no price"),
        ("models:\n  a: {prompt: .nan, completion: 2}\n", "line 2 of .* gives no price"),
        ("models:\n  a: {prompt: 1\n  b: [", r"is not YAML \(line \d"),
        ("prices: {}", "names no models; write models:"),
        ("", "names no models"),
        ("- a", "names no models"),
    ],
)
def test_a_broken_file_is_one_sentence_with_the_line(tmp_path: Path, text: str, words: str) -> None:
    file = written(tmp_path / "p.yaml", text)
    with pytest.raises(InputError, match=words) as caught:
        price_of("m", OPENAI, file)
    assert "\n" not in str(caught.value) and file in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory; correct its path"):
        price_of("m", OPENAI, str(tmp_path / "none.yaml"))


def test_every_price_of_ours_is_dated() -> None:
    lines = [line for line in prices.OURS.read_text().splitlines() if line.startswith("  ")]
    assert len(lines) >= 10 and all("as_of: 20" in line for line in lines)
