"""A definition read from its source, checked and planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sagelocal.check.whole import check_text
from sagelocal.definition import PipelineDefinition
from sagelocal.plan import Plan
from sagelocal.source import Code, Source, find

if TYPE_CHECKING:
    from sagelocal.settings import Settings


@dataclass(frozen=True, slots=True)
class Checked:
    """A definition that can be run, with the source it came from."""

    source: Source
    definition: PipelineDefinition
    plan: Plan


def checked(found: Source | Code, build: Callable[[Code], Source]) -> Checked:
    """Check what was found (`sagelocal.source.find`), once `build` has made a definition of it.

    Raises:
        UsageError: it cannot be built.
        DefinitionError: it cannot be run; every problem that can be seen is in it.
    """
    source = build(found) if isinstance(found, Code) else found
    whole = check_text(source.text)
    return Checked(source, whole.definition, whole.plan)


def looked_at(name: str, config: Path | None = None) -> Checked:
    """Check what `name` says, leaving nothing behind; `config` counts for Python, which a pipeline is built with.

    Raises:
        UsageError: it cannot be read or built.
        DefinitionError: it cannot be run; every problem that can be seen is in it.
    """
    return checked(find(name), lambda code: _built_for_a_look(code, config))


def _built_for_a_look(code: Code, config: Path | None) -> Source:
    # Imported here, as they know pydantic and the engine: who checks JSON must not pay for them.
    from sagelocal.cli.configuration import settings_of  # noqa: PLC0415
    from sagelocal.sdk.building import thrown_away  # noqa: PLC0415

    with thrown_away(settings_of(config, None, code.folder)) as settings:
        return built(code, settings)


def built(code: Code, settings: Settings, port: int | None = None) -> Source:
    """Build a pipeline into the state folder of these settings (`sagelocal.sdk.building.build`)."""
    from sagelocal.sdk.building import build_now  # noqa: PLC0415 - as above

    return build_now(code, settings, port)
