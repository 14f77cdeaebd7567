"""Pushes that do not go through: what passes by itself, and the sentence for what does not."""

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from hub_repos import HubServer
from hub_run import REPO, built_run, list_again, local_files, pushed, refusal, titles
from hub_server import pointed_at, serving
from scripted_line import RECIPE

from tuneworks.factory.errors import InputError, MissingExtra
from tuneworks.pipelines.hub.push import check_push, planned, push

SOON = {"retry-after": "0"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with serving(HubServer()) as server:
        pointed_at(server, monkeypatch, tmp_path)
        yield server


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def run(tmp_path: Path, built: Path) -> Path:
    return shutil.copytree(built, tmp_path / "runs" / built.name)


@pytest.mark.parametrize(
    ("request_", "act"),
    [
        ("POST .*/commit/", (429, SOON)),
        ("POST .*/commit/", (503, SOON)),
        ("GET /api/datasets/tester/tasks$", (429, {"ratelimit": '"api";r=0;t=0'})),
        ("POST /api/repos/create", (500, SOON)),
        ("GET .*/xet-write-token/", (502, SOON)),
    ],
)
def test_what_may_pass_is_tried_again(hub: HubServer, run: Path, request_: str, act: object) -> None:
    hub.stumbles[request_] = [act]
    _, told = pushed(run)
    assert "again in 0 s" in told and hub.held(REPO) == local_files(run)
    assert len(titles(hub)) == 2 and len(hub.uploads) == len(set(hub.uploads)) == 6


def test_a_commit_whose_answer_is_lost_is_not_made_twice(
    hub: HubServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    hub.stumbles["POST .*/commit/"] = ["done and cut"]
    done, told = pushed(run)
    assert "broke off" in told and waits == [1.0] and done.commit == hub.repos[REPO].commits[-1].oid
    assert len(titles(hub)) == 2 and hub.held(REPO) == local_files(run)


def test_what_does_not_pass_ends_in_a_sentence(hub: HubServer, run: Path) -> None:
    hub.stumbles["POST .*/commit/"] = [(429, SOON)] * 5
    assert refusal(run) == (
        "the Hub takes no more requests for now (stumbled), so the push to tester/tasks stopped; repeat it, what is "
        "there already is not sent twice"
    )
    assert pushed(run)[0].files == 9 and len(hub.uploads) == 6


def test_somebody_who_commits_meanwhile_is_not_overwritten(hub: HubServer, run: Path) -> None:
    pushed(run)
    built_run(run.parent, RECIPE.replace("holdout: 0.2", "holdout: 0.4"))

    class Meanwhile(list[object]):
        def pop(self, index: object = 0) -> None:
            hub.add(REPO, "theirs", {})
            self.clear()

    hub.stumbles["POST .*/preupload/"] = Meanwhile([1])
    assert "somebody else changed the repo meanwhile (A commit has happened since" in refusal(run)
    assert titles(hub)[-1] == "theirs"
    pushed(run)
    assert hub.held(REPO) == local_files(run)


@pytest.mark.parametrize(
    "repo", ["tasks", "a/b/c", "tester/ta sks", "tester/ta--sks", "../x/y", "tester/", "tester/x.git"]
)
def test_a_name_that_is_none(hub: HubServer, run: Path, repo: str) -> None:
    assert f"{repo!r} is no name of a dataset on the Hub; write owner/name" in refusal(run, repo)
    assert not hub.requests


def test_without_a_login(hub: HubServer, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert refusal(run).startswith("a push needs a login at the Hub; run `hf auth login`, or set HF_TOKEN")
    assert not hub.requests and "login" in str(planned(run, REPO).stands_against)


def test_with_a_token_that_is_none(hub: HubServer, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "does not accept the token (Invalid credentials in Authorization header); run `hf auth login`" in refusal(
        run
    )


def test_into_a_namespace_of_others(hub: HubServer, run: Path) -> None:
    assert "does not permit the push to acme/tasks (You don't have the rights" in refusal(run, "acme/tasks")
    hub.make("acme/open", private=False)
    assert "does not permit the push to acme/open (you do not have write access" in refusal(run, "acme/open")


def test_without_a_network(hub: HubServer, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        hub.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        pointed_at(hub, monkeypatch, run)
        assert f"the Hub at {hub.url} cannot be reached" in refusal(run)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set; unset it" in refusal(run)


def test_without_the_client(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match=r'huggingface_hub; install it with: pip install "tuneworks\[hub\]"'):
        push(run, REPO, told=print)


def test_a_card_that_the_hub_does_not_take(hub: HubServer, run: Path) -> None:
    (run / "dataset" / "README.md").write_text("---\na: [\n---\n# x\n")
    list_again(run)
    assert "does not take the dataset's card (Invalid metadata in README.md" in refusal(run) and not hub.storage


def changed_meanwhile(run: Path) -> Callable[[str], None]:
    def told(line: str) -> None:
        if "files" in line:
            pl.DataFrame({"a": [1]}).write_parquet(run / "dataset" / "sft" / "train.parquet")

    return told


def test_a_file_that_changes_during_the_push_never_shows(hub: HubServer, run: Path) -> None:
    with pytest.raises(InputError, match=r"sft/train.parquet is not what it was when it was checked"):
        push(run, REPO, told=changed_meanwhile(run))
    assert not hub.held(REPO)


def beforehand(repo: str = REPO, overwrite: bool = False) -> str:
    try:
        check_push(repo, "scripted", overwrite)
    except InputError as error:
        return str(error)
    return ""


def test_what_is_sure_to_stop_a_push_is_said_before_the_run(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beforehand() == "" and not hub.repos
    hub.make(REPO, {"data.csv": b"a,b\n"})
    assert "was not made by Tuneworks" in beforehand() and beforehand(overwrite=True) == ""
    assert "is no name of a dataset" in beforehand("tasks")
    hub.stumbles["GET /api/datasets"] = [(503, SOON)]
    assert beforehand() == "", "a Hub that is busy now may be there later"
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "does not accept the token" in beforehand()
    monkeypatch.delenv("HF_TOKEN")
    assert "a push needs a login" in beforehand()
