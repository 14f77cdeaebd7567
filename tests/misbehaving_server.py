"""A server with OpenAI's interface, on the loopback address, that does what real ones do wrong."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from http_serving import Unlogged

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
    reset: bool = False
    """Breaks the connection off in place of an answer."""
    drip: float = 0.0
    """Sends a byte of the body every so many seconds, and never comes to its end."""


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


def fails(status: int, message: str = "no", headers: Mapping[str, str] = SOON, code: str | None = None) -> Act:
    return Act(json.dumps({"error": {"message": message, "type": "error", "code": code}}), status, headers=headers)


def tells(told: object, status: int = 200) -> Act:
    return Act(json.dumps(told), status)


def models(*names: str, owner: str = "someone") -> Act:
    listed = [{"id": name, "object": "model", "created": 1, "owned_by": owner} for name in names]
    return Act(json.dumps({"object": "list", "data": listed}))


WEB_PAGE = Act("<html>\n<body>Sign in</body>\n</html>", kind="text/html")
CUT = replace(says("A carp that nobody gets to see."), cut=True)
RESET = Act(reset=True)
DRIP = replace(says("A carp."), drip=0.02)

Rule = Callable[[int, str], Act]
"""What is done with the request of this number, from 0, at this path."""


@dataclass
class Server:
    """Does what the rule says; answers a request for the models with `listing`."""

    rule: Rule
    listing: Act
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The body of every request for a completion."""
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    listed: int = 0
    busy: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    _http: "_Http | None" = None

    def next_act(self, path: str, body: dict[str, Any], key: str) -> Act:
        with self.lock:
            number = len(self.asked)
            self.asked.append(body)
            self.paths.append(path)
            self.keys.append(key)
        return self.rule(number, path)

    def live(self) -> None:
        """Begin, or come back at the same address."""
        port = int(self.url.rsplit(":", 1)[1].split("/")[0]) if self.url else 0
        self._http = _Http(self, port)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def die(self) -> None:
        """Break every connection off and refuse new ones."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http.break_off()
            self._http = None


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, server: Server, port: int) -> None:
        self.plays = server
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def break_off(self) -> None:
        for connection in list(self.open):
            reset(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the game."""


class _Handler(Unlogged, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def do_GET(self) -> None:  # the name http.server calls
        self.server.plays.listed += 1
        self.perform(self.server.plays.listing)

    def do_POST(self) -> None:  # the name http.server calls
        plays = self.server.plays
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with plays.lock:
            plays.busy += 1
            plays.busiest = max(plays.busiest, plays.busy)
        act = plays.next_act(self.path, body, self.headers.get("authorization", ""))
        time.sleep(act.seconds)
        with plays.lock:
            plays.busy -= 1
        self.perform(act)

    def perform(self, act: Act) -> None:
        if act.reset:
            reset(self.connection)
            self.close_connection = True
            return
        body = act.body.encode()
        self.send_response(act.status)
        for name, value in {**act.headers, "content-type": act.kind, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if act.drip:
            self.drip(body, act.drip)
        else:
            self.wfile.write(body[: len(body) // 2] if act.cut else body)
        self.close_connection = act.cut or bool(act.drip)

    def drip(self, body: bytes, seconds: float) -> None:
        for byte in body[:-1]:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(seconds)
        time.sleep(3600)


def reset(connection: socket.socket) -> None:
    """Close so that the other side gets an error and no end of the stream."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        connection.close()


def in_turn(acts: Sequence[Act]) -> Rule:
    """The acts in order, and the last of them from then on."""
    return lambda number, path: acts[min(number, len(acts) - 1)]


@contextmanager
def serving(acts: Sequence[Act] | Rule = (), listing: Act | None = None) -> Iterator[Server]:
    rule = acts if callable(acts) else in_turn(list(acts) or [says("fine")])
    server = Server(rule, listing or models("tiny"))
    server.live()
    try:
        yield server
    finally:
        server.die()
