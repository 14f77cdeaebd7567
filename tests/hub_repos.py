"""The repos of datasets that a Hub for tests holds."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOKEN, USER = "hf_of_the_tester", "tester"
LFS = (".parquet", ".arrow", ".bin")


@dataclass(frozen=True)
class Blob:
    content: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        """As preupload and etags name it: git's hash of a small file, the SHA-256 of a large one."""
        return self.sha256 if self.lfs else hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()


@dataclass(frozen=True)
class Commit:
    oid: str
    title: str
    files: dict[str, Blob]


@dataclass
class Repo:
    private: bool = True
    gated: bool = False
    commits: list[Commit] = field(default_factory=list)

    def add(self, title: str, files: Mapping[str, Blob]) -> Commit:
        content = [len(self.commits), title, sorted((name, blob.oid) for name, blob in files.items())]
        self.commits.append(Commit(hashlib.sha1(json.dumps(content).encode()).hexdigest(), title, dict(files)))
        return self.commits[-1]

    def at(self, revision: str) -> Commit | None:
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit.oid == revision), None)


@dataclass
class HubServer:
    stumbles: dict[str, list[Any]] = field(default_factory=dict)
    """By "METHOD /path" as a pattern: what happens to the next such requests. (status, headers) is the answer; "cut":
    the connection ends without a word; "hang": it stays without a word until `released`; "done and cut", "done and
    hang": as asked, but the word of it is lost; None: as it should."""
    part_size: int = 1 << 30
    """Larger files are uploaded in parts of so many bytes."""
    xet: Path | None = None
    """The folder that Xet's own client takes for its storage, where this Hub offers Xet. Its content is not read back:
    what a commit names must have come there, and what it is must be in `storage` beforehand."""
    page: int = 3
    """Entries of a listing's page."""
    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    storage: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    """The hash of every file that was uploaded to the storage, in order."""
    requests: list[str] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def make(self, name: str, files: Mapping[str, bytes] | None = None, **options: bool) -> Repo:
        """A repo as the Hub makes it, and a commit of the files."""
        repo = self.repos[name] = Repo(**options)
        repo.add("initial commit", {".gitattributes": Blob(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n", False)})
        if files:
            self.add(name, "files", files)
        return repo

    def add(self, name: str, title: str, files: Mapping[str, bytes]) -> Commit:
        """A commit of somebody else."""
        repo = self.repos[name]
        return repo.add(
            title, repo.commits[-1].files | {n: Blob(content, n.endswith(LFS)) for n, content in files.items()}
        )

    def has_by_xet(self, oid: str) -> bool:
        """Whether a shard names the hash, its four words each turned round; true where Xet is not offered."""
        digest = bytes.fromhex(oid)
        turned = b"".join(digest[at : at + 8][::-1] for at in range(0, 32, 8))
        return self.xet is None or any(turned in shard.read_bytes() for shard in self.xet.rglob("shards/*.mdb"))

    def held(self, name: str) -> dict[str, bytes]:
        """What the repo holds now, but for what the Hub itself put there."""
        files = self.repos[name].commits[-1].files
        return {path: blob.content for path, blob in sorted(files.items()) if path != ".gitattributes"}
