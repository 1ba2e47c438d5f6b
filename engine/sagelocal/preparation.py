"""What an execution starts with, worked out before anything runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from sagelocal.definition.pipeline import PipelineDefinition
from sagelocal.definition.steps import StepType
from sagelocal.errors import MachineError, UsageError
from sagelocal.experiment import experiment, mlflow
from sagelocal.names import Partition, new_execution_id
from sagelocal.parameters import bind
from sagelocal.plan import RUNS_IN_CORE, Plan
from sagelocal.preflight import images
from sagelocal.settings import Settings
from sagelocal.state import Rules, Selection
from sagelocal.store.journal import Start
from sagelocal.store.machines import read
from sagelocal.store.pipelines import Pipelines
from sagelocal.values import Json, Scalar


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants a pipeline to be started.

    Attributes:
        parameters: values in place of the definition's defaults.
        max_parallel: MaxParallelExecutionSteps, in place of the pipeline's.
        display_name, description: of the execution.
        version: number of the pipeline's version; `alias` names one instead. Without both it is the latest.
        mlflow_experiment: MlflowExperimentName.
        selection: the steps that shall run; None: all.
        origin: what whoever goes on with the execution would need to know.
    """

    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    max_parallel: int | None = None
    display_name: str | None = None
    description: str | None = None
    version: int | None = None
    alias: str | None = None
    mlflow_experiment: str | None = None
    selection: Selection | None = None
    origin: Mapping[str, str] = field(default_factory=dict)


def prepare(
    pipelines: Pipelines, settings: Settings, pipeline: str, wish: Wish, now: float
) -> tuple[Start, Plan]:
    """The start of an execution with the graph that it will run; nothing is recorded yet.

    Raises:
        NotFoundError: no such pipeline, or it has no such version.
        UsageError: a parameter or the parallelism is wrong, or there are both version and alias.
    """
    known = pipelines.get(pipeline)
    if wish.selection is not None:
        message = (
            "Selective execution is not served yet by sagelocal: start without SelectiveExecutionConfig."
        )
        raise UsageError(message)
    if wish.version is not None and wish.alias is not None:
        message = "PipelineVersionId and PipelineVersionAlias cannot be given together."
        raise UsageError(message)
    if wish.max_parallel is not None and wish.max_parallel < 1:
        message = f"MaxParallelExecutionSteps must be at least 1, got {wish.max_parallel}."
        raise UsageError(message)
    version = pipelines.version(pipeline, wish.version, wish.alias).number
    text = pipelines.definition(pipeline, version)
    checked = read(text)
    values = bind(
        checked.definition.parameters, {**_configured(settings, checked.definition), **wish.parameters}
    )
    arn = Partition(settings.region, settings.account).execution(pipeline, new_execution_id())
    rules = Rules(settings.start_after_failure, settings.lower_case_pipeline_name)
    start = Start(
        arn=arn,
        pipeline=pipeline,
        version=version,
        definition=text,
        created=now,
        display_name=wish.display_name or f"execution-{int(now * 1000)}",
        parameters=values,
        max_parallel=wish.max_parallel or known.max_parallel,
        experiment=experiment(checked.definition, arn, values, rules, now),
        rules=rules,
        origin=wish.origin,
        description=wish.description,
        mlflow=mlflow(checked.definition, arn, values, rules, now) | _named(wish.mlflow_experiment),
    )
    return start, checked.plan


def _named(mlflow_experiment: str | None) -> dict[str, Json]:
    return {} if mlflow_experiment is None else {"MlflowExperimentName": mlflow_experiment}


def _configured(settings: Settings, definition: PipelineDefinition) -> dict[str, Scalar]:
    """The configuration's defaults, of which a pipeline may declare only some."""
    declared = {parameter.name for parameter in definition.parameters}
    return {name: value for name, value in settings.parameters.items() if name in declared}


def refuse_unknown_kinds(graph: Plan, kinds: Collection[StepType]) -> None:
    """Refuse a graph with a step that none of the executors runs.

    Raises:
        UsageError: with all such steps.
    """
    missing: dict[StepType, list[str]] = {}
    for name, step in graph.steps.items():
        if step.type not in RUNS_IN_CORE and step.type not in kinds:
            missing.setdefault(step.type, []).append(name)
    if missing:
        told = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in missing.items())
        message = f"Nothing was started: these step types cannot run locally yet: {told}"
        raise UsageError(message)


async def refuse_missing_images(
    graph: Plan,
    parameters: Mapping[str, Scalar],
    own: Collection[StepType],
    missing: Callable[[str, str], Awaitable[str | None]],
) -> None:
    """Say before anything runs what would only be found out in the middle; `own` kinds of steps need no images.

    Raises:
        MachineError: with every step whose image cannot run here.
    """
    wanted = [(name, image) for name, image in images(graph, parameters) if graph.steps[name].type not in own]
    faults = [(name, await missing(image, name)) for name, image in wanted]
    told = [f"step {name}: {fault}" for name, fault in faults if fault]
    if told:
        raise MachineError("Nothing was started.\n" + "\n".join(told))
