"""The server of a model keeps to SageMaker's serving contract, whatever clients do."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

ECHO = """
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept): return body, content_type
"""
OCTETS = "application/octet-stream"


@pytest.fixture(name="echo")
def _echo(container: Any, serve: Any) -> Any:
    container.write("model/code/inference.py", ECHO)
    return serve("generic")


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def test_nothing_is_answered_before_the_model_is_loaded(container: Any, serve: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    container.write(
        "model/code/inference.py",
        f"def model_fn(model_dir): return open({str(tmp_path / 'go')!r}).read()\n"
        "def transform_fn(model, body, content_type, accept): return model\n",
    )
    serving = serve.start("generic")

    with pytest.raises(httpx.ReadTimeout):
        serving.http.get("/ping", timeout=0.3)
    (tmp_path / "go").write_text("loaded")

    assert serving.ready().predicted(b"") == "loaded"


def test_ping_is_empty_and_other_paths_are_not_found(echo: Any) -> None:
    ping = echo.http.get("/ping")

    assert (ping.status_code, ping.content) == (200, b"")
    assert echo.http.get("/models").status_code == 404
    assert echo.http.get("/invocations").status_code == 405
    assert echo.http.post("/ping").headers["allow"] == "GET"
    assert echo.http.put("/invocations", content=b"x").status_code == 501


def test_only_a_script_that_has_them_answers_execution_parameters(
    container: Any, serve: Any, echo: Any
) -> None:
    assert echo.http.get("/execution-parameters").status_code == 404

    container.write(
        "model/code/inference.py",
        ECHO + "def execution_parameters_fn(): return {'MaxConcurrentTransforms': 3}",
    )

    assert serve("sklearn").http.get("/execution-parameters").json() == {"MaxConcurrentTransforms": 3}


def test_twenty_megabytes_in_chunks_arrive_as_they_were_sent(echo: Any) -> None:
    chunks = [os.urandom(199_999) for _ in range(105)]

    def sent() -> Iterator[bytes]:
        yield from chunks

    answer = echo.http.post("/invocations", content=sent(), headers={"Content-Type": OCTETS})

    assert len(answer.content) == 20_999_895
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(b"".join(chunks)).digest()


def test_a_connection_is_kept_for_the_next_request(echo: Any) -> None:
    connection = http.client.HTTPConnection(*echo.address)
    bodies = []
    for number in range(3):
        connection.request("POST", "/invocations", body=f"[{number}]")
        if number == 0:
            first = connection.sock
        bodies.append(connection.getresponse().read())

    assert connection.sock is first
    assert bodies == [b"[0]", b"[1]", b"[2]"]
    connection.close()


def test_who_expects_a_100_gets_it_before_sending_the_body(echo: Any) -> None:
    with socket.create_connection(echo.address) as client:
        client.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"1234")
        answer = received(client)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n1234")


def test_fifty_concurrent_requests_get_their_own_answers(echo: Any) -> None:
    start = threading.Barrier(50)

    def ask(number: int) -> str:
        with httpx.Client(base_url=echo.url, timeout=60, trust_env=False) as client:
            start.wait()
            return client.post("/invocations", content=f"[{number}]" * 1000).text

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(ask, range(50)))

    assert answers == [f"[{number}]" * 1000 for number in range(50)]


MALFORMED = {
    "no request": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
    "one word": (b"GET\r\n\r\n", b"400"),
    "another protocol": (b"GET /ping SPDY/3\r\n\r\n", b"400"),
    "an endless line": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
    "too many headers": (b"GET /ping HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n", b"431"),
    "a length in words": (b"POST /invocations HTTP/1.1\r\nContent-Length: ten\r\n\r\n", b"400"),
    "a length below nothing": (b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
    "two lengths": (
        b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"400",
    ),
    "a length and chunks": (
        b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    "another coding": (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
    "a chunk without size": (
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"400",
    ),
    "a chunk beyond its size": (
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"400",
    ),
    "a client that hangs up": (b"POST /invocations HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", b""),
    "a chunk that never comes": (
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        b"",
    ),
    "an exabyte": (b"POST /invocations HTTP/1.1\r\nContent-Length: 999999999999999999\r\n\r\nabc", b""),
}


@pytest.mark.parametrize(("sent", "status"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_told_so_and_harms_nobody(echo: Any, sent: bytes, status: bytes) -> None:
    with socket.create_connection(echo.address) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        answer = received(client)

    assert answer.partition(b"\r\n")[0].split(b" ")[1:2] == ([status] if status else [])
    assert echo.predicted(b"still here", OCTETS) == "still here"
    assert "Traceback" not in echo.log


def test_what_a_handler_raises_is_answered_and_its_traceback_logged(container: Any, serve: Any) -> None:
    container.write(
        "model/code/inference.py",
        "import sys\n"
        "def model_fn(model_dir): return {'good': 1}\n"
        "def input_fn(body, content_type): return body\n"
        "def predict_fn(data, model):\n"
        "    if data == 'leave': sys.exit('I leave')\n"
        "    return model[data]\n"
        "def output_fn(prediction, accept): return str(prediction)\n",
    )
    serving = serve("generic")

    answer = serving.invoke("bad", "text/csv")

    assert (answer.status_code, answer.text) == (500, "KeyError: 'bad'")
    assert "Traceback (most recent call last)" in serving.log
    assert "return model[data]" in serving.log
    assert serving.invoke("leave", "text/csv").text == "SystemExit: I leave"
    assert serving.predicted("good", "text/csv") == "1"


def test_sigterm_lets_a_request_that_is_under_way_finish(container: Any, serve: Any, tmp_path: Path) -> None:
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    container.write(
        "model/code/inference.py",
        "def model_fn(model_dir): return None\n"
        "def transform_fn(model, body, content_type, accept):\n"
        f"    open({str(tmp_path / 'begun')!r}, 'w').close()\n"
        f"    return open({str(tmp_path / 'go')!r}).read()\n",
    )
    serving = serve("generic")
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(serving.invoke, b"")
        (tmp_path / "begun").read_text()
        serving.process.terminate()
        (tmp_path / "go").write_text("finished")

        assert answer.result().text == "finished"
    assert serving.process.wait() == 0


def test_sigterm_ends_an_idle_server_with_zero_though_connections_are_open(echo: Any) -> None:
    with socket.create_connection(echo.address):
        assert echo.stop() == 0


def test_sigterm_ends_a_server_that_still_loads_with_zero(container: Any, serve: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "loading")
    container.write(
        "model/code/inference.py",
        "import time\n"
        "def model_fn(model_dir):\n"
        f"    open({str(tmp_path / 'loading')!r}, 'w').close()\n"
        "    while True: time.sleep(0.05)\n",
    )
    serving = serve.start("generic")
    (tmp_path / "loading").read_text()

    assert serving.stop() == 0


def test_without_a_socket_of_the_platform_it_serves_on_a_port(container: Any) -> None:
    container.write("model/code/inference.py", ECHO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = container.run("generic", "serve", SAGEMAKER_BIND_TO_PORT=str(port))
    assert done.returncode == 1
    assert container.failure == f"cannot serve on port {port}: Address already in use"

    with subprocess.Popen(
        container.command("generic", "serve"),
        env=container.environment({"SAGEMAKER_BIND_TO_PORT": str(port)}),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Serving on port {port}\n".encode()
        assert httpx.get(f"http://127.0.0.1:{port}/ping", trust_env=False).status_code == 200
        process.terminate()
        assert process.wait() == 0
