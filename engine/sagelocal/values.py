"""The shape of JSON, named so that signatures can say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Scalar = str | int | float | bool | None
Json: TypeAlias = "Scalar | Sequence[Json] | Mapping[str, Json]"
"""Any JSON value; read-only by convention: build a new one instead of changing one."""
JsonObject: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ObjectText:
    """The text of one S3 object, or why it could not be read.

    Attributes:
        uri: where it lies, ``s3://bucket/key``.
        text: its content, decoded as UTF-8; None when it could not be read.
        fault: a sentence that says why not; empty when `text` is there.
    """

    uri: str
    text: str | None
    fault: str = ""
