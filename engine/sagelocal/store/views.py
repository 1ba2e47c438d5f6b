"""What SageMaker would say about an execution, folded from the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from sagelocal.definition.steps import StepType
from sagelocal.errors import NotFoundError
from sagelocal.execution import Execution
from sagelocal.expressions import render
from sagelocal.lifecycle import UNDER_WAY, StepStatus
from sagelocal.names import Partition, callback_token, execution_id
from sagelocal.nearest import did_you_mean
from sagelocal.resumption import replay
from sagelocal.state import StepState
from sagelocal.store.journal import Journal, Start
from sagelocal.store.machines import Machines, fresh
from sagelocal.values import JsonObject, Scalar

_METADATA: Mapping[StepType, tuple[str, str]] = {
    StepType.PROCESSING: ("ProcessingJob", "ProcessingJobArn"),
    StepType.TRAINING: ("TrainingJob", "TrainingJobArn"),
    StepType.TUNING: ("TuningJob", "HyperParameterTuningJobArn"),
    StepType.MODEL: ("Model", "ModelArn"),
    StepType.REGISTER_MODEL: ("RegisterModel", "ModelPackageArn"),
    StepType.TRANSFORM: ("TransformJob", "TransformJobArn"),
    StepType.AUTO_ML: ("AutoMLJob", "AutoMLJobArn"),
    StepType.ENDPOINT_CONFIG: ("EndpointConfig", "EndpointConfigArn"),
    StepType.ENDPOINT: ("Endpoint", "EndpointArn"),
    StepType.INFERENCE_COMPONENT: ("InferenceComponent", "InferenceComponentArn"),
    StepType.JOB: ("Job", "JobArn"),
}
"""Per kind of step: the member of Metadata, and where its Arn stands in the Describe answer (semantics 02 §2.1)."""


_OUTPUT_STEPS: Mapping[StepType, Mapping[str, str]] = {
    StepType.LAMBDA: {"Arn": "FunctionArn"},
    StepType.CALLBACK: {"CallbackToken": "CallbackToken", "SqsQueueUrl": "SqsQueueUrl"},
}
"""Per kind of step that returns declared outputs: the members of Metadata, and where each stands in the step or its answer."""
_CLARIFY_MEMBERS = (
    "CheckType",
    "BaselineUsedForDriftCheckConstraints",
    "CalculatedBaselineConstraints",
    "ModelPackageGroupName",
    "ViolationReport",
    "CheckJobArn",
    "SkipCheck",
    "RegisterNewBaseline",
)
_QUALITY_MEMBERS = (*_CLARIFY_MEMBERS, "BaselineUsedForDriftCheckStatistics", "CalculatedBaselineStatistics")
_ANSWER_STEPS: Mapping[StepType, Mapping[str, str]] = {
    StepType.EMR: {
        "ClusterId": "ClusterId",
        "StepId": "Id",
        "StepName": "Name",
        "LogFilePath": "LogFilePath",
    },
    StepType.EMR_SERVERLESS: {
        member: member for member in ("ApplicationId", "JobRunId", "JobRunName", "LogFilePath")
    },
    StepType.QUALITY_CHECK: {member: member for member in _QUALITY_MEMBERS},
    StepType.CLARIFY_CHECK: {member: member for member in _CLARIFY_MEMBERS},
}
"""Per kind of step whose Metadata is not an Arn alone: its members, and where each stands in the step's answer."""
_LONGEST_VALUE = 1024
"""Characters of an output's value in Metadata (boto: OutputParameter)."""


@dataclass(frozen=True, slots=True)
class StepView:
    """One step as ListPipelineExecutionSteps lists it, with what was given to it and what it gave.

    Attributes:
        type: its StepType.
        status: Starting, Executing, Stopping, Stopped, Failed or Succeeded.
        started: seconds since the epoch; `ended` likewise, None while it runs.
        attempt: 1 for the first.
        metadata: one member, as the API has it; empty when nothing was created.
        arguments: resolved.
        properties: the Describe answer.
        where: what runs it, in words; empty when nothing does.
        outcome_of_condition: what a Condition step decided.
        execution: the ARN of the execution that the step belongs to.
    """

    name: str
    type: str
    status: str
    started: float | None
    ended: float | None
    attempt: int
    failure_reason: str | None
    metadata: JsonObject
    arguments: JsonObject
    properties: JsonObject
    where: str
    display_name: str | None
    description: str | None
    outcome_of_condition: bool | None
    execution: str = ""


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """One execution as DescribePipelineExecution has it, with its steps.

    Attributes:
        arn, id, pipeline, display_name: what it is called.
        status: Executing, Stopping, Stopped, Failed, Succeeded or CompletedWithFailures.
        started: seconds since the epoch; `ended` likewise, None while it runs.
        parameters: every parameter's value.
        steps: those that have started, in the order of their start.
        planned: the names of all steps, in a runnable order.
        definition: the text that it runs.
        origin: what whoever started it has kept for going on with it.
        interrupted: it has not ended, yet no engine drives it: its engine was killed.
    """

    arn: str
    id: str
    pipeline: str
    display_name: str
    status: str
    failure_reason: str | None
    started: float
    ended: float | None
    parameters: Mapping[str, Scalar]
    max_parallel: int | None
    steps: tuple[StepView, ...]
    planned: tuple[str, ...]
    definition: str
    origin: Mapping[str, str]
    interrupted: bool = False


Where = Callable[[str, str], str]


class Views:
    """Reads executions from a journal.

    Args:
        where: says, for an execution's ARN and a step, what runs the step.
        driven: whether some engine drives the execution of that ARN.

    Attributes:
        machines: the executions themselves, for whoever wants only a part of a view.
    """

    def __init__(
        self,
        journal: Journal,
        partition: Partition,
        where: Where,
        driven: Callable[[str], bool] = lambda _execution: True,
    ) -> None:
        self.machines = Machines(journal, partition)
        self._journal = journal
        self._partition = partition
        self._where = where
        self._driven = driven

    def executions(self, pipeline: str | None = None) -> list[ExecutionView]:
        """All executions, newest first; of one pipeline when named."""
        return [self._fold(start) for start in self._journal.starts(pipeline)]

    def execution(self, name: str) -> ExecutionView:
        """One execution by ARN, id, unique beginning of an id, or ``latest``.

        Raises:
            NotFoundError: there is none, or there are several.
        """
        found = self._journal.starts() if name == "latest" else self._journal.find(name)
        exact = [start for start in found if name in {start.arn, execution_id(start.arn)}]
        if name == "latest" and found:
            return self._fold(found[0])
        if len(exact or found) != 1:
            raise NotFoundError(self._not_found(name, found))
        return self._fold((exact or found)[0])

    def interrupted(self) -> list[str]:
        """The ARNs of all executions that have not ended and that no engine drives any more, oldest first."""
        return [
            outline.arn
            for outline in self._journal.outlines()
            if outline.ended is None
            and not self._driven(outline.arn)
            and self.machines.status(outline) in UNDER_WAY
        ]

    def _not_found(self, name: str, found: list[Start]) -> str:
        ids = [execution_id(start.arn) for start in found]
        if ids:
            return f"{name!r} is the beginning of several executions: {', '.join(ids)}"
        known = [execution_id(start.arn) for start in self._journal.starts()]
        if not known:
            return "There is no execution in this state folder: start one with `sagelocal run`, or name the folder with --home"
        return f"No execution {name!r} in this state folder; {did_you_mean(name, known) or 'see `sagelocal list`'}"

    def _fold(self, start: Start) -> ExecutionView:
        execution = replay(fresh(start, self._partition), self._journal.events(start.arn))
        interrupted = not execution.done and not self._driven(start.arn)
        return replace(view(start, execution, self._where), interrupted=interrupted)


def view(start: Start, execution: Execution, where: Where) -> ExecutionView:
    """The whole execution, as doors read it."""
    return ExecutionView(
        arn=start.arn,
        id=execution.identity.id,
        pipeline=start.pipeline,
        display_name=start.display_name,
        status=execution.status,
        failure_reason=execution.failure_reason,
        started=execution.started or start.created,
        ended=execution.ended,
        parameters=start.parameters,
        max_parallel=execution.max_parallel or start.max_parallel,
        steps=tuple(step_views(execution, where)),
        planned=tuple(execution.plan.steps),
        definition=start.definition,
        origin=start.origin,
    )


def step_views(execution: Execution, where: Where) -> Iterator[StepView]:
    """The started steps, in the order of their start."""
    for name, _ in execution.listed():
        yield step_view(execution, name, where)


def step_view(execution: Execution, name: str, where: Where) -> StepView:
    """One step, whatever its state."""
    step, state = execution.plan.steps[name], execution.steps[name]
    return StepView(
        name=name,
        type=step.type,
        status="Executing" if state.status is StepStatus.RETRYING else state.status,
        started=state.started,
        ended=state.ended,
        attempt=state.job.attempt if state.job else 1,
        failure_reason=state.reason,
        metadata=metadata(step.type, state),
        arguments=state.job.arguments if state.job else {},
        properties=properties(state),
        where=where(execution.identity.arn, name) if state.job else "",
        display_name=step.display_name,
        description=step.description,
        outcome_of_condition=state.decision,
        execution=execution.identity.arn,
    )


def properties(state: StepState) -> JsonObject:
    """What references to the step read."""
    if state.decision is not None:
        return {"Outcome": state.decision}
    return state.outcome.properties if state.outcome else {}


def metadata(kind: StepType, state: StepState) -> JsonObject:
    """The step's Metadata; empty as long as nothing was created."""
    if state.decision is not None:
        return {"Condition": {"Outcome": str(state.decision)}}
    if state.message is not None:
        return {"Fail": {"ErrorMessage": state.message}}
    if kind in _OUTPUT_STEPS:
        return _output_metadata(kind, state)
    if kind in _ANSWER_STEPS:
        answer = state.outcome.properties if state.outcome else {}
        members = {name: answer[key] for name, key in _ANSWER_STEPS[kind].items() if key in answer}
        return {kind.value: members} if members else {}
    member, arn = _METADATA.get(kind, ("", ""))
    if state.outcome is None or arn not in state.outcome.properties:
        return {}
    return {member: {"Arn": state.outcome.properties[arn]}}


def _output_metadata(kind: StepType, state: StepState) -> JsonObject:
    """The Metadata of a step that returns declared outputs; their values are texts there (boto: OutputParameter)."""
    if state.job is None:
        return {}
    answer = state.outcome.properties if state.outcome else {}
    token = callback_token(state.job.execution, state.job.step, state.job.attempt)
    known = {**state.job.extras, **answer, "CallbackToken": token}
    members = {name: known[key] for name, key in _OUTPUT_STEPS[kind].items() if known.get(key) is not None}
    outputs = answer.get("OutputParameters")
    if isinstance(outputs, Mapping):
        members["OutputParameters"] = [
            {"Name": name, "Value": render(value)[:_LONGEST_VALUE]} for name, value in outputs.items()
        ]
    return {kind.value: members}
