"""The commands, put together for typer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated

import typer

COMMANDS = {
    "check": "sagelocal.cli.check",
    "run": "sagelocal.cli.run",
    "exec": "sagelocal.cli.exec",
    "serve": "sagelocal.cli.serve",
    "stop": "sagelocal.cli.stop",
    "resume": "sagelocal.cli.resume",
    "retry": "sagelocal.cli.resume",
    "graph": "sagelocal.cli.graph",
    "list": "sagelocal.cli.past",
    "show": "sagelocal.cli.past",
    "steps": "sagelocal.cli.past",
    "logs": "sagelocal.cli.logs",
    "callback": "sagelocal.cli.callback",
}
"""Each command and the module that holds the function, or the group of commands, of that name, with a trailing ``_`` where Python has the name."""

_PANELS = {
    "check": "Definitions",
    "graph": "Definitions",
    "run": "Executions",
    "exec": "Executions",
    "serve": "Executions",
    "stop": "Executions",
    "resume": "Executions",
    "retry": "Executions",
    "callback": "Executions",
}
_SETTINGS = {"exec": {"allow_interspersed_args": False}}
"""Of click, per command: what follows CMD is CMD's, also without ``--``."""


def call(arguments: Sequence[str]) -> int:
    """Run one command; the exit code.

    Only the module of the command asked for is imported: `graph` must not pay for the engine.
    """
    asked = next((word for word in arguments if not word.startswith("-")), "")
    try:
        application(_needed(asked, arguments))(list(arguments), prog_name="sagelocal")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _needed(asked: str, arguments: Sequence[str]) -> list[str]:
    """All commands when help is wanted or the command is unknown: their names are then what is told."""
    if asked in COMMANDS:
        return [asked]
    return [] if "--version" in arguments else list(COMMANDS)


def application(names: Sequence[str]) -> typer.Typer:
    """Build the application with these of its commands."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_sagelocal)
    for name in names:
        module = importlib.import_module(COMMANDS[name])
        function = getattr(module, name, None) or getattr(module, f"{name}_")
        panel = _PANELS.get(name, "Past executions")
        if isinstance(function, typer.Typer):
            app.add_typer(function, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel, context_settings=_SETTINGS.get(name))(function)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        # Reading package metadata costs start-up time, so it waits until somebody asks.
        typer.echo(f"sagelocal {importlib.import_module('importlib.metadata').version('sagelocal')}")
        raise typer.Exit


def _sagelocal(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Run Amazon SageMaker Pipelines on this machine: no AWS account, no network.

    SOURCE is a definition as JSON, `-` for standard input, or `file.py[:name]` with a pipeline of the SageMaker SDK.

    Exit codes: 0 succeeded, 1 the execution failed, 2 wrong definition or usage, 3 stopped,
    4 this machine lacks something, 5 a bug of sagelocal.
    """
