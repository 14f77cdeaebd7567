"""Where a key comes from, and that it is shown nowhere."""

from pathlib import Path

import pytest

from tuneworks.factory.engines.openai.key import NONE, Key, key_from
from tuneworks.factory.errors import EngineUnavailable


def test_the_environment_variable_and_the_file_which_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", " sk-1\n")
    (tmp_path / "key").write_text("sk-2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    variable, file = key_from("SOME_KEY", None), key_from("SOME_KEY", "~/key")
    assert variable == Key("sk-1", "the environment variable SOME_KEY")
    assert file == Key("sk-2", "the file ~/key")
    assert "sk-" not in f"{variable!r}{file!r}"


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    assert key_from("SOME_KEY", None) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; put the key into it"),
        (b"key: sk-1", "holds something else than a key"),
        (b"sk-1\nsk-2", "holds something else than a key"),
        ("sk-é".encode(), "holds something else than a key"),
        (b"\xff\xfe\x00", "cannot be read .it is no text.; correct api_key_file"),
        (None, "cannot be read .No such file or directory.; correct api_key_file"),
    ],
)
def test_a_file_that_holds_no_key(content: bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EngineUnavailable, match=words) as caught:
        key_from("SOME_KEY", str(file))
    assert "sk-" not in str(caught.value)


def test_the_key_comes_out_of_whatever_a_server_says() -> None:
    key = Key("a&b/c", "the file k")
    said = b"a&b/c Bearer a&b/c a&amp;b/c a%26b%2Fc a&b\\/c"
    assert key.out_of(said) == b"[the key] Bearer [the key] [the key] [the key] [the key]"
    assert Key(NONE, "the file k").out_of(b"none of them") == b"none of them"
