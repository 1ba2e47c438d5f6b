"""Run Amazon SageMaker Pipelines on this machine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagelocal.engine import Engine
    from sagelocal.errors import (
        ConflictError,
        DefinitionError,
        ExpressionError,
        MachineError,
        NotFoundError,
        Problem,
        SagelocalError,
        UsageError,
    )
    from sagelocal.running import check, run
    from sagelocal.settings import Settings, load_settings
    from sagelocal.store.views import ExecutionView, StepView

__version__ = "0.1.0"

__all__ = [
    "ConflictError",
    "DefinitionError",
    "Engine",
    "ExecutionView",
    "ExpressionError",
    "MachineError",
    "NotFoundError",
    "Problem",
    "SagelocalError",
    "Settings",
    "StepView",
    "UsageError",
    "check",
    "load_settings",
    "run",
]

_HOME = {
    "Engine": "engine",
    "ExecutionView": "store.views",
    "Settings": "settings",
    "StepView": "store.views",
    "check": "running",
    "load_settings": "settings",
    "run": "running",
}
"""Where each public name lives; what is not here lives in `errors`."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `sagelocal check` must not pay for the engine."""
    if name not in __all__:
        message = f"module 'sagelocal' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"sagelocal.{_HOME.get(name, 'errors')}"), name)
