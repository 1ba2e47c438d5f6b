"""Every definition of the corpus whose step types run here ends as its author meant, with stubs for its jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sagelocal
from sagelocal.definition import parse, walk
from sagelocal.definition.pipeline import Parameter, ParameterType
from sagelocal.definition.steps import StepType
from sagelocal.engine import Stubs
from sagelocal.errors import DefinitionError
from sagelocal.values import Scalar

CORPUS = Path(__file__).parents[3] / "fixtures/corpus"
RUN_HERE = {
    StepType.PROCESSING,
    StepType.TRAINING,
    StepType.MODEL,
    StepType.REGISTER_MODEL,
    StepType.CONDITION,
    StepType.FAIL,
    StepType.TUNING,
    StepType.TRANSFORM,
    StepType.QUALITY_CHECK,
    StepType.CLARIFY_CHECK,
    StepType.AUTO_ML,
    StepType.LAMBDA,
    StepType.EMR,
    StepType.EMR_SERVERLESS,
    StepType.CALLBACK,
}
RESULT = "results.json"  # what a function of @step returns; no stub can say it, as it lies in S3
ENDS_OTHERWISE = {
    "cv-tuning-from-step": RESULT,
    "featurestore-build": "LeftValue [] of type [String]",  # an output of a stubbed Lambda function
    "sdk-tuning-multi-algo": "MaxValue '0.5' is not a whole number",  # a parameter without default, of our choice
    "finbert-sec-two-conditions": "LeftValue [0.5] of type [Float] and RightValue [Y] of type [String]",
    "generated/execution_variables": "'Execution.TrainingJobName'} is undefined here",
    "generated/step_decorator_functions": RESULT,
    "k8s-sample-training": "s3://<YOUR_BUCKET_NAME>/sagemaker/xgboost/train/' is not an S3 URI",
    "mlflow-breast-cancer": RESULT,
    "sdk-map-params": "LeftValue [500] of type [String] and RightValue [6.0] of type [Float]",
    "sdk-notebook-depends-on-step": RESULT,
    "sdk-step-json-get": RESULT,
    "sdk-unit-in-over-functions": RESULT,
    "tpl-gha-v3-mlflow": RESULT,
}
"""What a step says that fails though it is no Fail step: an unfinished definition, or a result that no stub gives."""
REFUSED = {
    "sdk-unit-all-conditions": "'RoleArn' is required",
    "sdk-unit-callback-outputs": "'RoleArn' is required",
    "sdk-unit-transform-join-property": "'RoleArn' is required",
}
"""Skeletons from unit tests of the SDK, refused before anything runs."""


def _named() -> Iterator[tuple[str, Path]]:
    for path in sorted(CORPUS.glob("*/*.json")):
        single = path.name == "definition.json"
        name = path.parent.name if single else f"{path.parent.name}/{path.stem}"
        kinds = {step.type for step in walk(parse(path.read_text(encoding="utf-8")).steps)}
        if kinds <= RUN_HERE:
            yield name, path


DEFINITIONS = dict(_named())


def _value(parameter: Parameter) -> Scalar:
    """Something for a parameter without a default."""
    if parameter.enum_values:
        return parameter.enum_values[0]
    values: dict[ParameterType, Scalar] = {
        ParameterType.STRING: "s3://bucket/something",
        ParameterType.INTEGER: 1,
        ParameterType.FLOAT: 0.5,
        ParameterType.BOOLEAN: True,
    }
    return values[parameter.type]


def _parameters(text: str) -> dict[str, Scalar]:
    return {each.name: _value(each) for each in parse(text).parameters if not each.has_default}


def _json_gets(value: Any) -> Iterator[tuple[str, str]]:
    """The property files that a definition reads: reference and path."""
    if isinstance(value, dict):
        got = value.get("Std:JsonGet")
        if got and "PropertyFile" in got:
            yield got["PropertyFile"]["Get"], got["Path"]
        for member in value.values():
            yield from _json_gets(member)
    elif isinstance(value, list):
        for item in value:
            yield from _json_gets(item)


def _document(paths: list[str]) -> Any:
    """A JSON value in which each path, ``a.b[0]`` say, leads to 0.5."""
    document: Any = {}
    for path in paths:
        place = document
        for name, index in re.findall(r"(\w+)((?:\[0\])*)", path):
            last = path.endswith(name + index)
            inner: Any = 0.5 if last else {}
            for _ in range(len(index) // len("[0]")):
                inner = [inner]
            place = place.setdefault(name, inner)
            while isinstance(place, list):
                place = place[0]
    return document


def _stubs(text: str) -> Stubs:
    """Stubs that write every property file which a condition reads."""
    paths: dict[str, list[str]] = {}
    for reference, path in _json_gets(json.loads(text)):
        paths.setdefault(reference, []).append(path)
    steps = {
        step.name: {"outputs": outputs}
        for step in walk(parse(text).steps)
        if (
            outputs := {
                file.output_name: {file.file_path: _document(found)}
                for file in getattr(step, "property_files", ())
                if (found := paths.get(f"Steps.{step.name}.PropertyFiles.{file.name}"))
            }
        )
    }
    return Stubs.model_validate({"steps": steps})


def test_the_lists_of_exceptions_name_definitions_that_are_there() -> None:
    assert {*ENDS_OTHERWISE, *REFUSED} <= DEFINITIONS.keys()
    assert len(DEFINITIONS) > 100


@pytest.mark.parametrize("name", sorted(DEFINITIONS.keys() - REFUSED.keys()))
async def test_a_public_definition_runs_to_its_end(name: str, tmp_path: Path) -> None:
    text = DEFINITIONS[name].read_text(encoding="utf-8")
    view = await sagelocal.run(
        DEFINITIONS[name],
        _parameters(text),
        stubs=_stubs(text),
        settings=sagelocal.Settings(home=tmp_path, runtime="stub"),
    )
    failed = {step.name: step.failure_reason or "" for step in view.steps if step.status != "Succeeded"}
    wanted = {step.name for step in view.steps if step.type == StepType.FAIL}

    if name in ENDS_OTHERWISE:
        assert all(ENDS_OTHERWISE[name] in reason for reason in failed.values()), failed
        assert view.status == "Failed"
    else:
        assert failed.keys() == wanted, failed
        assert view.status == ("Failed" if wanted else "Succeeded")
    assert not list((tmp_path / "jobs").glob("*"))


@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_a_skeleton_is_refused_before_anything_runs(name: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=REFUSED[name]):
        await sagelocal.run(DEFINITIONS[name], settings=sagelocal.Settings(home=tmp_path, runtime="stub"))
