"""JMESPath expressions of the configuration."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from ml_contract import JobError, missing_package

from clarify.wording import first_line


def search(expression: str, value: Any, key: str) -> Any:
    """What the expression finds, None when that is nothing; `key` of the configuration is for messages.

    Raises:
        JobError: it is no JMESPath, or cannot be applied.
    """
    try:
        return _compiled(expression).search(value)
    except _library().exceptions.JMESPathError as error:
        raise JobError(
            f"{key}: {expression!r} is no JMESPath that fits the data: {first_line(error)}"
        ) from None


@cache
def _compiled(expression: str) -> Any:
    return _library().compile(expression)


@cache
def _library() -> Any:
    # Not imported at the top: tables in CSV need no expressions, and so not the package either.
    try:
        return importlib.import_module("jmespath")
    except ImportError:
        raise missing_package("jmespath", "checks") from None
