"""Rows as a model takes them (AWS: Endpoint requests for tabular data)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from ml_contract import JobError

from clarify.config import CSV, JSON, JSON_LINES, Predictor

_IN_RECORD = re.compile(r'"\$\{([^}]*)\}"|\$(features_kvp|feature_names|features)')
_IN_CONTENT = re.compile(r"\$records?\b")


def payload(predictor: Predictor, rows: pl.DataFrame) -> bytes:
    """The body of one request."""
    return _WRITERS[predictor.content_type](predictor, rows)


def one_at_a_time(predictor: Predictor) -> bool:
    """Whether the template has a place for one record only."""
    return predictor.content_type == JSON and "$records" not in predictor.content_template


def _csv(_predictor: Predictor, rows: pl.DataFrame) -> bytes:
    return rows.write_csv(include_header=False).rstrip("\n").encode()


def _json_lines(predictor: Predictor, rows: pl.DataFrame) -> bytes:
    lines = [predictor.content_template.replace("$features", _json(row)) for row in rows.iter_rows()]
    return "\n".join(lines).encode()


def _json_document(predictor: Predictor, rows: pl.DataFrame) -> bytes:
    records = [_record(predictor.record_template, row) for row in rows.iter_rows(named=True)]
    fill: Mapping[str, str] = {"$records": f"[{', '.join(records)}]", "$record": records[0]}
    return _IN_CONTENT.sub(lambda found: fill[found.group()], predictor.content_template).encode()


def _record(template: str, row: Mapping[str, Any]) -> str:
    """One record; only what stands in the template is replaced, whatever the values look like."""
    fill: Mapping[str, Callable[[], str]] = {
        "features": lambda: _json(row.values()),
        "feature_names": lambda: _json(row),
        "features_kvp": lambda: json.dumps(row),
    }

    def replaced(found: re.Match[str]) -> str:
        name = found.group(1)
        if name is None:
            return fill[found.group(2)]()
        if name not in row:
            raise JobError(f"predictor.record_template: there is no feature {name!r}")
        return json.dumps(row[name])

    return _IN_RECORD.sub(replaced, template)


def _json(values: Any) -> str:
    return json.dumps(list(values))


_WRITERS: Mapping[str, Callable[[Predictor, pl.DataFrame], bytes]] = {
    CSV: _csv,
    JSON_LINES: _json_lines,
    JSON: _json_document,
}
