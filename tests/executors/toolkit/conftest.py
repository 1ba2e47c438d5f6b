"""A folder that stands for a container's /opt/ml, and the toolkit run on it as a real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

import sagelocal_executors

TOOLKIT = Path(sagelocal_executors.__file__).parent / "toolkit" / "main.py"


class Container:
    """One training job's files; `run` plays the image."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config("resourceconfig.json", {"current_host": "algo-1", "hosts": ["algo-1"]})
        self.config("inputdataconfig.json", {})

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def config(self, name: str, content: object) -> None:
        self.write(f"input/config/{name}", json.dumps(content))

    def hyperparameters(self, **values: str) -> None:
        self.config("hyperparameters.json", values)

    def script(self, text: str, **hyperparameters: str) -> None:
        """A program that is already in the code folder."""
        self.write("code/train.py", text)
        self.hyperparameters(sagemaker_program='"train.py"', **hyperparameters)

    def command(self, family: str, verb: str = "train", python: str | Path = sys.executable) -> list[str]:
        return [str(python), str(TOOLKIT), family, verb]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "AWS_", "SM_"))
        }
        return {**kept, "SAGELOCAL_ML_ROOT": str(self.root), **(extra or {})}

    def run(
        self, family: str, verb: str = "train", *, python: str | Path = sys.executable, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(family, verb, python),
            env=self.environment(extra),
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def failure(self) -> str:
        return (self.root / "output/failure").read_text()


@pytest.fixture(name="container")
def _container(tmp_path: Path) -> Container:
    return Container(tmp_path / "ml")


class Serving:
    """A served model: the toolkit's process on a socket that it inherits, as in the process runtime."""

    def __init__(self, container: Container, family: str, **environment: str) -> None:
        self._log = container.root.parent / "serving.log"
        with socket.create_server(("127.0.0.1", 0), backlog=128) as server, self._log.open("wb") as log:
            self.address = server.getsockname()
            self.process = subprocess.Popen(
                container.command(family, "serve"),
                env=container.environment({"SAGELOCAL_LISTEN_FD": str(server.fileno()), **environment}),
                pass_fds=[server.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = "http://{}:{}".format(*self.address)
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ready(self) -> Serving:
        """Wait for the model: the socket listens already, so that the first answer is the sign."""
        try:
            assert self.http.get("/ping").status_code == 200
        except httpx.TransportError:
            self.process.wait()
            pytest.fail(self.log)
        return self

    def invoke(
        self, body: str | bytes, content_type: str | None = None, accept: str | None = None, **headers: str
    ) -> httpx.Response:
        named = {"Content-Type": content_type, "Accept": accept or "*/*"}
        sent = {name: value for name, value in named.items() if value}
        return self.http.post("/invocations", content=body, headers={**sent, **headers})

    def predicted(self, body: str | bytes, content_type: str | None = None, accept: str | None = None) -> str:
        answer = self.invoke(body, content_type, accept)
        assert answer.status_code == 200, answer.text
        return answer.text

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def close(self) -> None:
        self.http.close()
        self.process.kill()
        self.process.wait()


class Server:
    """Serves the container's model; what it has started ends with the test."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._started: list[Serving] = []

    def start(self, family: str, **environment: str) -> Serving:
        """Without waiting for the model."""
        self._started.append(Serving(self._container, family, **environment))
        return self._started[-1]

    def __call__(self, family: str, **environment: str) -> Serving:
        return self.start(family, **environment).ready()

    def close(self) -> None:
        for each in self._started:
            each.close()


@pytest.fixture(name="serve")
def _serve(container: Container) -> Iterator[Server]:
    server = Server(container)
    yield server
    server.close()
