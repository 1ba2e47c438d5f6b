"""What waits for what: the definition as an acyclic graph (semantics 05 §5.1)."""

from __future__ import annotations

import graphlib
import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from sagelocal.definition.conditions import Comparison, Condition, Membership, Not
from sagelocal.definition.pipeline import PipelineDefinition
from sagelocal.definition.steps import (
    ApiStep,
    ConditionStep,
    Dependency,
    FailStep,
    ForEachStep,
    Step,
    StepType,
    Trigger,
)
from sagelocal.errors import DefinitionError, Problem
from sagelocal.nearest import nearest
from sagelocal.references import Reference, references
from sagelocal.values import Json

DATA = "data"
DEPENDS_ON = "depends-on"


@dataclass(frozen=True, slots=True)
class Edge:
    """A step that another waits for.

    Attributes:
        step: the one that is waited for.
        trigger: how it must end.
        reasons: `DATA`, `DEPENDS_ON` or both.
    """

    step: str
    trigger: Trigger
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """The side of a Condition step on which a step lies; True: IfSteps."""

    condition: str
    side: bool


@dataclass(frozen=True, slots=True)
class Link:
    """The other end of an edge or branch: `step` waits until this one ends by `trigger`, or decides for `side`."""

    step: str
    trigger: Trigger | None = None
    side: bool | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The graph of a definition.

    Attributes:
        steps: every step that runs by itself, branch steps included, in a runnable order.
        edges: per step, what it waits for.
        branch: per step inside a branch, which one.
        links: per step, who waits for it; `edges` and `branch` turned round.
    """

    steps: Mapping[str, Step]
    edges: Mapping[str, tuple[Edge, ...]]
    branch: Mapping[str, Branch]
    links: Mapping[str, tuple[Link, ...]]


def plan(definition: PipelineDefinition) -> Plan:
    """Turn a definition into its graph.

    Raises:
        DefinitionError: names used twice, unknown steps or parameters, something waits for a Fail step, a cycle.
    """
    survey = _Survey(definition)
    problems = [*survey.duplicates(), *survey.wiring()]
    if problems:
        raise DefinitionError(problems)
    order = _runnable_order(survey)
    edges = {name: survey.edges[name] for name in order}
    return Plan(
        steps={name: survey.steps[name] for name in order},
        edges=edges,
        branch=survey.branch,
        links=_links(edges, survey.branch),
    )


class _Survey:
    """All steps of a definition by name, with what each one reads."""

    def __init__(self, definition: PipelineDefinition) -> None:
        self.parameters = [parameter.name for parameter in definition.parameters]
        self.found: list[tuple[Step, Branch | None, str | None]] = list(_flatten(definition.steps))
        self.steps: dict[str, Step] = {}
        self.branch: dict[str, Branch] = {}
        self.loop_of: dict[str, str] = {}
        for step, branch, loop in self.found:
            if loop is not None:
                self.loop_of.setdefault(step.name, loop)
                continue
            self.steps.setdefault(step.name, step)
            if branch is not None:
                self.branch.setdefault(step.name, branch)
        self.reads = {name: tuple(_reads(step)) for name, step in self.steps.items()}
        self.edges = {name: _edges(step, self.reads[name], self.loop_of) for name, step in self.steps.items()}

    def duplicates(self) -> Iterator[Problem]:
        first: dict[str, Step] = {}
        for step, _, _ in self.found:
            if step.name not in first:
                first[step.name] = step
                continue
            message = f"Pipeline steps cannot have duplicate names: {step.name!r} is already the name of {first[step.name].path}"
            yield Problem(
                f"{step.path}.Name", message, step.name, "a step may stand once, in the list or in one branch"
            )
        for name, step in first.items():
            body = re.fullmatch(r"(.+)-\d+", name)
            if body and body.group(1) in self.loop_of and name not in self.loop_of:
                message = f"collides with the iterations of ForEach body step {body.group(1)!r}, named {body.group(1)}-<index>"
                yield Problem(f"{step.path}.Name", message, name)

    def wiring(self) -> Iterator[Problem]:
        for name, step in self.steps.items():
            yield from self._dependencies(step)
            for path, reference in self.reads[name]:
                yield from self._reference(step, path, reference)

    def _dependencies(self, step: Step) -> Iterator[Problem]:
        for index, dependency in enumerate(step.depends_on):
            where = f"{step.path}.DependsOn[{index}]"
            if dependency.step not in self.steps:
                yield Problem(
                    where,
                    f"Step {dependency.step} is undefined.",
                    step.name,
                    _near(dependency.step, self.steps),
                )
            elif isinstance(self.steps[dependency.step], FailStep):
                # SageMaker's own words (semantics 09 §9.2).
                message = f"{step.name} can not depends on {dependency.step}"
                yield Problem(where, message, step.name, "a Fail step ends the execution")

    def _reference(self, step: Step, path: str, reference: Reference) -> Iterator[Problem]:
        where = f"{step.path}.{path}"
        match reference.namespace:
            case "Parameters" if reference.name not in self.parameters:
                message = f"{{'Get': '{reference.text}'}}: parameter {reference.name!r} is not defined"
                yield Problem(where, message, step.name, _near(reference.name, self.parameters))
            case "Steps":
                yield from self._step_reference(step, where, reference)
            case _:
                return

    def _step_reference(self, step: Step, where: str, reference: Reference) -> Iterator[Problem]:
        expression = f"{{'Get': '{reference.text}'}}"
        name = reference.name
        if name in self.loop_of:
            if self.loop_of[name] != step.name:
                hint = f"use Steps.{self.loop_of[name]}.IterationOutputs[i].{name} or .Selected"
                yield Problem(
                    where,
                    f"{expression}: {name!r} runs once per item of ForEach {self.loop_of[name]!r}",
                    step.name,
                    hint,
                )
        elif name not in self.steps:
            yield Problem(
                where, f"{expression}: Step {name} is undefined.", step.name, _near(name, self.steps)
            )
        elif isinstance(self.steps[name], FailStep):
            yield Problem(where, f"{expression}: a Fail step has no properties", step.name)
        elif other := self._other_side(step.name, name):
            message = f"{expression}: never available, {name!r} runs only in the other branch of {other!r}"
            yield Problem(where, message, step.name)
        elif reference.path[:1] == ("PropertyFiles",):
            yield from self._property_file(step, where, reference)

    def _property_file(self, step: Step, where: str, reference: Reference) -> Iterator[Problem]:
        owner = self.steps[reference.name]
        declared = [file.name for file in owner.property_files] if isinstance(owner, ApiStep) else []
        wanted = str(reference.path[1]) if len(reference.path) > 1 else ""
        if wanted not in declared:
            message = f"Invalid JsonGet function: Property file reference {wanted!r} is undefined in step {owner.name!r}."
            hint = _near(wanted, declared) or (
                f"declared there: {', '.join(declared)}"
                if declared
                else f"{owner.name!r} declares no PropertyFiles"
            )
            yield Problem(where, message, step.name, hint)

    def _other_side(self, reader: str, read: str) -> str | None:
        """The Condition step that keeps the two apart: one lies in its IfSteps, the other in its ElseSteps."""
        sides = {branch.condition: branch.side for branch in self._branches(reader)}
        for branch in self._branches(read):
            if sides.get(branch.condition, branch.side) != branch.side:
                return branch.condition
        return None

    def _branches(self, name: str) -> Iterator[Branch]:
        seen: set[str] = set()
        while name in self.branch and name not in seen:
            seen.add(name)
            yield self.branch[name]
            name = self.branch[name].condition


def _flatten(steps: Iterable[Step]) -> Iterator[tuple[Step, Branch | None, str | None]]:
    """Every step with the branch and the ForEach step that it lies in, in the order of the file."""
    stack: list[tuple[Step, Branch | None, str | None]] = [
        (step, None, None) for step in reversed(tuple(steps))
    ]
    while stack:
        step, branch, loop = stack.pop()
        yield step, branch, loop
        inner: list[tuple[Step, Branch | None, str | None]] = []
        if isinstance(step, ConditionStep):
            inner += [(child, Branch(step.name, side=True), loop) for child in step.if_steps]
            inner += [(child, Branch(step.name, side=False), loop) for child in step.else_steps]
        elif isinstance(step, ForEachStep):
            inner += [(child, None, step.name) for child in step.body]
        stack.extend(reversed(inner))


def _reads(step: Step) -> Iterator[tuple[str, Reference]]:
    """Every reference that decides when a step may start, with its path inside the step."""
    match step:
        case ConditionStep():
            for index, condition in enumerate(step.conditions):
                for operand in _operands(condition):
                    yield from _below(f"Arguments.Conditions[{index}]", operand)
        case FailStep():
            yield from _below("Arguments.ErrorMessage", step.error_message)
        case ForEachStep():
            yield from _below("Arguments.IterableItems", step.iterable_items)
            for child in step.body:
                yield from _reads(child)
        case _:
            yield from _below("Arguments", step.arguments)
            yield from references(step.extras)


def _below(prefix: str, value: Json) -> Iterator[tuple[str, Reference]]:
    for path, reference in references(value):
        yield (f"{prefix}{path}" if path.startswith("[") or not path else f"{prefix}.{path}"), reference


def _operands(condition: Condition) -> Iterator[Json]:
    stack: list[Condition] = [condition]
    while stack:
        match stack.pop():
            case Comparison(left=left, right=right):
                yield left
                yield right
            case Membership(query=query, values=values):
                yield query
                yield from values
            case Not(condition=inner):
                stack.append(inner)
            case other:
                stack.extend(other.conditions)


def _edges(
    step: Step, reads: Iterable[tuple[str, Reference]], loop_of: Mapping[str, str]
) -> tuple[Edge, ...]:
    """One edge per step that is waited for; an explicit trigger counts more than the plain wait of a data reference."""
    declared: dict[str, Dependency] = {dependency.step: dependency for dependency in step.depends_on}
    read = dict.fromkeys(
        reference.name
        for _, reference in reads
        if reference.namespace == "Steps" and reference.name not in loop_of
    )
    edges = [
        Edge(name, dependency.trigger, (DEPENDS_ON, DATA) if name in read else (DEPENDS_ON,))
        for name, dependency in declared.items()
    ]
    edges += [Edge(name, Trigger.COMPLETED, (DATA,)) for name in read if name not in declared]
    return tuple(edges)


def _links(
    edges: Mapping[str, tuple[Edge, ...]], branch: Mapping[str, Branch]
) -> dict[str, tuple[Link, ...]]:
    links: dict[str, list[Link]] = defaultdict(list)
    for name, waits in edges.items():
        for edge in waits:
            links[edge.step].append(Link(name, trigger=edge.trigger))
        if name in branch:
            links[branch[name].condition].append(Link(name, side=branch[name].side))
    return {name: tuple(links[name]) for name in edges}


def _runnable_order(survey: _Survey) -> list[str]:
    """Every step after those it waits for; among equals, the order of the file."""
    position = {name: index for index, name in enumerate(survey.steps)}
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for name, edges in survey.edges.items():
        sorter.add(name, *(edge.step for edge in edges))
        if name in survey.branch:
            sorter.add(name, survey.branch[name].condition)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise DefinitionError([_cycle(survey, error.args[1])]) from None
    order: list[str] = []
    ready = [(position[name], name) for name in sorter.get_ready()]
    heapq.heapify(ready)
    while ready:
        _, name = heapq.heappop(ready)
        order.append(name)
        sorter.done(name)
        for new in sorter.get_ready():
            heapq.heappush(ready, (position[new], new))
    return order


def _cycle(survey: _Survey, nodes: list[str]) -> Problem:
    """The cycle told step by step: each step waits for the next."""
    forward = list(reversed(nodes))
    told = [f"{a} waits for {b} ({_why(survey, a, b)})" for a, b in pairwise(forward)]
    message = f"Cycle detected in pipeline step graph: {' -> '.join(forward)}"
    return Problem(survey.steps[forward[0]].path, message, forward[0], "; ".join(told))


def _why(survey: _Survey, reader: str, read: str) -> str:
    for edge in survey.edges[reader]:
        if edge.step == read:
            if DEPENDS_ON in edge.reasons:
                return "DependsOn"
            return next(
                f"reads {ref.text}"
                for _, ref in survey.reads[reader]
                if ref.namespace == "Steps" and ref.name == read
            )
    return "lies in its branch"


def _near(name: str, known: Iterable[str]) -> str:
    meant = nearest(name, known)
    return f"did you mean {meant!r}?" if meant else ""


RUNS_IN_CORE = frozenset({StepType.CONDITION, StepType.FAIL})
"""Kinds of step that the engine decides itself, without an executor."""
