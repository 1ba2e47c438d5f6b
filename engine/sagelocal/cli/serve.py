"""The command ``serve``."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from sagelocal.api import SERVICES
from sagelocal.cli.configuration import settings_of
from sagelocal.cli.faults import report
from sagelocal.cli.feed import Feed
from sagelocal.cli.interrupts import ENDING, HANGUP, cancel_us, interrupts
from sagelocal.cli.options import Config, Home, Quiet, RuntimeOption, StubsOption
from sagelocal.cli.origin import origin
from sagelocal.cli.output import counted, flush, say, say_json
from sagelocal.cli.summary import relative
from sagelocal.cloud import disk
from sagelocal.cloud.beacon import announced
from sagelocal.engine import Engine, load_stubs
from sagelocal.errors import ConflictError
from sagelocal.names import execution_id
from sagelocal.nearest import listed
from sagelocal.sdk.environment import STARTUP, variables
from sagelocal.settings import Settings

_PORT = 4566
_HIDE = "AWS_PROFILE AWS_SESSION_TOKEN"


def serve(
    *,
    port: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=65535, help="Where AWS's services answer; 0: any that is free."),
    ] = _PORT,
    runtime: RuntimeOption = None,
    stubs: StubsOption = None,
    config: Config = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object when ready, instead of the exports.")
    ] = False,
) -> None:
    """Answer the SageMaker API, and the AWS services around it, on this machine until interrupted.

    Prints what to paste into a shell, so that boto3, the AWS CLI and the SageMaker SDK come here. Only programs of this
    machine can: the port is one of 127.0.0.1.

    Executions that an earlier engine has left go on. Ctrl-C leaves those that run: their jobs are stopped, and run again
    when an engine goes on with them; a second Ctrl-C kills the jobs.

    For example:

    - `sagelocal serve`
    - `sagelocal serve --port 0 --runtime stub --stubs stubs.yaml --json`
    """
    settings = settings_of(config, home, runtime=runtime)
    engine = Engine(
        settings,
        stubs=load_stubs(stubs) if stubs else None,
        services=SERVICES,
        port=port,
        origin=origin(None, config, runtime, stubs).kept,
    )
    with _only_server(settings.home), suppress(asyncio.CancelledError):
        asyncio.run(_served(engine, Feed(engine, quiet=quiet), as_json=as_json))


@contextmanager
def _only_server(home: Path) -> Iterator[None]:
    """Let one server at a time have the state folder; runs beside it are welcome."""
    with disk.faults(home):
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / "serve.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            there = f" at {listed(announced(home))}" if announced(home) else ""
            message = f"a server of the state folder {home} runs already{there}: use that one, or name another folder with --home"
            raise ConflictError(message) from None
    try:
        yield
    finally:
        lock.release()


async def _served(engine: Engine, feed: Feed, *, as_json: bool) -> None:
    with interrupts(cancel_us(), ENDING | HANGUP) as interrupt:
        async with engine:
            ending = _Ending(engine, feed)
            interrupt.act = ending
            feed.listen()
            _say_ready(engine.settings, await engine.url(), as_json=as_json)
            resuming = asyncio.create_task(_resume(engine, feed))
            try:
                await ending.asked.wait()
            finally:
                resuming.cancel()
                await asyncio.wait({resuming})


@dataclass(slots=True)
class _Ending:
    """What an interrupt does: the first leaves the executions, the second kills their jobs."""

    engine: Engine
    feed: Feed
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, _: int) -> None:
        running = [execution_id(execution) for execution in self.feed.running]
        if self.asked.is_set():
            say("Ending without waiting for the jobs.", error=True)
        elif running:
            one = len(running) == 1
            say(
                f"Ending. {counted(len(running), 'execution')} {'is' if one else 'are'} left as {'it is' if one else 'they are'}"
                f" ({listed(running)}): what runs is asked to end, and runs again when an engine goes on with it, at the next"
                " `sagelocal serve` or by `sagelocal resume ID`; `sagelocal stop ID` ends one. Interrupt again to kill the jobs.",
                error=True,
            )
        else:
            say("Ending.", error=True)
        self.engine.leave()
        self.asked.set()


async def _resume(engine: Engine, feed: Feed) -> None:
    """Go on with every execution that was left; what hinders one is told, and hinders no other."""
    for execution in engine.views.interrupted():
        name = execution_id(execution)
        feed.note(f"{name} goes on where its engine left it; `sagelocal stop {name}` ends it")
        try:
            await engine.resume(execution)
        except Exception as error:  # a server that cannot start because of one old execution helps nobody
            report(error)
            say(f"Execution {name} stays as it is.", error=True)


def _say_ready(settings: Settings, url: str, *, as_json: bool) -> None:
    exported = variables(settings, url, os.environ)
    if as_json:
        say_json(
            {
                "url": url,
                "pid": os.getpid(),
                "home": str(settings.home),
                "region": settings.region,
                "account": settings.account,
                "runtime": settings.runtime.value,
                "environment": {**exported, "PYTHONPATH": str(STARTUP)},
            }
        )
    else:
        for line in _exports(settings, url, exported):
            say(line)
    flush()


def _exports(settings: Settings, url: str, exported: Mapping[str, str]) -> Iterator[str]:
    """A piece of shell script, comments included."""
    yield f"# sagelocal serves {url} · state folder {relative(settings.home)} · runtime {settings.runtime}"
    yield f"unset {_HIDE}"
    for name, value in exported.items():
        yield f"export {name}={shlex.quote(value)}"
    # Programs of our own making get this without being asked; see `sagelocal.sdk.startup`.
    yield f'export PYTHONPATH={shlex.quote(str(STARTUP))}"${{PYTHONPATH:+:$PYTHONPATH}}"  # or the SageMaker SDK asks the real STS'
    shell = "; ".join(f"$env:{name} = '{value}'" for name, value in exported.items())
    yield f"# PowerShell: {shell}"
    yield "# Or without any of this: sagelocal exec -- python my_pipeline.py"
