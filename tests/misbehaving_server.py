"""A server with OpenAI's interface, on the loopback address, that does in order what real ones do wrong."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SOON = {"retry-after-ms": "1"}
"""Asks the client to try again at once."""


@dataclass(frozen=True)
class Act:
    """What the server does with one request."""

    body: str = ""
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Waits as long before it answers."""
    cut: bool = False
    """Ends the connection in the middle of the body."""


def says(
    text: str | None, finish: str = "stop", log_probs: Mapping[str, float] | None = None, seconds: float = 0.0
) -> Act:
    """A good reply; `log_probs` are those of the likeliest first tokens."""
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in (log_probs or {}).items()]
    first = {"token": text or "", "logprob": -0.1, "bytes": None, "top_logprobs": top}
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text},
        "logprobs": None if log_probs is None else {"content": [first]},
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    about = {"id": "1", "object": "chat.completion", "created": 1, "model": "tiny"}
    return Act(json.dumps({**about, "choices": [choice], "usage": usage}), seconds=seconds)


def fails(status: int, message: str = "no", headers: Mapping[str, str] = SOON) -> Act:
    return Act(json.dumps({"error": {"message": message, "type": "error"}}), status, headers=headers)


def models(*names: str, owner: str = "someone") -> Act:
    listed = [{"id": name, "object": "model", "created": 1, "owned_by": owner} for name in names]
    return Act(json.dumps({"object": "list", "data": listed}))


WEB_PAGE = Act("<html>\n<body>Sign in</body>\n</html>", kind="text/html")


@dataclass
class Server:
    """Does `acts` in order, and the last of them from then on; answers a request for the models with `listing`."""

    acts: list[Act]
    listing: Act
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The body of every request for a completion."""
    keys: list[str] = field(default_factory=list)
    listed: int = 0
    busy: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_act(self, body: dict[str, Any], key: str) -> Act:
        with self.lock:
            act = self.acts[min(len(self.asked), len(self.acts) - 1)]
            self.asked.append(body)
            self.keys.append(key)
        return act


@contextmanager
def serving(acts: Sequence[Act] = (), listing: Act | None = None) -> Iterator[Server]:
    server = Server(list(acts) or [says("fine")], listing or models("tiny"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the name http.server calls
            server.listed += 1
            self.perform(server.listing)

        def do_POST(self) -> None:  # the name http.server calls
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with server.lock:
                server.busy += 1
                server.busiest = max(server.busiest, server.busy)
            act = server.next_act(body, self.headers.get("authorization", ""))
            time.sleep(act.seconds)
            with server.lock:
                server.busy -= 1
            self.perform(act)

        def perform(self, act: Act) -> None:
            body = act.body.encode()
            self.send_response(act.status)
            for name, value in {**act.headers, "content-type": act.kind, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if act.cut else body)
            self.close_connection = act.cut

        def log_message(self, format: str, *args: object) -> None:
            """Tests read what came back, not a log."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is part of the game."""

    http = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
