"""Which operations there are, each as one function of the engine and a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sagelocal.api import callbacks, executions, pipelines
from sagelocal.api.requests import Request
from sagelocal.engine import Engine
from sagelocal.values import JsonObject

Operation = Callable[[Engine, Request], JsonObject]

OPERATIONS: Final[Mapping[str, Operation]] = {
    "DescribePipelineExecution": executions.describe,
    "ListPipelineExecutionSteps": executions.list_steps,
    "ListPipelineExecutions": executions.list_executions,
    "ListPipelines": pipelines.list_pipelines,
    "SendPipelineExecutionStepFailure": callbacks.fail,
    "SendPipelineExecutionStepSuccess": callbacks.succeed,
    "StopPipelineExecution": executions.stop,
}
"""Those of SageMaker (``X-Amz-Target: SageMaker.<name>``); their requests have been held against the service's model."""

OURS: Final[Mapping[str, Operation]] = {"ListAwaitedCallbacks": callbacks.awaited}
"""Those that our own doors need besides (``X-Amz-Target: Sagelocal.<name>``)."""
