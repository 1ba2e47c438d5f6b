"""Opens the data set that a request names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ml_contract import JobError

from model_monitor import captured, csv_files, json_files, json_lines
from model_monitor.json_files import Record
from model_monitor.records import Dataset, files
from model_monitor.request import DatasetFormat, Request
from model_monitor.scripts import Preprocessor, csv_lines

Source = Callable[[Path], Iterable[Record]]


def dataset(request: Request) -> Dataset:
    """Raises JobError: when there is none, or it cannot be read."""
    found = files(request.source)
    form = request.format
    if request.preprocessor:
        script = Preprocessor(request.preprocessor)
        # Scripts may choose records by chance, as the guide's example does, so they are asked once only.
        return json_files.dataset(found, _preprocessed(form, script), repeatable=False)
    if form.kind == "csv":
        return csv_files.dataset(found, header=form.header)
    if form.kind == "json" and form.lines:
        return json_lines.dataset(found)
    return json_files.dataset(found, _SOURCES[form.kind](form))


def _json(form: DatasetFormat, *, as_text: bool = True) -> Source:
    read = json_files.lines if form.lines else json_files.document
    return lambda path: read(path, as_text=as_text)


def _captured(form: DatasetFormat) -> Source:
    def read(path: Path) -> Iterator[Record]:
        for where, event in json_files.lines(path, as_text=False):
            yield where, captured.records(event, where, outputs_first=form.outputs_first)

    return read


_SOURCES: dict[str, Callable[[DatasetFormat], Source]] = {
    "json": _json,
    "capture": _captured,
    "parquet": lambda _form: json_files.parquet,
}


def _preprocessed(form: DatasetFormat, script: Preprocessor) -> Source:
    """What the image hands to a script: CSV as lines of text, JSON as objects, captured data as inference records."""
    raw: dict[str, Source] = {
        "csv": csv_lines,
        "json": _json(form, as_text=False),
        "capture": _json(form, as_text=False),
    }
    if form.kind not in raw:
        raise JobError(
            f"record_preprocessor_script works on CSV, JSON and captured data, not on {form.kind}; remove it,"
            " or shape the data in a Processing step before"
        )
    return lambda path: script.records(raw[form.kind](path), captured=form.kind == "capture")
