"""The command ``graph``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from sagelocal.cli.checking import looked_at
from sagelocal.cli.configuration import settings_of
from sagelocal.cli.options import Config, Home, Source
from sagelocal.graph import FORMATS


class Format(StrEnum):
    """The languages of a graph, as `sagelocal.graph.FORMATS` has them."""

    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


def graph(
    source: Source,
    *,
    language: Annotated[
        Format, typer.Option("--format", help="What to write the graph in.")
    ] = Format.MERMAID,
    execution: Annotated[
        str | None,
        typer.Option(
            metavar="EXECUTION", help="Colour the steps by how they went there: an id, an ARN, or `latest`."
        ),
    ] = None,
    config: Config = None,
    home: Home = None,
) -> None:
    """Print the graph of a definition: what waits for what, and why.

    Edges say `data` (one step reads from the other), `depends-on`, or the side of the Condition step.

    For example:

    - `sagelocal graph pipeline.json`
    - `sagelocal graph pipeline.json --format dot | dot -Tsvg > graph.svg`
    - `sagelocal graph pipeline.json --execution latest`
    """
    found = looked_at(source, config)
    statuses: Mapping[str, str] | None = None
    if execution:
        # The engine is needed only here, and costs more time than the rest of this command.
        from sagelocal.engine import open_views  # noqa: PLC0415

        settings = settings_of(config, home, found.source.folder)
        statuses = {step.name: step.status for step in open_views(settings).execution(execution).steps}
    typer.echo(FORMATS[language](found.plan, statuses), nl=False)
