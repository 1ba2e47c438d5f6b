"""A definition read from its source, checked and planned."""

from __future__ import annotations

from dataclasses import dataclass

from sagelocal.check.whole import check_text
from sagelocal.definition import PipelineDefinition
from sagelocal.plan import Plan
from sagelocal.source import Source, load


@dataclass(frozen=True, slots=True)
class Checked:
    """A definition that can be run, with the source it came from."""

    source: Source
    definition: PipelineDefinition
    plan: Plan


def checked(name: str) -> Checked:
    """Load and check what `name` (see `sagelocal.source.load`) says.

    Raises:
        UsageError: it cannot be read.
        DefinitionError: it cannot be run; every problem that can be seen is in it.
    """
    source = load(name)
    found = check_text(source.text)
    return Checked(source, found.definition, found.plan)
