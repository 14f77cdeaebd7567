"""What a Hub says to one request: as the real one does, as far as its client and `datasets` ask."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from hub_repos import LFS, TOKEN, USER, Blob, Commit, HubServer

Reply = tuple[int, dict[str, str], bytes]


class HubError(Exception):
    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


def told(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return status, {"content-type": "application/json", **(headers or {})}, json.dumps(data).encode()


def listed(path: str, blob: Blob) -> dict[str, Any]:
    pointer = {"lfs": {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 131}} if blob.lfs else {}
    git = hashlib.sha1(blob.sha256.encode()).hexdigest() if blob.lfs else blob.oid
    return {"type": "file", "oid": git, "size": len(blob.content), "path": path, **pointer}


def listed_folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}


class Answering:
    def __init__(self, server: HubServer, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        self.server, self.method, self.headers, self.body = server, method, headers, body
        split = urlsplit(target)
        self.path, self.query = split.path, parse_qs(split.query)
        self.storage = "http://localhost:" + server.url.rsplit(":", 1)[1] + "/storage"

    def reply(self) -> Reply:
        given = self.headers.get("authorization", "").removeprefix("Bearer ")
        if self.path.startswith("/storage/"):
            return self.stored(*self.path.split("/")[2:]) if not given else told("a token came to the storage", 400)
        if given not in ("", TOKEN):
            raise HubError(401, "Invalid credentials in Authorization header")
        self.user = USER if given else ""
        if self.path == "/api/repos/create":
            return self.created(json.loads(self.body))
        if self.path == "/api/validate-yaml":
            return self.validated(json.loads(self.body)["content"])
        match = re.fullmatch(r"(?:/api)?/datasets/([^/]+/[^/]+?)(?:\.git)?(?:/(.*))?", self.path)
        if match is None:
            raise HubError(404, "no such page")
        return self.of_repo(match[1], *(unquote(part) for part in (match[2] or "about").split("/")))

    def of_repo(self, name: str, what: str, *rest: str) -> Reply:
        repo, own = self.server.repos.get(name), self.user == name.split("/")[0]
        if repo is None or (repo.private and not own):
            raise (
                HubError(404, "Repository not found", "RepoNotFound")
                if self.user
                else HubError(401, "Invalid username or password.")
            )
        self.name, self.repo = name, repo
        if repo.gated and what in ("resolve", "auth-check"):
            raise HubError(403 if self.user else 401, "Access to this dataset is restricted.", "GatedRepo")
        if what in ("preupload", "commit") and not own:
            raise HubError(403, "you do not have write access to it")
        if (what, *rest) == ("info", "lfs", "objects", "batch"):
            objects = json.loads(self.body)["objects"]
            return told({"transfer": "basic", "objects": [self.action(o["oid"], o["size"]) for o in objects]})
        if what == "xet-write-token" and self.server.xet:
            return told({"casUrl": f"local://{self.server.xet}", "accessToken": "x", "exp": 1 << 40})
        if (what, *rest) == ("info", "lfs", "verify"):
            return told({}, 200 if json.loads(self.body)["oid"] in self.server.storage else 404)
        acts: dict[str, Callable[[Commit, str], Reply]] = {
            "about": self.about,
            "revision": self.about,
            "tree": self.tree,
            "paths-info": self.paths_info,
        }
        acts |= {"preupload": self.preupload, "commit": self.commit, "resolve": self.resolve}
        if what not in acts:
            return told({}) if what == "auth-check" else told({"error": "no such page"}, 404)
        commit = repo.at(rest[0] if rest else "main")
        if commit is None:
            raise HubError(404, f"Invalid rev id: {rest[0]}", "RevisionNotFound")
        return acts[what](commit, "/".join(rest[1:]))

    def created(self, asked: Mapping[str, Any]) -> Reply:
        owner = asked["organization"] or USER
        name = f"{owner}/{asked['name']}"
        if owner != self.user:
            raise HubError(403, f'You don\'t have the rights to create a dataset under the namespace "{owner}"')
        url = {"url": f"{self.server.url}/datasets/{name}"}
        if name in self.server.repos:
            return told({"error": "You already created this dataset repo", **url}, 409)
        self.server.make(name, private=asked.get("visibility") == "private")
        return told(url)

    def validated(self, card: str) -> Reply:
        try:
            yaml.safe_load(card.split("---\n")[1] if card.startswith("---\n") else "{}")
        except yaml.YAMLError as error:
            return told({"errors": [{"message": str(error)}], "warnings": []}, 400)
        return told({"errors": [], "warnings": []})

    def about(self, commit: Commit, path: str) -> Reply:
        about: dict[str, Any] = {"id": self.name, "author": self.name.split("/")[0], "sha": commit.oid, "tags": []}
        about["siblings"] = [{"rfilename": name} for name in sorted(commit.files)]
        return told(about | {"private": self.repo.private, "gated": "auto" if self.repo.gated else False})

    def tree(self, commit: Commit, folder: str) -> Reply:
        start = f"{folder}/" if folder else ""
        entries = {path: listed(path, blob) for path, blob in commit.files.items() if path.startswith(start)}
        if not entries:
            raise HubError(404, "no such folder", "EntryNotFound")
        above = {str(parent) for path in entries for parent in PurePosixPath(path).parents}
        entries |= {path: listed_folder(path) for path in above if path.startswith(start) and path != "."}
        deep = self.query.get("recursive", [""])[0].lower() == "true"
        shown = [entry for path, entry in sorted(entries.items()) if deep or "/" not in path.removeprefix(start)]
        at, size = int(self.query.get("cursor", ["0"])[0]), self.server.page
        url = f"{self.server.url}{self.path}?recursive={str(deep).lower()}&cursor={at + size}"
        return told(shown[at : at + size], headers={"link": f'<{url}>; rel="next"'} if shown[at + size :] else {})

    def paths_info(self, commit: Commit, path: str) -> Reply:
        as_json = "json" in self.headers.get("content-type", "")
        wanted = json.loads(self.body)["paths"] if as_json else parse_qs(self.body.decode())["paths"]
        files = [listed(name, commit.files[name]) for name in wanted if name in commit.files]
        folders = [listed_folder(n) for n in wanted if any(file.startswith(f"{n}/") for file in commit.files)]
        return told(files + folders)

    def preupload(self, commit: Commit, path: str) -> Reply:
        def mode(file: Mapping[str, Any]) -> dict[str, Any]:
            there = commit.files.get(file["path"])
            lfs = file["path"].endswith(LFS) or file["size"] > 10_000_000
            about = {"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            return about | ({"oid": there.oid} if there else {})

        return told({"files": [mode(file) for file in json.loads(self.body)["files"]], "commitOid": commit.oid})

    def action(self, oid: str, size: int) -> dict[str, Any]:
        """Where content is to be uploaded; nothing for what is there."""
        if oid in self.server.storage:
            return {"oid": oid, "size": size}
        upload: dict[str, Any] = {"href": f"{self.storage}/{oid}"}
        if size > (part := self.server.part_size):
            urls = {str(n): f"{self.storage}/{oid}/{n}" for n in range(1, -(-size // part) + 1)}
            upload = {"href": f"{self.storage}/{oid}/whole", "header": {"chunk_size": str(part), **urls}}
        verify = {"href": f"{self.server.url}/datasets/{self.name}.git/info/lfs/verify"}
        return {"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}}

    def stored(self, oid: str, part: str = "") -> Reply:
        if self.method in ("GET", "HEAD"):
            return self.ranged(self.server.storage[oid], {"etag": f'"{oid}"'})
        if part.isdigit():
            self.server.parts.setdefault(oid, {})[int(part)] = self.body
            return told({}, headers={"etag": hashlib.md5(self.body).hexdigest()})
        content = self.body
        if part:
            named = [each["partNumber"] for each in json.loads(self.body)["parts"]]
            content = b"".join(self.server.parts[oid][number] for number in named)
        if hashlib.sha256(content).hexdigest() != oid:
            return told({"error": "the content is another"}, 400)
        self.server.storage[oid] = content
        self.server.uploads.append(oid)
        return told({})

    def ranged(self, content: bytes, headers: dict[str, str]) -> Reply:
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        headers |= {"accept-ranges": "bytes"}
        if span is None:
            return 200, headers, content
        start, end = int(span[1]), min(int(span[2] or len(content)), len(content) - 1)
        return 206, headers | {"content-range": f"bytes {start}-{end}/{len(content)}"}, content[start : end + 1]

    def commit(self, head: Commit, path: str) -> Reply:
        lines = [json.loads(line) for line in self.body.splitlines()]
        header, files = lines[0]["value"], dict(head.files)
        if header.get("parentCommit") not in (None, head.oid):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        for kind, value in ((line["key"], line["value"]) for line in lines[1:]):
            name = value["path"]
            if kind == "file":
                files[name] = Blob(base64.b64decode(value["content"]), False)
            elif kind == "lfsFile" and value["oid"] in self.server.storage and self.server.has_by_xet(value["oid"]):
                files[name] = Blob(self.server.storage[value["oid"]], True)
            elif kind == "deletedFile" and name in files:
                del files[name]
            else:
                raise HubError(400, f"{kind} {name} cannot be done")
        made = self.repo.add(header["summary"], files)
        return told(
            {
                "success": True,
                "commitOid": made.oid,
                "commitUrl": f"{self.server.url}/datasets/{self.name}/commit/{made.oid}",
            }
        )

    def resolve(self, commit: Commit, path: str) -> Reply:
        blob = commit.files.get(path)
        about = {"x-repo-commit": commit.oid}
        if blob is None:
            raise HubError(404, "Entry not found", "EntryNotFound")
        if not blob.lfs:
            return self.ranged(blob.content, about | {"etag": f'"{blob.oid}"'})
        self.server.storage.setdefault(blob.oid, blob.content)
        linked = {"x-linked-etag": f'"{blob.oid}"', "x-linked-size": str(len(blob.content))}
        return 302, about | linked | {"location": f"{self.storage}/{blob.oid}"}, b""
