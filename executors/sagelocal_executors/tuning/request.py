"""CreateHyperParameterTuningJob, as far as this machine acts on it (semantics 02 §2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from sagelocal.expressions import render
from sagelocal.values import Json, JsonObject
from sagelocal_executors.describe import echo
from sagelocal_executors.request_model import RequestModel, Text, Uri, parse_request
from sagelocal_executors.requests import MetricDefinition

OPERATION = "CreateHyperParameterTuningJob"
_TEXTS = frozenset({"MinValue", "MaxValue", "ValueHint"})
_TEXT_MAPS = frozenset({"StaticHyperParameters", "Environment"})

Scaling = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]
Switch = Literal["Enabled", "Disabled"]


class NumericRange(RequestModel):
    name: str
    min_value: Text
    max_value: Text
    scaling_type: Scaling = "Auto"


class CategoricalRange(RequestModel):
    name: str
    values: tuple[Text, ...]


class AutoParameter(RequestModel):
    name: str
    value_hint: Text


class ParameterRanges(RequestModel):
    continuous_parameter_ranges: tuple[NumericRange, ...] = ()
    integer_parameter_ranges: tuple[NumericRange, ...] = ()
    categorical_parameter_ranges: tuple[CategoricalRange, ...] = ()
    auto_parameters: tuple[AutoParameter, ...] = ()

    @property
    def names(self) -> list[str]:
        """What is tuned, without the auto parameters."""
        return [
            *(each.name for each in self.continuous_parameter_ranges),
            *(each.name for each in self.integer_parameter_ranges),
            *(each.name for each in self.categorical_parameter_ranges),
        ]


class Objective(RequestModel):
    type: Literal["Maximize", "Minimize"]
    metric_name: str


class HyperbandStrategyConfig(RequestModel):
    min_resource: int = Field(default=1, ge=1)
    max_resource: int | None = Field(default=None, ge=1)


class StrategyConfig(RequestModel):
    hyperband_strategy_config: HyperbandStrategyConfig | None = None


class ResourceLimits(RequestModel):
    max_number_of_training_jobs: int | None = Field(default=None, ge=1)
    max_parallel_training_jobs: int = Field(ge=1)
    max_runtime_in_seconds: int | None = Field(default=None, ge=120, le=15_768_000)


class BestObjectiveNotImproving(RequestModel):
    max_number_of_training_jobs_not_improving: int | None = Field(default=None, ge=3)


class ConvergenceDetected(RequestModel):
    complete_on_convergence: Switch | None = None


class CompletionCriteria(RequestModel):
    target_objective_metric_value: float | None = None
    best_objective_not_improving: BestObjectiveNotImproving = BestObjectiveNotImproving()
    convergence_detected: ConvergenceDetected = ConvergenceDetected()


class TuningJobConfig(RequestModel):
    strategy: Literal["Bayesian", "Random", "Hyperband", "Grid"]
    strategy_config: StrategyConfig | None = None
    hyper_parameter_tuning_job_objective: Objective | None = None
    resource_limits: ResourceLimits
    parameter_ranges: ParameterRanges = ParameterRanges()
    training_job_early_stopping_type: Literal["Off", "Auto"] | None = None
    tuning_job_completion_criteria: CompletionCriteria = CompletionCriteria()
    random_seed: int | None = Field(default=None, ge=0)


class AlgorithmSpecification(RequestModel):
    training_image: str | None = None
    algorithm_name: str | None = None
    training_input_mode: str = "File"
    metric_definitions: tuple[MetricDefinition, ...] = ()


class OutputDataConfig(RequestModel):
    s3_output_path: Uri


class InstanceConfig(RequestModel):
    instance_type: str
    instance_count: int
    volume_size_in_gb: int | None = Field(default=None, alias="VolumeSizeInGB")


class TuningResourceConfig(RequestModel):
    instance_type: str | None = None
    instance_count: int | None = None
    volume_size_in_gb: int | None = Field(default=None, alias="VolumeSizeInGB")
    volume_kms_key_id: str | None = None
    instance_configs: tuple[InstanceConfig, ...] = ()


class TrainingJobDefinition(RequestModel):
    definition_name: str | None = None
    tuning_objective: Objective | None = None
    hyper_parameter_ranges: ParameterRanges | None = None
    static_hyper_parameters: Mapping[str, Text] = Field(default_factory=dict)
    algorithm_specification: AlgorithmSpecification
    output_data_config: OutputDataConfig
    resource_config: Mapping[str, Any] | None = None
    hyper_parameter_tuning_resource_config: TuningResourceConfig | None = None


class ParentTuningJob(RequestModel):
    hyper_parameter_tuning_job_name: str


class WarmStartConfig(RequestModel):
    parent_hyper_parameter_tuning_jobs: tuple[ParentTuningJob, ...]
    warm_start_type: Literal["IdenticalDataAndAlgorithm", "TransferLearning"]

    @property
    def parents(self) -> list[str]:
        return [parent.hyper_parameter_tuning_job_name for parent in self.parent_hyper_parameter_tuning_jobs]


class Autotune(RequestModel):
    mode: Literal["Enabled"]


class TuningRequest(RequestModel):
    """CreateHyperParameterTuningJob."""

    hyper_parameter_tuning_job_config: TuningJobConfig
    training_job_definition: TrainingJobDefinition | None = None
    training_job_definitions: tuple[TrainingJobDefinition, ...] = ()
    warm_start_config: WarmStartConfig | None = None
    autotune: Autotune | None = None

    @property
    def config(self) -> TuningJobConfig:
        return self.hyper_parameter_tuning_job_config

    @property
    def definitions(self) -> tuple[TrainingJobDefinition, ...]:
        """What is trained, whether the request has one definition or a list."""
        one = self.training_job_definition
        return self.training_job_definitions if one is None else (one, *self.training_job_definitions)

    def objective(self, definition: TrainingJobDefinition) -> Objective | None:
        return definition.tuning_objective or self.config.hyper_parameter_tuning_job_objective

    def ranges(self, definition: TrainingJobDefinition) -> ParameterRanges:
        return definition.hyper_parameter_ranges or self.config.parameter_ranges


def parse_tuning(arguments: JsonObject) -> TuningRequest:
    """Read a CreateHyperParameterTuningJob request.

    Raises:
        JobError: it does not have the operation's shape.
    """
    return parse_request(TuningRequest, OPERATION, arguments)


def echo_tuning(arguments: JsonObject) -> JsonObject:
    """The request as the Describe answer repeats it, texts as texts."""
    return {
        key: _as_texts(value) for key, value in echo(arguments, "Tags", "HyperParameterTuningJobName").items()
    }


def _as_texts(value: Json, key: str = "") -> Json:
    match value:
        case Mapping() if key in _TEXT_MAPS:
            return {name: render(member) for name, member in value.items()}
        case Mapping():
            return {name: _as_texts(member, name) for name, member in value.items()}
        case list() if key == "Values":
            return [render(item) for item in value]
        case list():
            return [_as_texts(item) for item in value]
        case _:
            return render(value) if key in _TEXTS else value
