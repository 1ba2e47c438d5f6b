"""The arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sagelocal.settings import Runtime

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", show_default=False, help="A JSON file, `-` for standard input, or `file.py[:name]`."
    ),
]
Execution = Annotated[
    str, typer.Argument(metavar="EXECUTION", help="An id, the beginning of one, an ARN, or `latest`.")
]
Home = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="The state folder, instead of `.sagelocal` or SAGELOCAL_HOME."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The configuration, instead of `sagelocal.toml` in this folder."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RuntimeOption = Annotated[
    Runtime | None,
    typer.Option(
        "--runtime",
        help="What plays the containers: Docker, a sandboxed process, nothing, or what fits each job.",
    ),
]
StubsOption = Annotated[
    Path | None,
    typer.Option("--stubs", metavar="FILE", help="What stubbed steps report, as YAML or JSON."),
]
Port = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=65535, help="Where S3, SQS, Lambda and SageMaker answer; 0: any."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Do not tell how executions go.")]
