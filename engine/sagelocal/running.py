"""The two calls that most Python users need: check a pipeline, run a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sagelocal.api import SERVICES
from sagelocal.check.whole import check_text
from sagelocal.engine import Engine, Stubs, load_stubs
from sagelocal.errors import DefinitionError, Problem
from sagelocal.settings import Runtime, Settings, configured_folder, load_settings
from sagelocal.source import load
from sagelocal.store.views import ExecutionView
from sagelocal.values import Scalar


def check(source: str | Path) -> list[Problem]:
    """Everything that is wrong with a definition, in the order of the file; an empty list when nothing is.

    Args:
        source: as on the command line: a JSON file or ``module_or_file.py[:name]``.

    Raises:
        UsageError: the source cannot be read.
    """
    try:
        check_text(load(str(source)).text)
    except DefinitionError as error:
        return list(error.problems)
    return []


async def run(
    source: str | Path,
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
        source: as on the command line: a JSON file or ``module_or_file.py[:name]``.
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
    loaded = load(str(source))
    chosen = settings or load_settings(configured_folder(loaded.folder))
    if runtime is not None:
        chosen = chosen.model_copy(update={"runtime": Runtime(runtime)})
    given = load_stubs(stubs) if isinstance(stubs, str | Path) else stubs
    async with Engine(chosen, stubs=given, services=SERVICES) as engine:
        pipeline = engine.create_pipeline(name or loaded.name, loaded.text)
        return await engine.wait(await engine.start(pipeline, parameters, max_parallel=max_parallel))
