"""Verifying and comparing datasets that lie on a Hub, over the loopback address."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_repos import HubServer
from hub_run import REPO, built_run, pushed
from hub_server import pointed_at, serving

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.dataset import MANIFEST
from tuneworks.pipelines.release.difference import difference
from tuneworks.pipelines.release.verify import verified


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub import constants

    with serving(HubServer()) as server:
        pointed_at(server, monkeypatch, tmp_path)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield server


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_run(tmp_path_factory.mktemp("runs"))


def test_what_was_pushed_is_whole_and_equal_to_the_run(hub: HubServer, run: Path) -> None:
    done, _ = pushed(run)
    there, here = verified(REPO), verified(str(run))
    assert there.whole and (there.files, there.rows) == (here.files, here.rows)
    assert there.place == f"{REPO}@{done.commit[:12]}"
    found = difference(str(run), REPO)
    assert found.equal and found.without_recipe == () and found.b == there.place


def test_a_file_that_was_changed_on_the_hub_is_told_at_that_commit_alone(hub: HubServer, run: Path) -> None:
    done, _ = pushed(run)
    files = hub.held(REPO)
    hub.add(REPO, "edited", {"README.md": files["README.md"] + b"Edited.", "more.txt": b"x"})
    now = verified(REPO)
    assert (now.changed, now.extra, now.whole) == (("README.md",), ("more.txt",), False)
    assert verified(f"{REPO}@{done.commit}").whole


def test_two_commits_of_a_repo_are_compared(hub: HubServer, run: Path) -> None:
    done, _ = pushed(run)
    files = hub.held(REPO)
    recipe = files["recipe.yaml"].replace(b"seed: 0", b"seed: 3")
    hub.add(REPO, "edited", {"recipe.yaml": recipe, "sft/test.parquet": files["sft/train.parquet"]})
    found = difference(f"{REPO}@{done.commit}", REPO)
    assert [(change.key, change.before, change.after) for change in found.recipe] == [("seed", "0", "3")]
    assert [compared.configuration for compared in found.configurations if not compared.equal] == ["sft"]


def test_a_folder_of_that_name_comes_first(
    hub: HubServer, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run / "dataset", tmp_path / REPO)
    (tmp_path / REPO / MANIFEST).unlink()
    monkeypatch.chdir(tmp_path)
    assert verified(REPO).manifest == "manifest.json is missing" and hub.requests == []


@pytest.mark.parametrize("place", ["tester/none", f"{REPO}@nothing"])
def test_what_is_not_there_is_told_in_a_sentence(hub: HubServer, run: Path, place: str) -> None:
    pushed(run)
    with pytest.raises(InputError, match=r"does not exist on the Hub|has no such revision"):
        verified(place)


def test_without_a_network_no_stale_copy_is_verified(
    hub: HubServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    pushed(run)
    assert verified(REPO).whole
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="needs the network, and HF_HUB_OFFLINE is set"):
        verified(REPO)
