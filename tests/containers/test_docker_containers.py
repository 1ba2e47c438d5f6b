"""What is special about the Docker runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sagelocal.errors import MachineError
from sagelocal.settings import ImageRule, Settings
from sagelocal_executors.containers import Access, ContainerSpec, Exit, ImageMissingError, Mount
from sagelocal_executors.containers.docker import DockerContainers

Script = Callable[..., ContainerSpec]


async def test_without_a_daemon_the_error_says_what_to_do(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    containers = DockerContainers(Settings(), tmp_path / "docker")

    with pytest.raises(MachineError, match="--runtime process"):
        await containers.run(script(""), print)
    assert not await containers.answers()
    await containers.close()


@pytest.mark.docker
async def test_a_missing_image_is_never_pulled_and_the_error_lists_the_ways_out(
    script: Script, docker_containers: DockerContainers
) -> None:
    spec = replace(script(""), image="registry.invalid/nothing:1")

    with pytest.raises(
        ImageMissingError, match=r"docker pull registry\.invalid/nothing:1(?s:.)*--runtime process"
    ):
        await docker_containers.run(spec, print)


@pytest.mark.docker
async def test_an_image_rule_maps_the_image(script: Script, tmp_path: Path) -> None:
    spec = script("print('mapped')")
    settings = Settings(images={"*.ecr.*/mine:*": ImageRule(docker=spec.image)})
    containers, lines = DockerContainers(settings, tmp_path / "docker"), list[str]()

    await containers.run(replace(spec, image="1.dkr.ecr.x/mine:1"), lines.append)

    assert lines == ["mapped"]
    await containers.close()


@pytest.mark.docker
async def test_nothing_with_the_jobs_label_is_left(
    script: Script, docker_containers: DockerContainers, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    mounts = (Mount(tmp_path / "data", "/opt/ml/input", Access.OVERLAY),)
    hosts = ("algo-1", "algo-2")
    spec = script("import time; time.sleep(600)", hosts=hosts, mounts=mounts)
    label = f"sagelocal.job={spec.name}"
    task = asyncio.create_task(docker_containers.run(spec, print))
    while not any(found.startswith("container") for found in await docker_containers.leftovers(label)):
        await asyncio.sleep(0.05)
    kinds = {found.split()[0] for found in await docker_containers.leftovers(label)}

    task.cancel()
    await asyncio.wait({task})

    assert kinds >= {"container", "volume", "network"}
    assert await docker_containers.leftovers(label) == []


@pytest.mark.docker
async def test_what_a_killed_engine_left_is_found_and_removed(docker_containers: DockerContainers) -> None:
    import docker

    client = docker.from_env()
    label = "sagelocal.job=test-left"
    client.containers.create(
        "sagelocal-base:local", ["true"], labels={"sagelocal.job": "test-left"}, name="test-left"
    )
    client.close()

    assert await docker_containers.leftovers(label, remove=True) == ["container test-left"]
    assert await docker_containers.leftovers(label) == []


@pytest.mark.docker
async def test_a_leftover_of_the_same_name_does_not_stop_the_job(
    script: Script, docker_containers: DockerContainers
) -> None:
    import docker

    spec = script("print('new')")
    client = docker.from_env()
    client.containers.create(spec.image, ["true"], labels=dict(spec.labels), name=spec.name)
    client.close()
    lines: list[str] = []

    assert await docker_containers.run(spec, lines.append) == Exit(0)
    assert lines == ["new"]


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.docker
async def test_a_job_reaches_our_endpoint_on_the_networks_gateway(script: Script, tmp_path: Path) -> None:
    servers: list[ThreadingHTTPServer] = []

    async def reach(address: str) -> str:
        servers.append(ThreadingHTTPServer((address, 0), _Hello))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://{address}:{servers[-1].server_port}"

    text = "import os, urllib.request as u; print(u.urlopen(os.environ['AWS_ENDPOINT_URL']).read())"
    containers, lines = DockerContainers(Settings(), tmp_path / "docker", reach), list[str]()

    await containers.run(script(text), lines.append)
    await containers.run(script(text, hosts=("algo-1", "algo-2")), lines.append)

    assert lines == ["b'hello'", "b'hello'"]
    for server in servers:
        server.shutdown()
        server.server_close()
    await containers.close()
