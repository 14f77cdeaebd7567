"""Datasets on a Hub as sources, read by `datasets` in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hub_repos import HubServer
from hub_server import environment, serving

pytestmark = pytest.mark.real

READING = """
import json, sys
from tuneworks.factory.errors import TuneworksError
from tuneworks.pipelines.hub.source import check_hub, resolved, rows_of_hub

for case in json.load(sys.stdin):
    try:
        ((what, arguments),) = case.items()
        reading = {"commit": resolved, "check": check_hub, "rows": lambda *asked: list(rows_of_hub(*asked))}[what]
        print(json.dumps(reading(*arguments)))
    except TuneworksError as error:
        print(json.dumps(str(error)))
"""

CARD = """---
configs:
- config_name: plain
  data_files: [{split: train, path: plain/*.parquet}, {split: test, path: held.parquet}]
- config_name: pairs
  data_files: [{split: train, path: pairs.parquet}]
---
"""
ODD = """---
configs:
- config_name: default
  data_files: [{split: train, path: a.jsonl}, {split: test, path: b.parquet}]
---
"""
DEEP = [[{"a": n, "b": "x" if n % 2 else None}] for n in range(2500)]
PAIRS = [{"prompt": f"p{n}", "chosen": "c", "rejected": "r", "deep": deep} for n, deep in enumerate(DEEP)]


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with serving(HubServer()) as server:
        yield server


def parquet(place: Path, rows: list[dict[str, Any]]) -> bytes:
    pl.DataFrame(rows).write_parquet(place / "x.parquet")
    return (place / "x.parquet").read_bytes()


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def read(hub: HubServer, place: Path, *cases: dict[str, Any], **environs: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", READING],
        input=json.dumps(cases),
        env=environment(hub, place) | environs,
        cwd=place,
        text=True,
        capture_output=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_rows_and_mistakes_of_a_source(hub: HubServer, tmp_path: Path) -> None:
    plain = [{"instruction": f"i{n}", "output": "o"} for n in range(3)]
    table = parquet(tmp_path, plain)
    hub.make(
        "acme/many",
        {"README.md": CARD.encode(), "plain/0.parquet": table, "held.parquet": parquet(tmp_path, plain[:1])},
    )
    hub.add("acme/many", "pairs", {"pairs.parquet": parquet(tmp_path, PAIRS)})
    hub.make("acme/one", {"rows.jsonl": lines(plain)}, private=False)
    hub.make("tester/mine", {"rows.jsonl": lines(plain)})
    hub.make("acme/gated", {"rows.jsonl": lines(plain)}, private=False, gated=True)
    hub.make("acme/bare", {"notes.xyz": b"nothing"}, private=False)
    hub.make("acme/odd", {"README.md": ODD.encode(), "a.jsonl": lines(plain), "b.parquet": table}, private=False)
    hub.make("acme/code", {"code.py": b"raise SystemExit", "README.md": b"# x"}, private=False)
    hub.repos["acme/many"].private = False
    many = hub.repos["acme/many"].commits
    (tmp_path / "acme" / "one").mkdir(parents=True)  # a folder of that name must not be taken for it
    (tmp_path / "acme" / "one" / "rows.jsonl").write_bytes(lines([{"instruction": "wrong"}]))

    found = read(
        hub,
        tmp_path,
        {"commit": ["acme/many"]},
        {"commit": ["acme/many", many[1].oid]},
        {"rows": ["acme/one", None, "train"]},
        {"rows": ["tester/mine", None, "train"]},
        {"rows": ["acme/many", "plain", "train"]},
        {"rows": ["acme/many", "plain", "test"]},
        {"rows": ["acme/many", "pairs", "train"]},
        {"rows": ["acme/many", "plain", "train[1:]"]},
        {"rows": ["acme/many", "plain", "train", many[1].oid]},
        {"rows": ["acme/many", None, "train"]},
        {"rows": ["acme/many", "nope", "train"]},
        {"rows": ["acme/many", "plain", "nope"]},
        {"rows": ["acme/many", "plain", "train", "v9"]},
        {"rows": ["acme/missing", None, "train"]},
        {"rows": ["acme/gated", None, "train"]},
        {"rows": ["acme/bare", None, "train"]},
        {"rows": ["acme/code", None, "train"]},
        {"rows": ["acme", None, "train"]},
        {"rows": ["acme/odd", None, "train"]},
    )
    numbered = [[n, row] for n, row in enumerate(plain, 1)]
    assert found[:2] == [many[-1].oid, many[1].oid]
    assert found[2:5] == [numbered] * 3
    assert found[5:9] == [
        numbered[:1],
        [[n, r] for n, r in enumerate(PAIRS, 1)],
        [[1, plain[1]], [2, plain[2]]],
        numbered,
    ]
    login = "run `hf auth login`, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens"
    assert found[9:15] == [
        "acme/many has several configurations; write config: one of plain, pairs",
        "acme/many has no configuration 'nope'; write config: one of plain, pairs",
        "acme/many has no split 'nope' in its configuration plain; name one of: train, test",
        "the dataset acme/many has no such revision; name a branch, tag or commit that it has",
        "the dataset acme/missing does not exist on the Hub or needs a login; correct the name, or log in as someone "
        "who may see it",
        f"the dataset acme/gated is gated; ask for access on its page on the Hub, then {login}",
    ]
    assert found[15].startswith("acme/bare holds no data that can be read (")
    assert found[16] == "acme/code is read by code of its own, which is not run; name a dataset of plain files"
    assert found[17].startswith("'acme' is no name of a dataset on the Hub")
    assert found[18].startswith("reading acme/odd on the Hub failed (Couldn't infer the same data file format")
    assert found[18].endswith("; repeat it, or see on its page there whether its rows can be shown")


def test_a_private_dataset_needs_a_login(hub: HubServer, tmp_path: Path) -> None:
    hub.make("tester/secret", {"rows.jsonl": lines([{"text": "x"}])})
    cases = [{"commit": ["tester/secret"]}, {"rows": ["tester/secret", None, "train"]}]
    assert [said[:76] for said in read(hub, tmp_path, *cases, HF_TOKEN="")] == [
        "the dataset tester/secret does not exist on the Hub or needs a login; correc"
    ] * 2
    assert "does not accept the token" in read(hub, tmp_path, cases[0], HF_TOKEN="hf_wrong")[0]


def test_a_commit_that_was_read_once_needs_no_network(hub: HubServer, tmp_path: Path) -> None:
    repo = hub.make("acme/kept", {"rows.jsonl": lines([{"text": "old"}])}, private=False)
    old = repo.commits[-1].oid
    case = {"rows": ["acme/kept", None, "train", old]}
    assert read(hub, tmp_path, case) == [[[1, {"text": "old"}]]]
    new = hub.add("acme/kept", "more", {"rows.jsonl": lines([{"text": "new"}])}).oid
    gone = {"HF_HUB_OFFLINE": "1"}
    assert read(hub, tmp_path, case, {"commit": ["acme/kept", old]}, **gone) == [[[1, {"text": "old"}]], old]
    offline, other = read(hub, tmp_path, {"commit": ["acme/kept"]}, {"rows": ["acme/kept", None, "train", new]}, **gone)
    assert offline == "reading acme/kept on the Hub needs the network, and HF_HUB_OFFLINE is set; unset it and repeat"
    assert f"the commit {new} of acme/kept is not in the cache, and the Hub cannot be reached" in other


def test_a_source_is_checked_without_its_rows(hub: HubServer, tmp_path: Path) -> None:
    table = parquet(tmp_path, [{"text": "x"}])
    commit = hub.make("acme/checked", {"data/train.parquet": table}, private=False).commits[-1].oid
    hub.requests.clear()
    found = read(hub, tmp_path, {"check": ["acme/checked", None, "train"]}, {"check": ["acme/checked", None, "test"]})
    assert found == [commit, "acme/checked has no split 'test'; name one of: train"]
    assert not any("parquet" in request or "/storage/" in request for request in hub.requests)
    (wrong,) = read(hub, tmp_path, {"rows": ["acme/checked", None, "train[:x]"]})
    assert wrong.startswith("'train[:x]' is no part of acme/checked (") and wrong.endswith("; name one of: train")
