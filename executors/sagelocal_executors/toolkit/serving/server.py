"""HTTP/1.1 as SageMaker's serving contract wants it: /ping, /invocations and /execution-parameters."""

from __future__ import annotations

import os
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from ml_contract import JobError

from serving import bodies, routes
from serving.exchange import TEXT, Answer, Model, Refused, Request
from serving.worker import Worker

_LAST_ANSWERS = 5.0  # seconds that finished answers get to reach their clients


def listener() -> socket.socket:
    """The socket that the platform handed down, else the port that SageMaker knocks at.

    Bound only: as nobody listens before the model is loaded, a client is refused meanwhile (and waits at a socket that was
    handed down, where the platform listens already).
    """
    inherited = os.environ.pop("SAGELOCAL_LISTEN_FD", "")
    if inherited:
        found = socket.socket(fileno=int(inherited))
        found.set_inheritable(False)  # a program that the author's code starts must not keep the port
        return found
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("0.0.0.0", port))
    except OSError as error:
        raise JobError(f"cannot serve on port {port}: {error.strerror}") from None
    return bound


class Server(socketserver.ThreadingTCPServer):
    """A thread per connection reads and writes; the worker's thread computes."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, model: Model, worker: Worker) -> None:
        super().__init__(listening.getsockname(), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.model = model
        self.worker = worker
        self._busy = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        self.socket.listen(512)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish(self) -> None:
        """Wait until what was answered has been sent."""
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, _LAST_ANSWERS)

    @contextmanager
    def answering(self) -> Iterator[None]:
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else goes to the log."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "sagelocal"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        try:
            body = bodies.read(self.rfile, self.headers)
        except Refused as refused:
            self.send_error(refused.status, str(refused))
            return
        with self.server.answering():
            request = Request(body, {name.lower(): value for name, value in self.headers.items()})
            self._send(routes.answer(self.command, self.path, request, self.server.model, self.server.worker))
            self.wfile.flush()

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()  # the client sends nothing before it has read this
        return proceed

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As text; where the next request would begin is not known after an error, so the connection ends."""
        if self.request_version == "HTTP/0.9":
            self.request_version = "HTTP/1.0"  # what the base class calls a line that it could not read
        text = message or explain or self.responses.get(code, ("",))[0]
        self._send(Answer(text.encode(), TEXT, code, {"Connection": "close"}))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in _headers(answer).items():
            self.send_header(name, value)
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """A line for each of ten thousand requests would hide what the model says."""


def _headers(answer: Answer) -> Mapping[str, str]:
    described = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
    named = answer.headers if answer.status == 204 else {**described, **answer.headers}
    return {_plain(name): _plain(value) for name, value in named.items()}


def _plain(text: str) -> str:
    """What may stand in a header, as authors' code decides about some."""
    return " ".join(str(text).splitlines()).encode("latin-1", "replace").decode("latin-1")
