"""Arrays of numpy as CSV, JSON or npy, and back (sources: AWS's sagemaker-containers and sagemaker-inference toolkits)."""

from __future__ import annotations

import csv
import functools
import io
import json
import sys
from collections.abc import Callable
from typing import Any

from serving.exchange import media_type

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
TEXTS = (JSON, CSV)
"""The types whose bodies reach the author's functions as str; all others do as bytes."""


class UnsupportedFormatError(Exception):
    """A default function does not know this type."""

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Content type {content_type} is not supported by this framework. Supported are {JSON}, {CSV} and {NPY};"
            " implement input_fn to read, and output_fn to write, anything else"
        )


def decode(body: Any, content_type: str) -> Any:
    """An array of a request, or any other value that is JSON; cells of CSV become numbers where all of a column are.

    Raises:
        UnsupportedFormatError: it is of another type.
    """
    return _reader(content_type)(body)


def decode_numbers(body: Any, content_type: str) -> Any:
    """As scikit-learn's image: CSV and JSON become an array of float32, with a row for each record.

    AWS's image makes CSV of a single row (or column) a flat array, which estimators refuse. Here it keeps both
    dimensions, and the log says what would happen.

    Raises:
        UnsupportedFormatError: it is of another type.
    """
    reader = _NUMBERS.get(media_type(content_type)) or _reader(content_type)
    return reader(body)


def encode(values: Any, content_type: str) -> str | bytes:
    """CSV with a line for each element or row, JSON, or npy.

    Raises:
        UnsupportedFormatError: another type is wanted.
    """
    try:
        writer = _WRITERS[media_type(content_type)]
    except KeyError:
        raise UnsupportedFormatError(content_type) from None
    return writer(values)


def to_csv(values: Any) -> str:
    array = numpy().array(values)
    if array.ndim == 0 and array.dtype == object:
        raise TypeError(f"{type(values).__name__} has no form in CSV; let output_fn give it one")
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(array.reshape(-1, 1) if array.ndim < 2 else array)
    return stream.getvalue()


def _to_json(values: Any) -> str:
    return json.dumps(values, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON; let output_fn give it one")


def _to_npy(values: Any) -> bytes:
    stream = io.BytesIO()
    numpy().save(stream, values)
    return stream.getvalue()


def _reader(content_type: str) -> Callable[[Any], Any]:
    try:
        return _READERS[media_type(content_type)]
    except KeyError:
        raise UnsupportedFormatError(content_type) from None


def _from_json(text: Any) -> Any:
    value = json.loads(text)
    return numpy().array(value) if isinstance(value, list) else value


def _from_csv(text: str) -> Any:
    return numpy().genfromtxt(io.StringIO(text), dtype=None, delimiter=",", encoding="utf-8")


def _from_npy(data: bytes) -> Any:
    return numpy().load(io.BytesIO(data), allow_pickle=True)


def _numbers_of_json(text: Any) -> Any:
    return numpy().array(json.loads(text)).astype("float32")


def _numbers_of_csv(text: str) -> Any:
    rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"the rows have {', '.join(str(n) for n in sorted({len(row) for row in rows}))} columns"
        )
    if len(rows) == 1 or (rows and len(rows[0]) == 1):
        _warn_of_flat_arrays()
    return numpy().array(rows, dtype="float32")


@functools.lru_cache(maxsize=None)  # noqa: UP033  # functools.cache is younger than Python 3.8
def _warn_of_flat_arrays() -> None:
    print(
        "[sagelocal] AWS's scikit-learn image hands this CSV, a single row or column, to predict as a flat array, which"
        " estimators refuse; reshape it in an input_fn of your own to be served there, too",
        file=sys.stderr,
        flush=True,
    )


_READERS: dict[str, Callable[[Any], Any]] = {JSON: _from_json, CSV: _from_csv, NPY: _from_npy}
_NUMBERS: dict[str, Callable[[Any], Any]] = {JSON: _numbers_of_json, CSV: _numbers_of_csv}
_WRITERS: dict[str, Callable[[Any], str | bytes]] = {JSON: _to_json, CSV: to_csv, NPY: _to_npy}


def numpy() -> Any:
    """numpy, which a script with functions of its own can do without."""
    try:
        import numpy as np
    except ImportError:
        raise ModuleNotFoundError(
            f"the default input_fn and output_fn need numpy, which {sys.executable} has not: install it there, or give"
            " the script functions of its own"
        ) from None
    return np
