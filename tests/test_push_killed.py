"""A push in a process of its own that is killed with SIGKILL, and what the next one makes of it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from hub_repos import HubServer
from hub_run import REPO, built_run, local_files
from hub_server import environment, serving

pytestmark = pytest.mark.real

PUSHING = """
import sys
from pathlib import Path
from tuneworks.pipelines.hub.push import push
print(push(Path(sys.argv[1]), sys.argv[2], told=print))
"""

LOADING = """
import sys
from pathlib import Path
from datasets import load_dataset
for name in ("sft", "preference", "quality"):
    for split, rows in load_dataset(sys.argv[1], name).items():
        rows.to_parquet(Path(sys.argv[2], f"{name}-{split}.parquet"))
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with serving(HubServer()) as server:
        yield server


def begun(hub: HubServer, code: str, place: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe, within = subprocess.PIPE, environment(hub, place)
    return subprocess.Popen(command, env=within, text=True, cwd=place, stdout=pipe, stderr=subprocess.STDOUT)


def done(hub: HubServer, code: str, place: Path, *arguments: object) -> str:
    process = begun(hub, code, place, *arguments)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize(
    ("request_", "acts"),
    [
        ("POST /api/repos/create", ["done and hang"]),
        ("POST .*/preupload/", ["hang"]),
        ("PUT /storage/", [None, "hang"]),
        ("PUT /storage/", [None, None, None, "done and hang"]),
        ("POST .*/commit/", ["hang"]),
        ("POST .*/commit/", ["done and hang"]),
    ],
    ids=["made", "before the first file", "second file", "fourth file", "before the commit", "after the commit"],
)
def test_a_push_killed_half_way_and_repeated_ends_the_same(
    hub: HubServer, tmp_path: Path, request_: str, acts: list[str | None]
) -> None:
    run = built_run(tmp_path / "runs")
    hub.stumbles[request_] = list(acts)
    killed = begun(hub, PUSHING, tmp_path, run, REPO)
    assert hub.hanging.wait(60)
    killed.kill()
    killed.communicate()
    hub.released.set()
    assert killed.returncode == -signal.SIGKILL
    shown = hub.held(REPO)
    assert shown in ({}, local_files(run)), "a commit shows all of it or nothing"
    done(hub, PUSHING, tmp_path, run, REPO)
    assert hub.held(REPO) == local_files(run)
    assert len(hub.uploads) == len(set(hub.uploads)) == 6, "no content was sent twice"
    assert [commit.title for commit in hub.repos[REPO].commits] == ["initial commit", "The dataset of the run scripted"]
    assert hub.repos[REPO].private
    done(hub, PUSHING, tmp_path, run, "tester/unbroken")
    assert hub.held("tester/unbroken") == hub.held(REPO)


def test_datasets_reads_back_what_was_pushed(hub: HubServer, tmp_path: Path) -> None:
    run = built_run(tmp_path / "runs")
    assert "files=9" in done(hub, PUSHING, tmp_path, run, REPO)
    done(hub, LOADING, tmp_path, REPO, tmp_path)
    names = [name for name in local_files(run) if name.endswith(".parquet")]
    assert len(names) == 6
    for name in names:
        loaded = pl.read_parquet(tmp_path / name.replace("/", "-"))
        local = pl.read_parquet(run / "dataset" / name)
        assert local.height and loaded.to_dicts() == local.to_dicts()


def test_a_storage_that_stumbles_is_asked_again_by_the_client(hub: HubServer, tmp_path: Path) -> None:
    run = built_run(tmp_path / "runs")
    soon = {"retry-after": "0"}
    hub.stumbles |= {"PUT /storage/": [(500, soon), "cut"], "POST .*/objects/batch": [(429, soon)]}
    done(hub, PUSHING, tmp_path, run, REPO)
    assert hub.held(REPO) == local_files(run) and len(hub.uploads) == 6


def test_where_the_hub_offers_xet_content_goes_by_it(hub: HubServer, tmp_path: Path) -> None:
    run = built_run(tmp_path / "runs")
    hub.xet = tmp_path / "xet"
    hub.storage = {sha256(content).hexdigest(): content for content in local_files(run).values()}
    done(hub, PUSHING, tmp_path, run, REPO)
    assert hub.held(REPO) == local_files(run)
    assert not any("/storage/" in request or "objects/batch" in request for request in hub.requests)
    assert list(hub.xet.rglob("shards/*.mdb"))
