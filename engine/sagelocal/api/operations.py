"""Which operations there are, each as one function of the engine and a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sagelocal.api import callbacks, executions, pipelines, steps, tags, versions
from sagelocal.api.requests import Operation
from sagelocal.api.resources import OPERATIONS as RESOURCES

OPERATIONS: Final[Mapping[str, Operation]] = {
    **RESOURCES,
    "AddTags": tags.add,
    "CreatePipeline": pipelines.create,
    "DeletePipeline": pipelines.delete,
    "DeleteTags": tags.delete,
    "DescribePipeline": pipelines.describe,
    "DescribePipelineDefinitionForExecution": executions.describe_definition,
    "DescribePipelineExecution": executions.describe,
    "ListPipelineExecutionSteps": steps.list_steps,
    "ListPipelineExecutions": executions.list_executions,
    "ListPipelineParametersForExecution": executions.list_parameters,
    "ListPipelineVersions": versions.list_versions,
    "ListPipelines": pipelines.list_pipelines,
    "ListTags": tags.list_tags,
    "RetryPipelineExecution": executions.retry,
    "SendPipelineExecutionStepFailure": callbacks.fail,
    "SendPipelineExecutionStepSuccess": callbacks.succeed,
    "StartPipelineExecution": executions.start,
    "StopPipelineExecution": executions.stop,
    "UpdatePipeline": pipelines.update,
    "UpdatePipelineExecution": executions.update,
    "UpdatePipelineVersion": versions.update_version,
}
"""Those of SageMaker (``X-Amz-Target: SageMaker.<name>``); their requests have been held against the service's model."""

OURS: Final[Mapping[str, Operation]] = {"ListAwaitedCallbacks": callbacks.awaited}
"""Those that our own doors need besides (``X-Amz-Target: Sagelocal.<name>``)."""
