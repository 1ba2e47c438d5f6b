"""The command ``stop``."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import uuid4

import typer

from sagelocal.cli.configuration import settings_of
from sagelocal.cli.neighbour import NobodyError, ask
from sagelocal.cli.options import Config, Home
from sagelocal.cli.output import say
from sagelocal.engine import Engine, open_views
from sagelocal.errors import ConflictError
from sagelocal.settings import Settings


def stop(
    execution: Annotated[
        str,
        typer.Argument(
            metavar="EXECUTION",
            show_default=False,
            help="An id, the beginning of one, an ARN, or `latest`.",
        ),
    ],
    config: Config = None,
    home: Home = None,
) -> None:
    """Stop an execution that runs, or one that was left interrupted, as StopPipelineExecution does.

    One that runs is stopped by the engine that runs it, which needs an endpoint for that: `serve` and `exec` have one, `run`
    has one with `--port`. Its jobs are asked to end; `sagelocal show` tells when they have.

    For example:

    - `sagelocal stop latest`
    """
    settings = settings_of(config, home)
    view = open_views(settings).execution(execution)
    if view.ended is not None:
        message = f"Execution {view.id} has ended: {view.status}"
        raise ConflictError(message)
    if view.interrupted:
        asyncio.run(_end(settings, view.arn))
        say(f"Stopped: execution {view.id}")
        return
    request = {"PipelineExecutionArn": view.arn, "ClientRequestToken": str(uuid4())}
    try:
        ask(settings.home, "SageMaker.StopPipelineExecution", request)
    except (NobodyError, ConflictError) as error:
        message = f"Execution {view.id} is run by a sagelocal that cannot be asked from here: press Ctrl-C there ({error})"
        raise ConflictError(message) from None
    say(f"Stopping: execution {view.id}")


async def _end(settings: Settings, execution: str) -> None:
    async with Engine(settings) as engine:
        await engine.stop_interrupted(execution)
