"""The command ``exec``."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sagelocal.api import SERVICES
from sagelocal.cli.configuration import settings_of
from sagelocal.cli.feed import Feed
from sagelocal.cli.interrupts import ENDING, HANGUP, QUIT, cancel_us, interrupts
from sagelocal.cli.options import Config, Home, Port, Quiet, RuntimeOption, StubsOption
from sagelocal.cli.origin import origin
from sagelocal.cli.output import counted, say
from sagelocal.cli.watching import EXIT_CODES
from sagelocal.engine import Engine, load_stubs
from sagelocal.sdk.environment import environment

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""What a shell says of a program that is not there, or is none."""
_BY_SIGNAL = 128


def exec_(
    command: Annotated[
        list[str],
        typer.Argument(metavar="CMD", show_default=False, help="The program, with its arguments."),
    ],
    *,
    runtime: RuntimeOption = None,
    stubs: StubsOption = None,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait", help="When CMD ends, stop the executions that still run, and exit as CMD did."
        ),
    ] = False,
    port: Port = None,
    config: Config = None,
    home: Home = None,
    quiet: Quiet = False,
) -> None:
    """Run a program that was written for AWS against this machine: an SDK script, boto3, the AWS CLI, a test suite.

    It finds an endpoint that is open as long as it runs, credentials that are good for nothing, and none of your own
    credentials, profiles or endpoints. How the executions go that it starts is told on standard error. Those that it has
    not waited for are waited for when it ends.

    Exits with what CMD exits with, unless that is 0: then with 1 when an execution has failed, 3 when one was stopped.
    127 when CMD is not found. Ctrl-C is CMD's; when CMD ends with it, its executions are stopped, too, and a second
    Ctrl-C kills their jobs.

    For example:

    - `sagelocal exec -- python my_pipeline.py`
    - `sagelocal exec --runtime stub --stubs stubs.yaml -- pytest tests`
    """
    refused = _refused(command[0])
    if refused is not None:
        raise typer.Exit(refused)
    settings = settings_of(config, home, runtime=runtime)
    engine = Engine(
        settings,
        stubs=load_stubs(stubs) if stubs else None,
        services=SERVICES,
        port=port or 0,
        origin=origin(None, config, runtime, stubs).kept,
    )
    try:
        code = asyncio.run(_executed(engine, command, Feed(engine, quiet=quiet), wait=not no_wait))
    except asyncio.CancelledError:
        say("Stopped: nothing was started.", "yellow", error=True)
        code = EXIT_CODES["Stopped"]
    raise typer.Exit(code)


def _refused(program: str) -> int | None:
    """The exit code for a program that cannot be run, once that has been said."""
    if shutil.which(program):
        return None
    there = Path(program).is_file() and (os.sep in program or program.endswith(".py"))
    if there:
        way = f"sagelocal exec -- python {program}" if program.endswith(".py") else f"chmod +x {program}"
        say(f"error: {program}: cannot be executed: {way}", "red", error=True)
        return _NOT_EXECUTABLE
    say(f"error: {program}: command not found", "red", error=True)
    return _NOT_FOUND


async def _executed(engine: Engine, command: Sequence[str], feed: Feed, *, wait: bool) -> int:
    with interrupts(cancel_us(), ENDING | HANGUP | QUIT) as interrupt:
        async with engine:
            feed.listen()
            variables = environment(engine.settings, await engine.url(), os.environ)
            # In the terminal's foreground both of us hear of Ctrl-C; elsewhere CMD, and all it starts, is told by us.
            apart = os.name == "posix" and not _in_foreground()
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, env=variables, process_group=0 if apart else None
                )
            except OSError as error:
                say(f"error: {command[0]}: {error.strerror}", "red", error=True)
                return _NOT_EXECUTABLE
            course = _Course(engine, feed, process, apart)
            interrupt.act = course.interrupt
            code = await process.wait()
            if (code != 0 and course.interrupted) or not wait:
                course.stop()
            await feed.settled()
    return _exit_code(code, feed, judging=wait)


def _exit_code(code: int, feed: Feed, *, judging: bool) -> int:
    if code != 0:
        return code if code > 0 else _BY_SIGNAL - code
    if feed.faults:
        return max(feed.faults)
    codes = {EXIT_CODES[status] for status in feed.statuses.values()} if judging else set()
    # A failure says more than a stop.
    return next((code for code in (1, 3) if code in codes), 0)


def _in_foreground() -> bool:
    """Whether our process group is the one that the terminal sends its signals to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@dataclass(slots=True)
class _Course:
    """What a signal does: as long as CMD runs it is CMD's, then it stops the executions, the next time without grace.

    Attributes:
        apart: CMD is in a process group of its own.
        interrupted: how many signals CMD was to end by.
        stopped: how many times the executions were.
    """

    engine: Engine
    feed: Feed
    process: Process
    apart: bool
    interrupted: int = 0
    stopped: int = 0

    def interrupt(self, number: int) -> None:
        if self.process.returncode is not None:
            self.stop()
            return
        self.interrupted += 1
        if not self.apart and number in {signal.SIGINT, *QUIT, *HANGUP}:
            # It has heard of it from the terminal, and may have its own use for it: an interpreter's prompt has.
            return
        if self.interrupted == 1:
            say("Telling CMD to end. Interrupt again to kill it.", error=True)
        self._tell(number if self.interrupted == 1 else signal.SIGKILL)

    def stop(self) -> None:
        """Stop what still runs; a second time, without waiting for the jobs."""
        self.stopped += 1
        self.engine.jobs.stop_all()
        running = self.feed.running
        if not running:
            return
        first = f"Stopping {counted(len(running), 'execution')}: the jobs are asked to end. Interrupt again to kill them."
        say(first if self.stopped == 1 else "Stopping without waiting for the jobs.", error=True)
        for execution in running:
            self.engine.stop(execution)

    def _tell(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self.apart:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
