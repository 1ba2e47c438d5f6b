"""The command ``check``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sagelocal.cli.options import Config, Source
from sagelocal.cli.verdict import verdict


class Format(StrEnum):
    """How problems are printed."""

    TEXT = "text"
    JSON = "json"


def check(
    source: Source,
    *,
    output: Annotated[Format, typer.Option("--format", help="How to print what is wrong.")] = Format.TEXT,
    config: Config = None,
) -> None:
    """Check a definition without running it: names, references, types, limits.

    Exits with 2 when something is wrong, and prints everything that is wrong at once. Python is run to build its pipeline,
    against an endpoint and a state folder that are gone afterwards.

    JSON has `ok`, `steps`, `parameters` and `problems`, each problem with `step`, `path`, `message` and `hint`.

    For example:

    - `sagelocal check pipeline.json`
    - `sagelocal check pipeline.py:get_pipeline --format json`
    """
    raise typer.Exit(verdict(source, config, as_json=output is Format.JSON))
