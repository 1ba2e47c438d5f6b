"""The command ``run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sagelocal.api import SERVICES
from sagelocal.cli.checking import Checked, built, checked
from sagelocal.cli.configuration import settings_of
from sagelocal.cli.options import AsJson, Config, Home, Port, RuntimeOption, Source, StubsOption
from sagelocal.cli.origin import Origin, origin
from sagelocal.cli.parameters import given
from sagelocal.cli.watching import watch
from sagelocal.engine import Engine, load_stubs
from sagelocal.source import find
from sagelocal.values import Scalar


@dataclass(frozen=True, slots=True)
class _Wish:
    """What to run, and how."""

    checked: Checked
    name: str
    parameters: Mapping[str, Scalar]
    max_parallel: int | None
    origin: Origin

    async def begin(self, engine: Engine) -> tuple[str, Mapping[str, str]]:
        engine.create_pipeline(self.name, self.checked.source.text)
        arn = await engine.start(
            self.name, self.parameters, max_parallel=self.max_parallel, origin=self.origin.kept
        )
        return arn, {name: step.type.value for name, step in self.checked.plan.steps.items()}


def run(
    source: Source,
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--parameter", metavar="NAME=VALUE", help="A pipeline parameter; can be repeated."
        ),
    ] = None,
    parameters: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Parameters as JSON: an object, or a list of {Name, Value}; -p wins."
        ),
    ] = None,
    runtime: RuntimeOption = None,
    stubs: StubsOption = None,
    max_parallel: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many steps may run at the same time.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="PIPELINE", help="The pipeline's name, instead of that of the file or folder."),
    ] = None,
    port: Port = None,
    config: Config = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check a definition, run it, and show how it goes.

    Ctrl-C stops the execution as StopPipelineExecution does; a second one kills its jobs.

    Exits with 0 when the execution succeeded, 1 when it failed, 2 when the definition or the call is wrong, 3 when it
    was stopped, 4 when this machine lacks something.

    For example:

    - `sagelocal run pipeline.json -p InstanceCount=2`
    - `sagelocal run pipeline.json --runtime stub --stubs stubs.yaml`
    - `sagelocal run pipeline.py:get_pipeline --json > result.json`
    """
    found = find(source)
    settings = settings_of(config, home, found.folder, runtime=runtime)
    definition = checked(found, lambda code: built(code, settings, port))
    wish = _Wish(
        definition,
        name or definition.source.name,
        given(parameter or [], parameters),
        max_parallel,
        origin(found.folder, config, runtime, stubs),
    )
    engine = Engine(settings, stubs=load_stubs(stubs) if stubs else None, services=SERVICES, port=port)
    raise watch(engine, wish.begin, as_json=as_json)
