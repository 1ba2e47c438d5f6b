"""A container that serves: this machine reaches it, in every runtime, with and without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import docker
import httpx
import pytest

from sagelocal.clock import SystemClock
from sagelocal_executors.containers import Containers, ContainerSpec, Exit, Limits, Listener
from sagelocal_executors.containers.docker import DockerContainers
from sagelocal_executors.containers.process import ProcessContainers
from sagelocal_executors.containers.stub import StubContainers, Stubs

ENDPOINT = "http://endpoint.invalid:4566"
Script = Callable[..., ContainerSpec]

SERVER = """
import http.server, json, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(about(self.server.socket, self.path.split("/")[1:])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        print("last words", flush=True)
        os._exit(3)

    def log_message(self, *_):
        pass

def reaches(address):
    try:
        socket.create_connection(address, 0.5)
        return True
    except OSError:
        return False

def about(listening, other):
    host, port = listening.getsockname()
    return {"mark": sys.argv[1], "endpoint": os.environ.get("AWS_ENDPOINT_URL"),
            "address": [socket.gethostbyname(socket.gethostname()) if host == "0.0.0.0" else host, port],
            "reaches": len(other) > 1 and reaches((other[0], int(other[1])))}

class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        self.server_name, self.server_port = "model", 8080
        if "SAGELOCAL_LISTEN_FD" in os.environ:
            self.socket.close()
            self.socket = socket.socket(fileno=int(os.environ["SAGELOCAL_LISTEN_FD"]))
        else:
            self.socket.bind(self.server_address)

print("serving", flush=True)
Server(("0.0.0.0", 8080), Handler).serve_forever()
"""


@dataclass
class Serving:
    """A container that serves, its URL, its lines."""

    task: asyncio.Task[Exit]
    url: str
    lines: list[str]

    async def get(self, path: str = "/") -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    answer: dict[str, Any] = (await client.get(self.url + path)).json()
                except httpx.TransportError:  # it does not listen yet
                    await asyncio.sleep(0.05)
                else:
                    return answer


@asynccontextmanager
async def serving(containers: Containers, spec: ContainerSpec) -> AsyncIterator[Serving]:
    url, lines = asyncio.get_running_loop().create_future(), list[str]()
    listening = replace(spec, listener=Listener(8080, url.set_result))
    task = asyncio.create_task(containers.run(listening, lines.append))
    try:
        await asyncio.wait({task, url}, return_when=asyncio.FIRST_COMPLETED)
        yield Serving(task, url.result(), lines)
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.mark.parametrize("network", [True, False])
async def test_this_machine_reaches_the_server_whether_it_is_isolated_or_not(
    script: Script, containers: Containers, network: bool
) -> None:
    async with serving(containers, script(SERVER, "me", network=network)) as one:
        assert (await one.get())["mark"] == "me"


async def test_an_isolated_server_reaches_nobody_else(script: Script, containers: Containers) -> None:
    async with (
        serving(containers, script(SERVER, "other")) as other,
        serving(containers, script(SERVER, "open")) as connected,
        serving(containers, script(SERVER, "closed", network=False)) as isolated,
    ):
        host, port = (await other.get())["address"]
        reached = await connected.get(f"/{host}/{port}")
        not_reached = await isolated.get(f"/{host}/{port}")

    assert (reached["reaches"], reached["endpoint"]) == (True, ENDPOINT)
    assert (not_reached["reaches"], not_reached["endpoint"]) == (False, None)


async def test_servers_side_by_side_have_addresses_of_their_own(
    script: Script, containers: Containers
) -> None:
    specs = [script(SERVER, name, network=name != "c") for name in ("a", "b", "c")]
    async with (
        serving(containers, specs[0]) as a,
        serving(containers, specs[1]) as b,
        serving(containers, specs[2]) as c,
    ):
        assert [(await one.get())["mark"] for one in (a, b, c)] == ["a", "b", "c"]
        assert len({a.url, b.url, c.url}) == 3


async def test_a_server_that_ends_gives_its_exit_and_cannot_be_reached_any_more(
    script: Script, containers: Containers
) -> None:
    async with serving(containers, script(SERVER, "me")) as one:
        await one.get()
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.TransportError):
                await client.post(one.url, content=b"end")
            assert await one.task == Exit(3)
            with pytest.raises(httpx.TransportError):
                await client.get(one.url)

    assert one.lines == ["serving", "last words"]


async def test_the_url_is_told_before_the_program_answers(script: Script, containers: Containers) -> None:
    async with serving(containers, script("import time; time.sleep(600)", limits=Limits(grace=0))) as one:
        assert one.url.startswith("http://")
        assert not one.task.done()


async def test_what_the_listener_raises_ends_the_container_and_passes(
    script: Script, containers: Containers
) -> None:
    def on_url(url: str) -> None:
        raise ZeroDivisionError

    spec = replace(script(SERVER, "me", limits=Limits(grace=0)), listener=Listener(8080, on_url))

    with pytest.raises(ZeroDivisionError):
        await containers.run(spec, print)


async def test_a_program_that_cannot_start_is_an_exit_also_when_it_should_serve(
    script: Script, containers: Containers
) -> None:
    told: list[str] = []
    spec = replace(
        script("", limits=Limits(grace=0)),
        entrypoint=("no-such-program",),
        listener=Listener(8080, told.append),
    )

    assert await containers.run(spec, print) == Exit(127)


async def test_no_descriptor_is_left_open_here(script: Script, process_containers: ProcessContainers) -> None:
    """The runtime's own socket is closed as soon as the program has it: a dead server refuses, it does not hang."""
    async with serving(process_containers, script("print('over')")) as one:
        await one.task
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(one.url)


@pytest.mark.docker
@pytest.mark.parametrize("network", [True, False])
async def test_docker_keeps_nothing_of_a_stopped_server(
    script: Script, docker_containers: DockerContainers, network: bool
) -> None:
    spec = script(SERVER, "me", network=network)
    label = f"sagelocal.job={spec.name}"
    async with serving(docker_containers, spec) as one:
        await one.get()
        kinds = {found.split()[0] for found in await docker_containers.leftovers(label)}

    assert kinds == ({"container"} if network else {"container", "network"})
    assert await docker_containers.leftovers(label) == []


@pytest.mark.docker
async def test_the_network_of_an_isolated_server_leads_nowhere(
    script: Script, docker_containers: DockerContainers
) -> None:
    """Docker keeps containers of different networks apart anyhow, so that they cannot meet proves little."""
    spec = script(SERVER, "me", network=False)
    client = docker.from_env()
    async with serving(docker_containers, spec) as one:
        await one.get()
        [network] = client.networks.list(filters={"label": f"sagelocal.job={spec.name}"})
        [container] = client.containers.list(filters={"label": f"sagelocal.job={spec.name}"})
        joined = set(container.attrs["NetworkSettings"]["Networks"])

    assert (network.attrs["Internal"], joined) == (True, {network.name})
    client.close()


@pytest.mark.docker
async def test_docker_publishes_to_this_machine_alone(
    script: Script, docker_containers: DockerContainers
) -> None:
    async with serving(docker_containers, script(SERVER, "me")) as one:
        assert one.url.startswith("http://127.0.0.1:")


@pytest.mark.docker
async def test_a_host_of_several_can_serve(script: Script, docker_containers: DockerContainers) -> None:
    hosts = ("algo-1", "algo-2")
    for network in (True, False):
        async with serving(docker_containers, script(SERVER, "me", hosts=hosts, network=network)) as one:
            assert (await one.get())["mark"] == "me"


async def test_nothing_serves_in_a_stubbed_step(script: Script) -> None:
    stubs: Awaitable[Exit] = StubContainers(Stubs(), SystemClock()).run(
        replace(script(""), listener=Listener(8080, print)), print
    )

    with pytest.raises(AssertionError):
        await stubs
