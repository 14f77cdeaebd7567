"""What a repo on the Hub holds: its files, and whose they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tuneworks.pipelines.dataset import CARD, MANIFEST
from tuneworks.pipelines.hub.release import Going, made_here

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

_OF_THE_HUB = (".gitattributes",)
"""What the Hub itself puts into a new repo."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file there. The Hub knows the SHA-256 of large files, and of small ones git's own hash."""

    size: int
    git_hash: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class OnHub:
    commit: str
    private: bool
    files: Mapping[str, Held]
    manifest: Mapping[str, Any] | None
    """Of a dataset that Tuneworks made."""
    card_edited: bool = False
    """Its card is not the one that was pushed."""

    @property
    def empty(self) -> bool:
        """Nothing was ever committed: a repo that was only just made, or whose first push broke off."""
        return not self.files.keys() - set(_OF_THE_HUB)


def on_hub(api: "HfApi", repo: str) -> OnHub | None:
    """What the repo holds now; None where there is none that this login may see."""
    from huggingface_hub import RepoFile
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        info = api.dataset_info(repo)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        return None
    except HfHubHTTPError as error:
        if error.response.status_code == 404:
            return None
        raise
    commit = str(info.sha)
    tree = api.list_repo_tree(repo, recursive=True, revision=commit, repo_type="dataset")
    files = {entry.path: _held(entry) for entry in tree if isinstance(entry, RepoFile)}
    manifest = made_here(_content(api, repo, MANIFEST, commit).decode(errors="replace")) if MANIFEST in files else None
    edited = False
    if manifest is not None and CARD in files and CARD in manifest["files"]:
        edited = hashlib.sha256(_content(api, repo, CARD, commit)).hexdigest() != manifest["files"][CARD]
    return OnHub(commit, bool(info.private), files, manifest, edited)


def _held(entry: "RepoFile") -> Held:
    return Held(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)


def _content(api: "HfApi", repo: str, name: str, commit: str) -> bytes:
    with TemporaryDirectory() as place:
        path = api.hf_hub_download(repo, name, repo_type="dataset", revision=commit, cache_dir=place)
        return Path(path).read_bytes()


def is_there(file: Going, held: Held | None) -> bool:
    """Whether the Hub has this very content under the file's name."""
    if held is None or held.size != file.size:
        return False
    return held.sha256 == file.sha256 if held.sha256 is not None else held.git_hash == _git_hash(file)


def _git_hash(file: Going) -> str:
    """The SHA-1 by which git names a file: over its size and its content."""
    digest = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    if isinstance(file.content, Path):
        with file.content.open("rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
    else:
        digest.update(file.content)
    return digest.hexdigest()
