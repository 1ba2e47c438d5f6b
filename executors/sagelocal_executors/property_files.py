"""The property files of a Processing step, read when its job has succeeded (semantics 02 §2.2)."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.cloud.objects import Objects
from sagelocal.definition.steps import PropertyFile
from sagelocal.nearest import listed
from sagelocal.values import ObjectText
from sagelocal_executors.containers.stub import PLACEHOLDER


async def read_property_files(
    objects: Objects, files: tuple[PropertyFile, ...], outputs: Mapping[str, str]
) -> dict[str, ObjectText]:
    """The text of each file by its name; `outputs` maps the job's output names to their S3 URIs."""
    return {file.name: await _read(objects, file, outputs) for file in files}


async def _read(objects: Objects, file: PropertyFile, outputs: Mapping[str, str]) -> ObjectText:
    output = outputs.get(file.output_name)
    if output is None:
        fault = (
            f"property file {file.name!r}: the job has no output {file.output_name!r}, only {listed(outputs)}"
        )
        return ObjectText("", None, fault)
    prefix = f"{output.rstrip('/')}/"
    text = await objects.read(prefix + file.file_path.lstrip("/"))
    if text.text is not None:
        return text
    there = [str(info.uri)[len(prefix) :] for info in await objects.list(prefix)]
    if file.file_path in there:
        return text
    fault = f"property file {file.name!r}: output {file.output_name!r} ({output}) has no file {file.file_path!r}; there: {listed(there)}"
    if PLACEHOLDER in there:
        fault += f": the stub runtime made it up; give {file.file_path!r} its content under outputs in --stubs FILE"
    return ObjectText(text.uri, None, fault)
