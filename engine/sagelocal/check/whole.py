"""A definition checked as CreatePipeline would: its shape, its arguments, its graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sagelocal.check.arguments import check_arguments
from sagelocal.definition import parse
from sagelocal.definition.pipeline import PipelineDefinition
from sagelocal.errors import DefinitionError, Problem
from sagelocal.plan import Plan, plan

MAX_CHARACTERS: Final = 1_048_576
"""What CreatePipeline takes (botocore: PipelineDefinition)."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A definition that can be run, with its graph."""

    definition: PipelineDefinition
    plan: Plan


def check_text(text: str | bytes) -> Checked:
    """Parse, plan and compare with the API's shapes; nothing is run or kept.

    Raises:
        DefinitionError: with every problem that can be seen.
    """
    definition = parse(text)
    problems = [*_size(text), *check_arguments(definition)]
    try:
        graph = plan(definition)
    except DefinitionError as error:
        raise DefinitionError([*error.problems, *problems]) from None
    if problems:
        raise DefinitionError(problems)
    return Checked(definition, graph)


def _size(text: str | bytes) -> Iterator[Problem]:
    characters = len(text.decode("utf-8")) if isinstance(text, bytes) else len(text)
    if characters > MAX_CHARACTERS:
        message = f"The definition has {characters} characters, at most {MAX_CHARACTERS} are allowed."
        yield Problem("", message)
