"""The listening socket that a sandboxed server inherits."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sagelocal_executors.containers import Listener

VARIABLE = "SAGELOCAL_LISTEN_FD"
"""Names the file descriptor on which the program serves, in the place of the port that its image has."""
_LOOPBACK = "127.0.0.1"
_BACKLOG = 512


@contextmanager
def inherited(listener: Listener | None) -> Iterator[socket.socket | None]:
    """A socket that listens on a free port of the loopback, ours until the program has it; None without a listener.

    It belongs to the machine's network, also inside a sandbox that has none. Nobody else can take the port meanwhile.
    """
    if listener is None:
        yield None
        return
    with socket.create_server((_LOOPBACK, 0), backlog=_BACKLOG) as server:
        yield server


def url_of(server: socket.socket) -> str:
    host, port = server.getsockname()
    return f"http://{host}:{port}"
