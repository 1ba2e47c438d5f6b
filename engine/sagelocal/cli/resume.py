"""The command ``resume``."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.api import SERVICES
from sagelocal.cli.options import AsJson, Config, Execution, Home, Port, RuntimeOption, StubsOption
from sagelocal.cli.origin import original
from sagelocal.cli.watching import watch
from sagelocal.definition import parse
from sagelocal.engine import Engine, load_stubs
from sagelocal.plan import plan


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
    settings, stub_file = original(execution, config, home, runtime, stubs)
    engine = Engine(
        settings, stubs=load_stubs(stub_file) if stub_file else None, services=SERVICES, port=port
    )

    async def begin(engine: Engine) -> tuple[str, Mapping[str, str]]:
        arn = await engine.resume(execution)
        steps = plan(parse(engine.views.execution(arn).definition)).steps
        return arn, {name: step.type.value for name, step in steps.items()}

    raise watch(engine, begin, as_json=as_json)
