"""The two calls that most Python users need: check a pipeline, run a pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from sagelocal.api import SERVICES
from sagelocal.check.whole import check_text
from sagelocal.engine import Engine, Stubs, load_stubs
from sagelocal.errors import DefinitionError, Problem
from sagelocal.sdk.building import build, build_now, thrown_away
from sagelocal.settings import Runtime, Settings, configured_folder, load_settings
from sagelocal.source import Code, Source, find, given
from sagelocal.store.views import ExecutionView
from sagelocal.values import Scalar


class Pipeline(Protocol):
    """A pipeline of the SageMaker SDK, of version 2 or 3."""

    name: Any

    def definition(self) -> str: ...


def check(source: str | Path | Pipeline) -> list[Problem]:
    """Everything that is wrong with a definition, in the order of the file; an empty list when nothing is.

    Args:
        source: as on the command line: a JSON file or ``module_or_file.py[:name]``; or a pipeline of the SageMaker SDK,
            whose `definition()` is called with the session that it has.

    Raises:
        UsageError: the source cannot be read or built.
        MachineError: the source is Python and the SageMaker SDK is not installed.
    """
    try:
        check_text(_looked_at(source).text)
    except DefinitionError as error:
        return list(error.problems)
    return []


async def run(
    source: str | Path | Pipeline,
    parameters: Mapping[str, Scalar] | None = None,
    *,
    runtime: Runtime | str | None = None,
    stubs: Stubs | Path | str | None = None,
    max_parallel: int | None = None,
    name: str | None = None,
    settings: Settings | None = None,
) -> ExecutionView:
    """Run a pipeline to its end.

    Args:
        source: as on the command line: a JSON file or ``module_or_file.py[:name]``; or a pipeline of the SageMaker SDK,
            whose `definition()` is called with the session that it has: what it uploads goes where that session says.
        parameters: values in place of the definition's defaults.
        runtime: ``auto``, ``docker``, ``process`` or ``stub``; None: as the settings say.
        stubs: what the stub runtime does, or a file of it.
        max_parallel: MaxParallelExecutionSteps.
        name: of the pipeline; None: after the source.
        settings: None: as configured in the working folder, else beside the source.

    Raises:
        DefinitionError: the definition is wrong.
        UsageError: a parameter is wrong, or a step is of a type that cannot run yet.
        MachineError: this machine lacks something that a step needs.
    """
    found = find(str(source)) if isinstance(source, str | Path) else await asyncio.to_thread(_live, source)
    chosen = settings or load_settings(configured_folder(found.folder))
    if runtime is not None:
        chosen = chosen.model_copy(update={"runtime": Runtime(runtime)})
    loaded = await build(found, chosen) if isinstance(found, Code) else found
    stubbed = load_stubs(stubs) if isinstance(stubs, str | Path) else stubs
    async with Engine(chosen, stubs=stubbed, services=SERVICES) as engine:
        pipeline = engine.create_pipeline(name or loaded.name, loaded.text)
        return await engine.wait(await engine.start(pipeline, parameters, max_parallel=max_parallel))


def _looked_at(source: str | Path | Pipeline) -> Source:
    if not isinstance(source, str | Path):
        return _live(source)
    found = find(str(source))
    if isinstance(found, Source):
        return found
    here = load_settings(configured_folder(found.folder))
    # In a thread of its own, as our caller may be inside an event loop: a notebook is.
    with thrown_away(here) as settings, ThreadPoolExecutor(1) as thread:
        return thread.submit(build_now, found, settings).result()


def _live(pipeline: Pipeline) -> Source:
    """The source that a pipeline in this process is."""
    name = str(pipeline.name)
    return given(str(pipeline.definition()), name, Path.cwd(), f"pipeline {name}")
