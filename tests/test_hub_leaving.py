"""What may leave a machine: recipes without its paths, texts without its folders, rows without secrets."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.hub.leaving import check_rows, check_text, renamed_in, without_paths

TOKEN = "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3h"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/me/data/alpaca.json", "alpaca.json"),
        ("~/data/alpaca.json", "alpaca.json"),
        ("~me/alpaca.json", "~me/alpaca.json"),
        ("file:///srv/x/alpaca.json", "alpaca.json"),
        ("C:\\Users\\me\\alpaca.json", "alpaca.json"),
        ("/srv/x/alpaca.json#text", "alpaca.json#text"),
        ("data/alpaca.json", "data/alpaca.json"),
        ("/imagine a lake", "/imagine a lake"),
        ("/", "/"),
        ("https://host/v1/x", "https://host/v1/x"),
        ("owner/name", "owner/name"),
        ("/a\n/b/c", "/a\n/b/c"),
    ],
)
def test_absolute_paths_become_names(path: str, name: str) -> None:
    recipe = yaml.safe_dump({"sources": {"a": {"file": path, "n": 1}}, "stages": [{"rouge": {"against": [path]}}]})
    left, names = without_paths(recipe)
    assert yaml.safe_load(left) == {
        "sources": {"a": {"file": name, "n": 1}},
        "stages": [{"rouge": {"against": [name]}}],
    }
    assert names == ({path: name} if path != name else {})
    assert path != name or left == recipe


def test_a_path_that_is_here_is_one_by_that_alone(tmp_path: Path) -> None:
    folder = "/" + tmp_path.parts[1]
    assert without_paths(f"a: {folder}\n")[1] == {folder: tmp_path.parts[1]}


def test_the_longest_path_is_renamed_first() -> None:
    assert renamed_in("/a/b and /a/b/c", {"/a/b": "b", "/a/b/c": "c"}) == "b and c"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x: 1\nurl: http://me:pass@host/v1\n", "line 2 of card holds a link with a login"),
        ("url: http://me@host/v1\n", "line 1 of card holds a link with a login"),
        (f"\n\nkey: {TOKEN}\n", "line 3 of card holds a Hugging Face token hf_***"),
        (f"model: {Path.home()}/x\n", "line 1 of card holds a folder of this machine"),
        ("model: /tmp/runs/x/y\n", "line 1 of card holds a folder of this machine (/tmp/runs)"),
    ],
)
def test_a_text_that_may_not_leave(text: str, what: str) -> None:
    with pytest.raises(InputError) as raised:
        check_text("card", text, Path("/tmp/runs/mine"))
    assert str(raised.value).startswith(what)
    assert TOKEN not in str(raised.value) and "pass@" not in str(raised.value)


def test_a_text_that_may_leave() -> None:
    text = "by me@host.org, at http://localhost:8000/v1, in x/tmp/runs and /tmp/runs-of-others, with your_password"
    check_text("card", text, Path("/tmp/runs/mine"))


def table(tmp_path: Path, *texts: str | None) -> Path:
    turns = [[{"role": "user", "content": "hello"}, {"role": "assistant", "content": text}] for text in texts]
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"id": range(len(turns)), "prompt": turns}).write_parquet(path)
    return path


def test_rows_are_searched_however_deep_the_text_lies(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^row 10002 of sft holds a Hugging Face token hf_\*\*\*, so nothing was pushed"
    ):
        check_rows("sft", table(tmp_path, *["fine"] * 10_001, f"it is {TOKEN}", None))


def test_rows_without_secrets_pass(tmp_path: Path) -> None:
    check_rows("sft", table(tmp_path, "password: your_password", None, "hf_xxx", ""))
    pl.DataFrame({"a": []}, schema={"a": pl.List(pl.String)}).write_parquet(tmp_path / "none.parquet")
    check_rows("sft", tmp_path / "none.parquet")
