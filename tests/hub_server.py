"""A Hugging Face Hub on the loopback address: repos of datasets, LFS storage, commits, downloads; it fails on demand.

It answers as the Hub does, so that the real client and `datasets` work with it: by HF_ENDPOINT in another process
(`environment`), or in this one (`pointed_at`). Storage is another host, localhost and not 127.0.0.1: it takes no token.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from http_serving import Unlogged, http_serving
from hub_answers import Answering, HubError, Reply
from hub_repos import TOKEN, HubServer


@contextmanager
def serving(server: HubServer) -> Iterator[HubServer]:
    class Handler(Unlogged, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:  # the name http.server calls
            self.perform()

        def do_HEAD(self) -> None:  # the name http.server calls
            self.perform()

        def do_POST(self) -> None:  # the name http.server calls
            self.perform()

        def do_PUT(self) -> None:  # the name http.server calls
            self.perform()

        def perform(self) -> None:
            request, body = f"{self.command} {self.path.split('?')[0]}", self.sent()
            with server.lock:
                server.requests.append(request)
                stumble = next_stumble(server, request)
            if isinstance(stumble, tuple):
                self.answer((stumble[0], {"x-error-message": "stumbled", **stumble[1]}, b"{}"))
                return
            if stumble is None or stumble.startswith("done"):
                with server.lock:
                    reply = self.reply(body)
            if stumble is None:
                self.answer(reply)
                return
            if stumble.endswith("hang"):
                server.hanging.set()
                server.released.wait(60)
            self.close_connection = True

        def reply(self, body: bytes) -> Reply:
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                return Answering(server, self.command, self.path, headers, body).reply()
            except HubError as error:
                named = {"x-error-message": str(error)} | ({"x-error-code": error.code} if error.code else {})
                return error.status, named, b""

        def sent(self) -> bytes:
            if "content-length" in self.headers:
                return self.rfile.read(int(self.headers["content-length"]))
            pieces = []
            while "chunked" in self.headers.get("transfer-encoding", "") and (size := int(self.rfile.readline(), 16)):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            return b"".join(pieces)

        def answer(self, reply: Reply) -> None:
            status, headers, body = reply
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    with http_serving(Handler) as url:
        server.url = url.removesuffix("/v1")
        yield server
        server.released.set()


def next_stumble(server: HubServer, request: str) -> Any:
    waiting = next((acts for start, acts in server.stumbles.items() if re.match(start, request)), [])
    return waiting.pop(0) if waiting else None


def environment(server: HubServer, place: Path, token: str = TOKEN) -> dict[str, str]:
    """Of a process that works with this Hub, and with caches of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return kept | {"HF_ENDPOINT": server.url, "HF_TOKEN": token, "HF_HOME": str(place), "HF_HUB_DISABLE_TELEMETRY": "1"}


def pointed_at(server: HubServer, patch: pytest.MonkeyPatch, place: Path, token: str = TOKEN) -> None:
    """The client of this process, which read its environment when it was imported."""
    from huggingface_hub import constants

    patch.setenv("HF_TOKEN", token)
    patch.setattr(constants, "ENDPOINT", server.url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_TOKEN_PATH", str(place / "token"))
