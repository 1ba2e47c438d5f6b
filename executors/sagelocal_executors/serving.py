"""A model that answers: its containers run, and requests go through them (semantics 08 §8.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.inference import InvocationError, Reply
from sagelocal.jobs import Job
from sagelocal.logs import StepLog
from sagelocal.values import JsonObject
from sagelocal_executors.containers import ContainerSpec, Limits, Listener
from sagelocal_executors.containers.waiting import unbroken
from sagelocal_executors.contract import Host
from sagelocal_executors.faults import JobError
from sagelocal_executors.hosts import Output
from sagelocal_executors.serving_chain import Chain, Server, running
from sagelocal_executors.serving_files import bring_model
from sagelocal_executors.serving_models import ModelContainer, find_model, is_isolated, model_containers
from sagelocal_executors.tools import Launch, Tools
from sagelocal_executors.trees import Tree, remove

if TYPE_CHECKING:
    from sagelocal_executors.serving_http import Caller

__all__ = ["InvocationError", "ModelContainer", "Reply", "Served", "model_containers", "served"]

STARTUP_SECONDS = 480.0
"""What hosting gives a container to pass its health check: 8 minutes. Of batch transform no limit is documented."""
_PORT = 8080
_GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL, as hosting gives them; a server has nothing to save."""
_PAUSE = 0.1  # seconds between two pings
_LONGEST_TEXT = 1024
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
_NOT_READY = (
    "AlgorithmError: {name} did not pass its health check: GET /ping on port {port} has to answer with status 200 within "
    "{seconds:g} s of the start, but there was {last}. The lines in this step's log say what it did instead; its program "
    "must listen on 0.0.0.0:{port}"
)


@dataclass(frozen=True, slots=True)
class Served:
    """The containers of one instance, in line, answering.

    Attributes:
        parameters: what the first one says at /execution-parameters; {} when it says nothing.
    """

    parameters: JsonObject
    _chain: Chain
    _caller: Caller

    async def invoke(
        self,
        body: bytes | AsyncIterator[bytes],
        *,
        content_type: str | None,
        accept: str | None,
        timeout: float = 600,  # noqa: ASYNC109 - SageMaker's InvocationsTimeoutInSeconds, of the whole chain
        custom_attributes: str | None = None,
    ) -> Reply:
        """Send a request through all containers: each gets the answer of the one before, the last one is asked for `accept`.

        Raises:
            InvocationError: one answered with another status than 2xx, or the answer did not come within `timeout` seconds.
            JobError: a container has ended.
        """
        server, last = self._chain.servers[0], self._chain.servers[-1]
        reply = Reply(b"", content_type or "")
        try:
            async with asyncio.timeout(timeout):
                for server in self._chain.servers:
                    wanted = accept if server is last else None
                    reply = await self._ask(server, body, reply.content_type, wanted, custom_attributes)
                    body = reply.body
        except TimeoutError:
            raise InvocationError(0, f"did not answer within {timeout:g} s", server.name) from None
        return reply

    async def _ask(
        self,
        server: Server,
        body: bytes | AsyncIterator[bytes],
        content_type: str,
        accept: str | None,
        custom_attributes: str | None,
    ) -> Reply:
        work = self._caller.invoke(
            server.url, body, content_type=content_type, accept=accept, custom_attributes=custom_attributes
        )
        try:
            answer = await self._chain.during(work, "while it worked on a request")
        except ConnectionError as error:
            raise InvocationError(0, f"cut the connection: {error}", server.name) from None
        if 200 <= answer.status < 300:
            return answer.reply
        text = answer.reply.body[:_LONGEST_TEXT].decode("utf-8", "replace").strip()
        raise InvocationError(answer.status, text, server.name)


@asynccontextmanager
async def served(
    tools: Tools,
    catalog: Catalog,
    job: Job,
    model_name: str,
    log: StepLog,
    *,
    env: Mapping[str, str] = _NO_VARIABLES,
    instance: str = "algo-1",
    alone: bool = True,
    startup: float = STARTUP_SECONDS,
) -> AsyncIterator[Served]:
    """Run a model's containers until each has answered /ping, then let them answer; at the end nothing of them is left.

    `env` is laid over each container's own Environment. Instances of one job run side by side under their names; unless
    one is `alone`, its lines in the log bear its name. `startup` are the seconds until each container must be ready.

    Raises:
        JobError: there is no such model, its data is not there, or a container ended or was not ready in time.
    """
    assert not tools.stubbed(job.step), "nothing serves in a stubbed step"
    # Imported here: httpx costs start-up time that runs without models need not pay.
    from sagelocal_executors.serving_http import Caller  # noqa: PLC0415 - start-up time

    network = not is_isolated(find_model(catalog, model_name))
    containers = model_containers(catalog, model_name)
    places = [_Place(tools, job, f"{instance}-serving-{number}") for number, _ in enumerate(containers, 1)]
    output = Output(log)
    try:
        specs: dict[Server, ContainerSpec] = {}
        for place, container in zip(places, containers, strict=True):
            server = Server(container.hostname if alone else f"{instance} {container.hostname}")
            log.note(f"model {model_name}: {server.name} serves {container.data or 'without model data'}")
            specs[server] = await place.spec(
                server, replace(container, env={**container.env, **env}), network
            )
        single = alone and len(containers) == 1
        async with Caller() as caller, running(tools.containers, specs, output, alone=single) as chain:
            yield Served(await _ready(chain, caller, startup), chain, caller)
    finally:
        await unbroken(asyncio.to_thread(_remove, [place.tree.root for place in places]))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one container of the chain runs, under a name that no other has."""

    tools: Tools
    job: Job
    name: str

    @property
    def _host(self) -> Host:
        return Host(self.name, "")

    @property
    def tree(self) -> Tree:
        return self.tools.tree(self.job, self._host)

    async def spec(self, server: Server, container: ModelContainer, network: bool) -> ContainerSpec:
        mount = await bring_model(self.tools.objects, container, self.tree)
        launch = Launch(
            image=container.image,
            entrypoint=None,
            command=("serve",),
            env=container.env,
            limits=Limits(None, min(self.tools.grace, _GRACE)),
            network=network,
            listener=Listener(_PORT, server.open),
        )
        spec = launch.spec(self.job, self._host, (self._host,), [mount])
        return replace(spec, hostname=container.hostname, hosts=(container.hostname,))


async def _ready(chain: Chain, caller: Caller, seconds: float) -> JsonObject:
    """Wait until every server answers /ping; the first one's parameters.

    Raises:
        JobError: one ended, or took too long.
    """
    last = dict.fromkeys(chain.servers, "no connection")

    async def answering(server: Server) -> None:
        url = await server.opened()
        while said := await caller.ping(url):
            last[server] = said
            await asyncio.sleep(_PAUSE)
        del last[server]

    try:
        async with asyncio.timeout(seconds):
            waiting = asyncio.gather(*map(answering, chain.servers))
            await chain.during(waiting, "before it answered GET /ping")
    except TimeoutError:
        server, said = next(iter(last.items()))
        text = _NOT_READY.format(name=server.name, port=_PORT, seconds=seconds, last=said)
        raise JobError(text, "AlgorithmError") from None
    parameters = caller.parameters(chain.servers[0].url)
    return await chain.during(parameters, "while it was asked for its parameters")


def _remove(roots: Sequence[Path]) -> None:
    for root in roots:
        remove(root)
        with suppress(OSError):  # the job keeps other folders beside it, or never had any
            root.parent.rmdir()
