"""A server on the loopback address that speaks OpenAI's files, batches and models, and can be told to fail."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from http_serving import Unlogged, http_serving

Asked = Mapping[str, Any]
"""The body of a request for a completion."""


def echo(asked: Asked) -> tuple[int, dict[str, Any]]:
    return 200, says(f"re: {asked['messages'][-1]['content']}")


def says(text: str, log_probs: Mapping[str, float] | None = None) -> dict[str, Any]:
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in (log_probs or {}).items()]
    first = {"token": "", "logprob": -0.1, "bytes": None, "top_logprobs": top}
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
        "logprobs": None if log_probs is None else {"content": [first], "refusal": None},
    }
    usage = {"prompt_tokens": 700, "completion_tokens": 300, "total_tokens": 1000}
    about = {"id": "1", "object": "chat.completion", "created": 1, "model": "tiny"}
    return {**about, "choices": [choice], "usage": usage}


def fails(status: int, message: str, code: str | None = None) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": message, "type": "error", "code": code}}


@dataclass(frozen=True)
class Ending:
    """How a batch ends: its status, how many of its requests are answered by then, and why it failed."""

    status: str = "completed"
    answered: int | None = None
    errors: tuple[tuple[str, str], ...] = ()
    """(code, message) of a failed batch."""


@dataclass
class BatchServer:
    answer: Callable[[Asked], tuple[int, dict[str, Any]]] = echo
    endings: list[Ending] = field(default_factory=list)
    """Of the batches in order; those after them are completed."""
    looks: int = 2
    """A batch ends at this look at it; one that fails, at the first."""
    held: threading.Event = field(default_factory=threading.Event)
    """No batch ends while it is cleared."""
    stumbles: dict[str, list[int | str]] = field(default_factory=dict)
    """By "METHOD /path": what happens to the next such requests: an HTTP status, "cut" (the connection ends without a
    word), "page" (a web page) or "done and cut" (as asked, but the word of it is lost). An empty text: as it should."""
    models: tuple[str, ...] = ("tiny",)
    key: str = ""
    """The only one that is let in, if any."""
    has_batches: bool = True
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    batches: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """The custom id of every request of every batch."""
    requests: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def upload(self, content: bytes) -> dict[str, Any]:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        about = {"object": "file", "bytes": len(content), "created_at": 1, "filename": "x.jsonl"}
        return {"id": name, **about, "purpose": "batch", "status": "processed"}

    def lines(self, file: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[file].splitlines()]

    def make(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        total = len(self.lines(wanted["input_file_id"]))
        batch = {
            "id": f"batch-{len(self.batches)}",
            "object": "batch",
            "created_at": 1,
            "status": "validating",
            "looks": 0,
            "request_counts": {"total": total, "completed": 0, "failed": 0},
            **wanted,
        }
        self.batches.append(batch)
        self.asked += [line["custom_id"] for line in self.lines(wanted["input_file_id"])]
        return batch

    def look(self, batch_id: str) -> dict[str, Any] | None:
        batch = next((b for b in self.batches if b["id"] == batch_id), None)
        if batch is None:
            return None
        batch["looks"] += 1
        if batch["status"] in ("validating", "in_progress"):
            ending = self.ending(batch)
            if ending.status == "failed" or (batch["looks"] >= self.looks and self.held.is_set()):
                self.end(batch, ending)
            else:
                batch["status"] = "in_progress"
        return batch

    def ending(self, batch: dict[str, Any]) -> Ending:
        number = self.batches.index(batch)
        return self.endings[number] if number < len(self.endings) else Ending()

    def end(self, batch: dict[str, Any], ending: Ending) -> None:
        batch["status"] = ending.status
        if ending.status == "failed":
            errors = [{"code": code, "message": message} for code, message in ending.errors]
            batch["errors"] = {"object": "list", "data": errors}
            return
        lines = self.lines(batch["input_file_id"])
        good, bad = [], []
        for line in lines[: ending.answered]:
            status, body = self.answer(line["body"])
            response = {"status_code": status, "request_id": "r", "body": body}
            (good if status == 200 else bad).append({"custom_id": line["custom_id"], "response": response})
        if ending.status == "expired":
            late = {"code": "batch_expired", "message": "This request could not be executed in time."}
            bad += [{"custom_id": line["custom_id"], "error": late} for line in lines[len(good) + len(bad) :]]
        for name, told in (("output_file_id", good[::-1]), ("error_file_id", bad)):
            if told:
                batch[name] = self.upload("".join(json.dumps(line) + "\n" for line in told).encode())["id"]
        batch["request_counts"] |= {"completed": len(good), "failed": len(bad)}


def _page(listed: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": listed, "has_more": False}


@contextmanager
def serving(server: BatchServer) -> Iterator[BatchServer]:
    server.held.set()

    class Handler(Unlogged, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:  # the name http.server calls
            self.perform("GET", b"")

        def do_POST(self) -> None:  # the name http.server calls
            self.perform("POST", self.body())

        def body(self) -> bytes:
            if "content-length" in self.headers:
                return self.rfile.read(int(self.headers["content-length"]))
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def perform(self, method: str, sent: bytes) -> None:
            path = self.path.split("?")[0].removeprefix("/v1")
            with server.lock:
                server.requests.append(f"{method} {path}")
                stumble = self.stumble(f"{method} {path}")
                if stumble == "cut":
                    self.close_connection = True
                    return
                if stumble == "page":
                    self.send(200, b"<html>Sign in</html>", "text/html")
                    return
                if isinstance(stumble, int):
                    self.send(stumble, json.dumps(fails(stumble, "no")[1]).encode())
                    return
                status, said = self.reply(method, path, sent)
            if stumble == "done and cut":
                self.close_connection = True
                return
            self.send(status, said if isinstance(said, bytes) else json.dumps(said).encode())

        def stumble(self, request: str) -> int | str:
            waiting = next((list_ for start, list_ in server.stumbles.items() if request.startswith(start)), [])
            return waiting.pop(0) if waiting else ""

        def reply(self, method: str, path: str, sent: bytes) -> tuple[int, Any]:
            if server.key and self.headers.get("authorization") != f"Bearer {server.key}":
                return fails(401, f"wrong key {self.headers.get('authorization')}")
            if path == "/models":
                return 200, _page([{"id": n, "object": "model", "created": 1, "owned_by": "x"} for n in server.models])
            if path == "/files":
                return 200, server.upload(self.uploaded(sent))
            if path.startswith("/files/"):
                held = server.files.get(path.split("/")[2])
                return (200, held) if held is not None else fails(404, "no such file")
            if not server.has_batches:
                return fails(404, "no such path")
            if path == "/batches":
                return 200, server.make(json.loads(sent)) if method == "POST" else _page(server.batches[::-1])
            batch = server.look(path.split("/")[2])
            return (200, batch) if batch else fails(404, "no such batch")

        def uploaded(self, sent: bytes) -> bytes:
            """The file among the parts of a form."""
            border = b"--" + self.headers["content-type"].split("boundary=")[1].encode()
            part = next(p for p in sent.split(border) if b'name="file"' in p)
            return part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")

        def send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http_serving(Handler) as server.url:
        yield server
