"""Pushing a run to a Hub: what goes, what never goes, whose repo it is, and what is sent again."""

import json
import shutil
import socket
from collections.abc import Iterator
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest
from hub_repos import TOKEN, HubServer
from hub_run import REPO, built_run, local_files, pushed, refusal, titles
from hub_server import pointed_at, serving
from rich.console import Console
from scripted_line import RECIPE

from tuneworks.pipelines.hub import pages
from tuneworks.pipelines.hub.push import Pushed, planned


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


def test_a_push_makes_a_private_repo_and_one_commit_with_everything(hub: HubServer, run: Path) -> None:
    done, told = pushed(run)
    assert hub.held(REPO) == local_files(run)
    assert hub.repos[REPO].private and titles(hub) == ["initial commit", "The dataset of the run scripted"]
    assert done == Pushed(f"{hub.url}/datasets/{REPO}", hub.repos[REPO].commits[-1].oid, 9, done.bytes)
    assert done.bytes == sum(map(len, local_files(run).values()))
    assert "Made the private dataset" in told and f"9 files, {done.bytes:,} bytes" in told


def test_what_lies_beside_never_goes(hub: HubServer, run: Path) -> None:
    for name in ("journal.sqlite", "dataset/journal.sqlite", "dataset/.env", "dataset/lock", "dataset/sft/x.parquet"):
        (run / name).write_text(f"HF_TOKEN={TOKEN}")
    done, told = pushed(run)
    assert done.files == 9 and not any("journal" in name or "x.parquet" in name for name in hub.held(REPO))
    assert not any(TOKEN.encode() in content for content in [*hub.held(REPO).values(), *hub.storage.values()])
    for name in (".env", "journal.sqlite", "lock", "sft/x.parquet"):
        assert f"{name} stays here: the manifest does not name it" in told


def test_a_public_repo_only_where_told_to(hub: HubServer, run: Path) -> None:
    pushed(run, public=True)
    assert not hub.repos[REPO].private
    hub.repos[REPO].private = True
    assert "stays private" in pushed(run, public=True)[1] and hub.repos[REPO].private


def test_the_same_again_sends_nothing_and_commits_nothing(hub: HubServer, run: Path) -> None:
    first, _ = pushed(run)
    hub.requests.clear()
    second, told = pushed(run)
    assert second == Pushed(first.url, first.commit, 0, 0) and "has all of it already" in told
    assert len(titles(hub)) == 2 and {request.split()[0] for request in hub.requests} == {"GET", "HEAD"}


def test_a_later_push_sends_what_changed_and_deletes_what_is_gone(hub: HubServer, run: Path) -> None:
    pushed(run)
    hub.repos[REPO].add(
        "by hand", hub.repos[REPO].commits[-1].files | hub.make("tester/x", {"LICENSE": b"me"}).commits[-1].files
    )
    uploads = list(hub.uploads)
    built_run(run.parent, RECIPE + "datasets: [sft, preference]\n")
    assert {file.name: file.change for file in planned(run, REPO).files} == {
        **dict.fromkeys(["README.md", "manifest.json", "recipe.yaml"], "changed"),
        **{f"{name}/{side}.parquet": "same" for name in ("sft", "preference") for side in ("test", "train")},
        **{f"quality/{side}.parquet": "deleted" for side in ("test", "train")},
    }
    assert pushed(run)[0].files == 5 and hub.uploads == uploads
    assert hub.held(REPO) == {"LICENSE": b"me", **local_files(run)}


def test_a_dry_run_sends_nothing(hub: HubServer, run: Path) -> None:
    (run / "dataset" / "notes.txt").write_text("mine")
    plan = planned(run, REPO)
    assert {file.name: file.size for file in plan.files} | {"notes.txt": 4} == {
        name: len(content) for name, content in local_files(run).items()
    }
    assert {file.change for file in plan.files} == {"new"} and plan.stay == ("notes.txt",)
    assert plan.stands_against is None and not hub.repos and not hub.storage
    assert {request.split()[0] for request in hub.requests} == {"GET"}


def test_a_dry_run_says_what_would_go(hub: HubServer, run: Path) -> None:
    pushed(run)
    hub.add(REPO, "better words", {"README.md": b"# better\n"})
    (run / "dataset" / "notes[1].txt").write_text("mine")
    console = Console(record=True, width=200, file=StringIO())
    pages.plan(console, planned(run, REPO))
    lines = console.export_text().splitlines()
    sizes = {name: len(content) for name, content in local_files(run).items()}
    assert [line.split() for line in lines[:3]] == [
        ["file", "bytes"],
        ["README.md", f"{sizes['README.md']:,}", "changed"],
        ["manifest.json", f"{sizes['manifest.json']:,}", "same"],
    ]
    assert lines[-3:] == [
        f"1 files, {sizes['README.md']:,} bytes, would go to {hub.url}/datasets/{REPO}.",
        "notes[1].txt would stay here: the manifest does not name it.",
        f"But {planned(run, REPO).stands_against}.",
    ]


def test_a_dry_run_without_a_hub_lists_what_lies_here(
    hub: HubServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        hub.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        pointed_at(hub, monkeypatch, run)
        plan = planned(run, REPO)
    assert [file.name for file in plan.files] == list(local_files(run))
    assert {file.change for file in plan.files} == {"unknown"} and "cannot be reached" in str(plan.stands_against)


def test_a_repo_of_somebody_else_is_left_alone_unless_told(hub: HubServer, run: Path) -> None:
    hub.make(REPO, {"data.csv": b"a,b\n", "README.md": b"# mine\n"})
    assert "was not made by Tuneworks" in refusal(run)
    assert str(planned(run, REPO).stands_against).endswith("add --overwrite")
    assert hub.held(REPO) == {"README.md": b"# mine\n", "data.csv": b"a,b\n"} and not hub.storage
    pushed(run, overwrite=True)
    assert hub.held(REPO) == dict(sorted({**local_files(run), "data.csv": b"a,b\n"}.items()))
    assert pushed(run)[0].files == 0


@pytest.mark.parametrize("manifest", [b"{}", b"[1]", b"no JSON", b'{"made_by": "me", "run": "scripted", "files": {}}'])
def test_a_manifest_of_another_maker_is_no_mark(hub: HubServer, run: Path, manifest: bytes) -> None:
    hub.make(REPO, {"manifest.json": manifest})
    assert "was not made by Tuneworks" in refusal(run)


def test_a_repo_that_was_only_made_is_taken(hub: HubServer, run: Path) -> None:
    hub.make(REPO, private=False)
    assert "to the public dataset" in pushed(run)[1] and hub.held(REPO) == local_files(run)


def test_a_repo_of_another_run_is_left_alone_unless_told(hub: HubServer, run: Path) -> None:
    pushed(run)
    other = built_run(run.parent, RECIPE.replace("name: scripted", "name: other"))
    assert "is of the run scripted, not of other" in refusal(other)
    pushed(other, overwrite=True)
    assert hub.held(REPO) == local_files(other)


def test_a_card_that_was_edited_on_the_hub_is_left_alone_unless_told(hub: HubServer, run: Path) -> None:
    pushed(run)
    hub.add(REPO, "better words", {"README.md": b"# better\n"})
    assert "README.md of tester/tasks was edited on the Hub" in refusal(run)
    pushed(run, overwrite=True)
    assert hub.held(REPO) == local_files(run)


def test_large_files_go_in_parts(hub: HubServer, run: Path) -> None:
    hub.part_size = 1000
    pushed(run)
    assert len(hub.parts) == 6 and hub.held(REPO) == local_files(run)


def test_the_manifest_on_the_hub_holds_the_hashes_of_what_lies_there(hub: HubServer, run: Path) -> None:
    pushed(run)
    files = json.loads(hub.held(REPO)["manifest.json"])["files"]
    assert files == {name: sha256(hub.held(REPO)[name]).hexdigest() for name in files}
