"""The kinds of step, as one union."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sagelocal.definition.conditions import Condition
from sagelocal.definition.parameters import ParameterType
from sagelocal.values import Json, JsonObject


class StepType(StrEnum):
    """What stands in a step's ``Type`` (semantics 02 §2.1)."""

    PROCESSING = "Processing"
    TRAINING = "Training"
    TUNING = "Tuning"
    MODEL = "Model"
    REGISTER_MODEL = "RegisterModel"
    TRANSFORM = "Transform"
    CONDITION = "Condition"
    CALLBACK = "Callback"
    LAMBDA = "Lambda"
    QUALITY_CHECK = "QualityCheck"
    CLARIFY_CHECK = "ClarifyCheck"
    EMR = "EMR"
    EMR_SERVERLESS = "EMRServerless"
    FAIL = "Fail"
    AUTO_ML = "AutoML"
    ENDPOINT_CONFIG = "EndpointConfig"
    ENDPOINT = "Endpoint"
    INFERENCE_COMPONENT = "InferenceComponent"
    LINEAGE = "Lineage"
    FOR_EACH = "ForEach"
    CLEANUP = "Cleanup"
    JOB = "Job"


class Trigger(StrEnum):
    """How a step that is waited for must end for the waiting one to start."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    ANY = "Any"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One element of ``DependsOn``."""

    step: str
    trigger: Trigger = Trigger.COMPLETED


@dataclass(frozen=True, slots=True)
class PropertyFile:
    """A file that a Processing step leaves in one of its outputs for ``Std:JsonGet`` to read.

    Attributes:
        name: as in ``{"Get": "Steps.<step>.PropertyFiles.<name>"}``.
        output_name: the ``OutputName`` of the processing output that holds it.
        file_path: where it lies below that output.
    """

    name: str
    output_name: str
    file_path: str


@dataclass(frozen=True, slots=True)
class OutputParameter:
    """A value that a Callback or Lambda step promises to return."""

    name: str
    type: ParameterType


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """Whether a step may reuse an earlier result, and for how long (`durations.duration_seconds` reads `expire_after`)."""

    enabled: bool
    expire_after: str | None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again (semantics 06 §6.4); exactly one of `max_attempts` and `expire_after_min` is given.

    Attributes:
        exception_type: the classes of failure it is for.
        interval_seconds: the wait before the first retry.
        backoff_rate: what each further wait is multiplied by.
        max_attempts: how many retries at most; 0 for none.
        expire_after_min: minutes after the step's first start when retrying ends; 0 for none.
    """

    exception_type: tuple[str, ...]
    interval_seconds: int | float
    backoff_rate: float
    max_attempts: int | None
    expire_after_min: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What every step has.

    Attributes:
        name: unique in the pipeline (the plan sees to that).
        path: the step's JSON path in the definition: ``Steps[3].Arguments.IfSteps[0]``.
        depends_on: what its ``DependsOn`` names, each step once.
        display_name: for people.
        description: for people.
    """

    name: str
    path: str
    depends_on: tuple[Dependency, ...] = ()
    display_name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiStep(_Common):
    """A step that an executor runs: every type but Condition, Fail and ForEach.

    Attributes:
        type: which one.
        arguments: the request of the step's Create operation, with expressions anywhere a value may be.
        cache_config: None when the step says nothing about caching.
        retry_policies: in the order of the definition.
        extras: the step's own keys beside ``Arguments``, as they are (nulls too, expressions unresolved):
            ``SqsQueueUrl``; ``FunctionArn``; ``CheckType``, ``SkipCheck`` and the other Check keys.
        property_files: of a Processing step.
        output_parameters: of a Callback or Lambda step.
    """

    type: StepType
    arguments: JsonObject
    cache_config: CacheConfig | None = None
    retry_policies: tuple[RetryPolicy, ...] = ()
    extras: JsonObject = field(default_factory=dict)
    property_files: tuple[PropertyFile, ...] = ()
    output_parameters: tuple[OutputParameter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionStep(_Common):
    """Runs `if_steps` when all of `conditions` hold (none: they do), else `else_steps`."""

    type: StepType = StepType.CONDITION
    conditions: tuple[Condition, ...]
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailStep(_Common):
    """Ends the execution as Failed, with `error_message`: a string or an expression."""

    type: StepType = StepType.FAIL
    error_message: Json = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """Which iteration of a ForEach is the selected one.

    Attributes:
        pick: ``MaxBy`` or ``MinBy``.
        field: ``{"Get": "IterationOutput.<body step>.<member>"}``.
    """

    pick: str
    field: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEachStep(_Common):
    """Runs `body` once per item (semantics 02 §2.16).

    Attributes:
        iterable_items: an expression that gives a JSON list as a string, or a list of 1 to 100 scalars and expressions.
        max_concurrency: how many child steps run at once, 1 to 50.
        selector: None when no iteration is selected.
        body: the steps of one iteration; API steps only.
    """

    type: StepType = StepType.FOR_EACH
    iterable_items: Json
    max_concurrency: int
    selector: Selector | None = None
    body: tuple[Step, ...]


Step = ApiStep | ConditionStep | FailStep | ForEachStep


def children(step: Step) -> tuple[Step, ...]:
    """Return the steps written inside `step`: both branches of a Condition, the body of a ForEach."""
    match step:
        case ConditionStep():
            return step.if_steps + step.else_steps
        case ForEachStep():
            return step.body
        case _:
            return ()


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """Every step at every level of nesting, in the order of the definition; a step comes before its children."""
    waiting = list(reversed(steps))
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(reversed(children(step)))
