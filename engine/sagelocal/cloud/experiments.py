"""Experiments in the catalog: their trials, and what happened in these (API: ExperimentConfig; semantics 01 §1.3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sagelocal.clock import Clock, iso
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.job_records import PROCESSING, TRAINING, TRANSFORM, UNDER_WAY, JobKind
from sagelocal.names import Partition, execution_id, pipeline_of
from sagelocal.values import Json, JsonObject

_SUFFIX: Final[Mapping[Kind, str]] = {
    kind.kind: f"-aws-{kind.kind}" for kind in (TRAINING, PROCESSING, TRANSFORM)
}
"""What the name of a job's trial component ends with; other jobs have none."""
_LONGEST: Final = 2500  # characters of a parameter


@dataclass(frozen=True, slots=True)
class Experiments:
    """Records experiments, trials and trial components; their names are not case-sensitive."""

    catalog: Catalog
    partition: Partition
    clock: Clock

    def record(self, kind: Kind, noun: str, name: str, more: JsonObject) -> JsonObject:
        """Record one of them, unless there is one of that name; the record."""
        known = self.catalog.get(kind, name.lower())
        if known is not None:
            return known.describe
        now = self.clock.now()
        record: JsonObject = {
            "DisplayName": name,
            **more,
            f"{noun}Name": name,
            f"{noun}Arn": self.partition.arn(f"{kind}/{name}"),
            "CreationTime": iso(now),
            "CreatedBy": {},
            "LastModifiedTime": iso(now),
            "LastModifiedBy": {},
        }
        self.catalog.put(Entity(kind, name.lower(), now, record))
        return record

    def begin(self, execution: str, config: Mapping[str, Json]) -> None:
        """Record the experiment and the trial that an execution belongs to, by its PipelineExperimentConfig, if it has one."""
        experiment, trial = config.get("ExperimentName"), config.get("TrialName")
        if not isinstance(experiment, str) or not isinstance(trial, str):
            return
        pipeline = execution.removesuffix(f"/execution/{execution_id(execution)}")
        source = {"SourceArn": pipeline, "SourceType": "SageMakerPipeline"}
        own = experiment.lower() == pipeline_of(pipeline).lower()
        self.record(Kind.EXPERIMENT, "Experiment", experiment, {"Source": source} if own else {})
        self.record(
            Kind.TRIAL,
            "Trial",
            trial,
            {
                "ExperimentName": experiment,
                "Source": {"SourceArn": execution, "SourceType": "SageMakerPipelineExecution"},
            },
        )

    def note(self, kind: JobKind, job: JsonObject, config: Mapping[str, Json]) -> None:
        """Record a job as a trial component, in the trial that its ExperimentConfig names; `config` is its execution's."""
        name = f"{job[kind.name]}{_SUFFIX[kind.kind]}"
        said = job.get("ExperimentConfig")
        config = {**config, **(said if isinstance(said, Mapping) else {})}
        now = iso(self.clock.now())
        component: dict[str, Json] = {
            **self.record(Kind.TRIAL_COMPONENT, "TrialComponent", name, {}),
            **described(kind, job),
            "LastModifiedTime": now,
        }
        display, run = config.get("TrialComponentDisplayName"), config.get("RunName")
        component |= {"DisplayName": display} if display else {}
        component |= {"RunName": run} if run else {}
        if parent := self._parent(config):
            component = associated(component, parent)
        known = self.catalog.get(Kind.TRIAL_COMPONENT, name.lower())
        assert known, "it has just been recorded"
        self.catalog.put(Entity(known.kind, known.name, known.created, component))

    def _parent(self, config: Mapping[str, Json]) -> JsonObject | None:
        """The trial that a job goes into: the one that is named, or a new one of the experiment; None: none is."""
        trial, experiment = config.get("TrialName"), config.get("ExperimentName")
        if isinstance(experiment, str):
            self.record(Kind.EXPERIMENT, "Experiment", experiment, {})
            trial = trial or f"Default-Run-Group-{experiment}"
        if not isinstance(trial, str):
            return None
        known = self.catalog.get(Kind.TRIAL, trial.lower())
        if known is None and not isinstance(experiment, str):
            return None
        return parent(self.record(Kind.TRIAL, "Trial", trial, {"ExperimentName": experiment}))


def parent(trial: JsonObject) -> JsonObject:
    """A trial as a trial component names it."""
    return {"TrialName": trial["TrialName"], "ExperimentName": trial["ExperimentName"]}


def associated(component: JsonObject, trial: JsonObject) -> dict[str, Json]:
    """The trial component with that parent among its own."""
    return {**component, "Parents": [*dissociated(component, str(trial["TrialName"])), trial]}


def dissociated(component: JsonObject, trial: str) -> list[JsonObject]:
    """The parents of a trial component but the trial of that name."""
    return [
        each for each in _objects(component.get("Parents")) if str(each["TrialName"]).lower() != trial.lower()
    ]


def described(kind: JobKind, job: JsonObject) -> dict[str, Json]:
    """What a trial component says of its job."""
    status = job[kind.status]
    noun = kind.noun
    start = job.get(kind.end.replace("End", "Start"))
    component: dict[str, Json] = {
        "Source": {"SourceArn": job[kind.arn], "SourceType": f"SageMaker{noun}"},
        "Status": {"PrimaryStatus": status, "Message": f"Status: {status}, exit message: null"},
        "Parameters": _parameters(job),
        "InputArtifacts": {name: {"Value": uri} for name, uri in _inputs(job) if uri},
        "OutputArtifacts": {name: {"Value": uri} for name, uri in _outputs(job) if uri},
    }
    component |= {} if start is None else {"StartTime": start}
    component |= {} if status in UNDER_WAY else {"EndTime": job.get(kind.end)}
    metrics: list[Json] = [_metric(each, job[kind.arn]) for each in _objects(job.get("FinalMetricDataList"))]
    return component | ({"Metrics": metrics} if metrics else {})


def _parameters(job: JsonObject) -> dict[str, Json]:
    resources = (
        job.get("ResourceConfig")
        or job.get("TransformResources")
        or _at(job, "ProcessingResources", "ClusterConfig")
    )
    image = _at(job, "AlgorithmSpecification", "TrainingImage") or _at(job, "AppSpecification", "ImageUri")
    hyper, environment = job.get("HyperParameters"), job.get("Environment")
    given = hyper if isinstance(hyper, Mapping) else environment if isinstance(environment, Mapping) else {}
    ours = {"SageMaker.ImageUri": image, "SageMaker.ModelName": job.get("ModelName")}
    for member in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        ours[f"SageMaker.{member}"] = resources.get(member) if isinstance(resources, Mapping) else None
    return {name: _parameter(value) for name, value in {**given, **ours}.items() if value is not None}


def _parameter(value: Json) -> JsonObject:
    """A number when it looks like one."""
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    return {"NumberValue": number} if math.isfinite(number) else {"StringValue": str(value)[:_LONGEST]}


def _inputs(job: JsonObject) -> Iterable[tuple[str, Json]]:
    for channel in _objects(job.get("InputDataConfig")):
        yield str(channel["ChannelName"]), _at(channel, "DataSource", "S3DataSource", "S3Uri")
    for each in _objects(job.get("ProcessingInputs")):
        yield str(each["InputName"]), _at(each, "S3Input", "S3Uri")
    if "TransformInput" in job:
        yield "SageMaker.TransformInput", _at(job, "TransformInput", "DataSource", "S3DataSource", "S3Uri")


def _outputs(job: JsonObject) -> Iterable[tuple[str, Json]]:
    if "ModelArtifacts" in job:
        yield "SageMaker.ModelArtifact", _at(job, "ModelArtifacts", "S3ModelArtifacts")
    for each in _objects(_at(job, "ProcessingOutputConfig", "Outputs")):
        yield str(each["OutputName"]), _at(each, "S3Output", "S3Uri")
    if "TransformOutput" in job:
        yield "SageMaker.TransformOutput", _at(job, "TransformOutput", "S3OutputPath")


def _metric(final: JsonObject, source: Json) -> JsonObject:
    """TrialComponentMetricSummary of a metric of which the last value is known."""
    value = final["Value"]
    return {
        "MetricName": final["MetricName"],
        "SourceArn": source,
        "TimeStamp": final["Timestamp"],
        "Max": value,
        "Min": value,
        "Last": value,
        "Count": 1,
        "Avg": value,
        "StdDev": 0.0,
    }


def _at(value: Json, *path: str) -> Json:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _objects(values: Json) -> list[JsonObject]:
    return [each for each in values if isinstance(each, Mapping)] if isinstance(values, list) else []
