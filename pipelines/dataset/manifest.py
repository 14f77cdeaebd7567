"""The manifest of a dataset: which run it is of, its rows, and the hash of every file."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"

MADE_BY = "tuneworks"
"""What a manifest says of who made the dataset; a repo without it is somebody else's."""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, run: str, rows: Mapping[str, Mapping[str, int]], **facts: Any) -> None:
    """Name every file that lies in the folder."""
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    content = {"made_by": MADE_BY, "run": run, "rows": rows, **facts, "files": files}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What the manifest says; None while there is no dataset."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
