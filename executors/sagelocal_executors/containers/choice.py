"""Which runtime plays a job: the rule of ``auto``, and each step's own wish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sagelocal.errors import MachineError
from sagelocal.settings import Runtime, Settings
from sagelocal_executors.containers import Containers, ContainerSpec, Exit, ImageMissingError
from sagelocal_executors.containers.labels import EXECUTION_LABEL, missing_text
from sagelocal_executors.images import PLAYED, Family, family_of

if TYPE_CHECKING:
    from sagelocal_executors.containers.docker import DockerContainers
    from sagelocal_executors.containers.process import ProcessContainers


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job will run: the runtime, and a text for a person such as ``process · xgboost 1.0-1 · python 3.11``."""

    containers: Containers
    text: str


class AutoContainers:
    """Chooses a runtime for each job: the step's or the run's, and for ``auto`` the first that can.

    That is Docker when the daemon answers and the (mapped) image is there, else a sandboxed process when the image's
    family is known or mapped.

    Args:
        settings: for the wished runtimes and the image map.
        docker: makes the Docker runtime; called at the first need, as its library takes time to load.
        process: makes the process runtime, likewise.
        stub: the stub runtime; None when the run has no stubs.
        on_place: told of each choice before the job starts.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        docker: Callable[[], DockerContainers],
        process: Callable[[], ProcessContainers],
        stub: Containers | None = None,
        on_place: Callable[[ContainerSpec, str], None] = lambda spec, text: None,  # noqa: ARG005 (its names document)
    ) -> None:
        self._settings = settings
        self._make_docker = docker
        self._make_process = process
        self._stub = stub
        self._on_place = on_place

    async def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> Exit:
        """As `Containers.run`, in the runtime that suits."""
        place = await self.place(spec.image, spec.step)
        self._on_place(spec, place.text)
        return await place.containers.run(spec, on_line)

    async def missing(self, image: str, step: str) -> str | None:
        """Why a job of the step with this image could not run, with the ways out; None when it can."""
        try:
            await self.place(image, step)
        except (ImageMissingError, MachineError) as error:
            return str(error)
        return None

    async def place(self, image: str, step: str) -> Place:
        """Where a job of the step with this image runs.

        Raises:
            ImageMissingError: nothing here can run the image.
            MachineError: the asked runtime is missing.
        """
        match self._settings.runtime_of(step):
            case Runtime.DOCKER:
                if not await self._docker.has(image):
                    raise ImageMissingError(missing_text(self._docker.mapped(image)))
                return self._in_docker(image)
            case Runtime.PROCESS:
                return await self._in_process(image)
            case Runtime.STUB:
                return self._in_stub(step)
            case Runtime.AUTO:
                return await self._where_it_can(image)

    async def sweep(self, execution: str) -> list[str]:
        """Remove what containers of that execution, whose engine was killed, have left; their names are returned."""
        if not await self._docker.answers():
            return []
        return await self._docker.leftovers(f"{EXECUTION_LABEL}={execution}", remove=True)

    async def close(self) -> None:
        for made in ("_docker", "_process"):
            if made in self.__dict__:
                await getattr(self, made).close()

    @cached_property
    def _docker(self) -> DockerContainers:
        return self._make_docker()

    @cached_property
    def _process(self) -> ProcessContainers:
        return self._make_process()

    async def _where_it_can(self, image: str) -> Place:
        if await self._docker.answers() and await self._docker.has(image):
            return self._in_docker(image)
        family = family_of(image, self._settings)
        if self._settings.image_rule(image).python or (family and family.name in PLAYED):
            return await self._in_process(image)
        raise ImageMissingError(_no_way(image, family, daemon=await self._docker.answers()))

    def _in_docker(self, image: str) -> Place:
        return Place(self._docker, f"docker · {self._docker.mapped(image)}")

    async def _in_process(self, image: str) -> Place:
        await self._process.bubblewrap()
        interpreter = await self._process.interpreter(image)
        family = self._process.family(image)
        name = f"{family.name} {family.version}".strip()
        known = "" if family_of(image, self._settings) else f" (unknown image {image})"
        return Place(self._process, f"process · {name}{known} · python {interpreter.short_version}")

    def _in_stub(self, step: str) -> Place:
        if self._stub is None:
            message = f"Step {step!r} asks for the stub runtime, but this run has no stubs: give --stubs FILE"
            raise MachineError(message)
        return Place(self._stub, "stub")


def _no_way(image: str, family: Family | None, *, daemon: bool) -> str:
    docker = "" if daemon else " Docker does not answer, so no container can run."
    played = ", ".join(sorted(PLAYED))
    process = (
        f" The process runtime does not play the family {family.name} yet (it plays {played})."
        if family
        else " Its family is unknown, so the process runtime has no toolkit for it: "
        f"name one of {played} by family = in the image map."
    )
    return missing_text(image) + "." + docker + process
