"""The commands that take up an execution again: ``resume`` and ``retry``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sagelocal.api import SERVICES
from sagelocal.cli.options import AsJson, Config, Execution, Home, Port, RuntimeOption, StubsOption
from sagelocal.cli.origin import original
from sagelocal.cli.watching import watch
from sagelocal.definition import parse
from sagelocal.engine import Engine, load_stubs
from sagelocal.plan import plan
from sagelocal.settings import Settings


def resume(
    execution: Execution = "latest",
    *,
    runtime: RuntimeOption = None,
    stubs: StubsOption = None,
    port: Port = None,
    config: Config = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Go on with an execution whose sagelocal was killed, or the machine with it.

    Steps that have ended stay as they are; those that were running run again, under the same names. A tuning job keeps
    the training jobs that have ended. Configuration, runtime and stubs are those of the start, unless given again.

    For example:

    - `sagelocal resume`
    - `sagelocal resume 3f2a --runtime process`
    """

    async def begin(engine: Engine) -> tuple[str, Mapping[str, str]]:
        arn = await engine.resume(execution)
        return arn, _types(engine, arn)

    engine = _engine(*original(execution, config, home, runtime, stubs), port)
    raise watch(engine, begin, as_json=as_json)


def retry(
    execution: Execution = "latest",
    *,
    max_parallel: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many steps may run at the same time.")
    ] = None,
    runtime: RuntimeOption = None,
    stubs: StubsOption = None,
    port: Port = None,
    config: Config = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Run once more what failed or was stopped in an execution, as RetryPipelineExecution does.

    Steps that have succeeded are kept; the definition and the parameters are those of the start. An execution that a Fail
    step has ended cannot be retried.

    For example:

    - `sagelocal retry`
    - `sagelocal retry 3f2a --max-parallel 1`
    """

    async def begin(engine: Engine) -> tuple[str, Mapping[str, str]]:
        arn = engine.views.execution(execution).arn
        await engine.retry(arn, max_parallel=max_parallel)
        return arn, _types(engine, arn)

    engine = _engine(*original(execution, config, home, runtime, stubs), port)
    raise watch(engine, begin, as_json=as_json)


def _engine(settings: Settings, stub_file: Path | None, port: int | None) -> Engine:
    return Engine(settings, stubs=load_stubs(stub_file) if stub_file else None, services=SERVICES, port=port)


def _types(engine: Engine, arn: str) -> Mapping[str, str]:
    steps = plan(parse(engine.views.execution(arn).definition)).steps
    return {name: step.type.value for name, step in steps.items()}
