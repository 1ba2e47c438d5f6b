"""The executors of jobs in containers, built from the tools that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.invocations import Invocations
from sagelocal.definition.steps import StepType
from sagelocal.jobs import Executor
from sagelocal_executors.auto_ml.executor import AutoMLExecutor
from sagelocal_executors.checks.clarify import ClarifyCheckExecutor
from sagelocal_executors.checks.plain import AnalysisExecutor
from sagelocal_executors.checks.quality import QualityCheckExecutor
from sagelocal_executors.checks.shadow import Shadows
from sagelocal_executors.models import ModelExecutor, RegisterModelExecutor
from sagelocal_executors.processing import ProcessingExecutor
from sagelocal_executors.recording import Recorded, Recorder
from sagelocal_executors.tools import Tools
from sagelocal_executors.training import TrainingExecutor
from sagelocal_executors.transform.executor import TransformExecutor
from sagelocal_executors.tuning.executor import TuningExecutor
from sagelocal_executors.tuning.watch import Watch


@dataclass(frozen=True, slots=True)
class Account:
    """What such executors share beside their tools.

    Attributes:
        create_groups: whether a missing model package group is made.
        stub_metrics: what the stub of a step declares as metrics.
    """

    catalog: Catalog
    invocations: Invocations
    create_groups: bool
    stub_metrics: Callable[[str], Mapping[str, float]]


def job_executors(tools: Tools, account: Account) -> Mapping[StepType, Executor]:
    """Every executor whose jobs run in containers, or make of what those left."""
    catalog, recorder = account.catalog, Recorder(account.catalog)
    shared = {name: getattr(tools, name) for name in Tools.__slots__} | {"on_progress": recorder.keep}
    processing, training = ProcessingExecutor(**shared), TrainingExecutor(**shared)
    shadows = Shadows(tools, catalog, account.invocations)
    return {
        StepType.PROCESSING: Recorded(AnalysisExecutor(processing, shadows), recorder),
        StepType.TRAINING: Recorded(training, recorder),
        StepType.TRANSFORM: Recorded(TransformExecutor(**shared, catalog=catalog), recorder),
        StepType.TUNING: _tuning(tools, account),
        # These two keep what they start by themselves, as it is theirs to say how it is described.
        StepType.QUALITY_CHECK: QualityCheckExecutor(processing, tools, catalog),
        StepType.CLARIFY_CHECK: ClarifyCheckExecutor(processing, shadows),
        StepType.AUTO_ML: AutoMLExecutor(
            training,
            tools.objects,
            catalog,
            tools.logs,
            tools.partition,
            tools.folder,
            tools.clock,
            tools.stubbed,
        ),
        StepType.MODEL: ModelExecutor(catalog, tools.objects, tools.partition, tools.clock, tools.stubbed),
        StepType.REGISTER_MODEL: RegisterModelExecutor(
            catalog, tools.partition, tools.clock, account.create_groups
        ),
    }


def _tuning(tools: Tools, account: Account) -> TuningExecutor:
    watch = Watch()
    shared = {name: getattr(tools, name) for name in Tools.__slots__}
    return TuningExecutor(
        TrainingExecutor(**shared, on_metric=watch.tell),
        watch,
        tools.objects,
        account.catalog,
        tools.logs,
        tools.partition,
        tools.clock,
        tools.stubbed,
        account.stub_metrics,
    )
