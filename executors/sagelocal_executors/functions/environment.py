"""The environment variables that a function finds (Lambda developer guide, "Defined runtime environment variables")."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from sagelocal.cloud.functions import LATEST, Function
from sagelocal.settings import Settings
from sagelocal_executors.containers.environment import job_environment

TASK_ROOT = "/var/task"


def function_environment(
    function: Function, settings: Settings, endpoint: str | None, runtime: str, task_root: str
) -> dict[str, str]:
    """The function's own variables, under those that Lambda reserves."""
    reserved = {
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}" if runtime else "",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": LATEST,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": _stream(),
        "LAMBDA_TASK_ROOT": task_root,
        "TZ": ":UTC",
    }
    own: Mapping[str, str] = {"LANG": "C.UTF-8", **function.environment}
    return job_environment(
        settings, {**own, **{key: value for key, value in reserved.items() if value}}, endpoint
    )


def _stream() -> str:
    return f"{datetime.now(UTC):%Y/%m/%d}/[{LATEST}]{secrets.token_hex(16)}"
