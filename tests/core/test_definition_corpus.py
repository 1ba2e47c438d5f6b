"""Every definition of the fixtures is read, or refused at the right place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sagelocal.check.arguments import check_arguments
from sagelocal.definition import parse, walk
from sagelocal.errors import DefinitionError, Problem

FIXTURES = Path(__file__).parents[2] / "fixtures"
GOOD = sorted(
    [*FIXTURES.glob("corpus/generated/*.json"), *FIXTURES.glob("corpus/*/definition.json")],
    key=lambda path: path.as_posix(),
)
BAD = sorted(FIXTURES.glob("corpus-bad/*/definition.json"), key=lambda path: path.as_posix())

BRANCH = "Steps[3].Arguments.IfSteps"
ELSE = "Steps[3].Arguments.ElseSteps"
LOOP = "Steps[0].Arguments"
# What is refused for its form: the step and path that the first problem names.
REFUSED = {
    "cache-duration-negative": ("AbaloneProcess", "Steps[0].CacheConfig.ExpireAfter"),
    "cache-duration-words": ("AbaloneProcess", "Steps[0].CacheConfig.ExpireAfter"),
    "callback-without-queue": ("Cb", "Steps[0].SqsQueueUrl"),
    "condition-type-unknown": ("AbaloneMSECond", "Steps[3].Arguments.Conditions[0].Type"),
    "condition-unknown-branch-key": ("AbaloneMSECond", "Steps[3].Arguments.ThenSteps"),
    "conditions-not-a-list": ("AbaloneMSECond", "Steps[3].Arguments.Conditions"),
    "default-integer-is-float": ("", "Parameters[0].DefaultValue"),
    "default-is-a-reference": ("", "Parameters[3].DefaultValue"),
    "default-string-is-number": ("", "Parameters[3].DefaultValue"),
    "depends-on-not-a-list": ("AbaloneEval", "Steps[2].DependsOn"),
    "emr-no-cluster": ("MyEMRStep-name", "Steps[0].Arguments"),
    "endpoint-config-no-variants": ("CreateConfig", "Steps[0].Arguments.ProductionVariants"),
    "experiment-name-from-step": ("", "PipelineExperimentConfig.ExperimentName"),
    "foreach-body-empty": ("ForEachItems", f"{LOOP}.ForEachBody"),
    "foreach-body-fail": ("ForEachItems", f"{LOOP}.ForEachBody[1].Type"),
    "foreach-items-101": ("ForEachItems", f"{LOOP}.IterableItems"),
    "foreach-items-nested-list": ("ForEachItems", f"{LOOP}.IterableItems[0]"),
    "foreach-max-concurrency-0": ("ForEachItems", f"{LOOP}.MaxConcurrency"),
    "foreach-max-concurrency-2": ("ForEachItems", f"{LOOP}.MaxConcurrency"),
    "foreach-selector-not-drilled": ("ForEachItems", f"{LOOP}.Selector.Field"),
    "foreach-selector-other-namespace": ("ForEachItems", f"{LOOP}.Selector.Field"),
    "get-unbalanced-bracket": ("AbaloneEval", "Steps[2].Arguments.ProcessingInputs[0].S3Input.S3Uri"),
    "get-with-extra-key": ("AbaloneTrain", "Steps[1].Arguments.HyperParameters.run"),
    "gigantic-nesting-json": ("", ""),
    "in-values-not-list": ("MyConditionStep", "Steps[0].Arguments.Conditions[5].Values"),
    "instance-count-string": ("AbaloneTrain", "Steps[1].Arguments.ResourceConfig.InstanceCount"),
    "join-without-values": ("AbaloneMSEFail", f"{ELSE}[0].Arguments.ErrorMessage.Std:Join.Values"),
    "json-empty-file": ("", ""),
    "json-single-quotes": ("", ""),
    "json-trailing-comma": ("", ""),
    "jsonget-file-and-s3uri": (
        "AbaloneMSECond",
        "Steps[3].Arguments.Conditions[0].LeftValue.Std:JsonGet",
    ),
    "lambda-without-function-arn": ("LambdaStep", f"{BRANCH}[1].FunctionArn"),
    "parameter-cycle": ("", "Parameters[3].DefaultValue"),
    "processing-fastfile-mode": (
        "AbaloneProcess",
        "Steps[0].Arguments.ProcessingInputs[0].S3Input.S3InputMode",
    ),
    "property-file-duplicate": ("AbaloneEval", "Steps[2].PropertyFiles[1].PropertyFileName"),
    "register-unknown-argument": (
        "AbaloneRegisterModel-RegisterModel",
        f"{BRANCH}[0].Arguments.ModelPackageName",
    ),
    "retry-both-limits": ("Preprocess", "Steps[0].RetryPolicies[0]"),
    "retry-interval-over-max": ("Preprocess", "Steps[0].RetryPolicies[0].IntervalSeconds"),
    "retry-on-condition": ("AbaloneMSECond", "Steps[3].RetryPolicies"),
    "step-arguments-missing": ("AbaloneTrain", "Steps[1].Arguments"),
    "step-name-missing": ("", "Steps[3].Name"),
    "step-name-too-long": ("T" * 65, "Steps[1].Name"),
    "step-name-unicode": ("Trénig", "Steps[1].Name"),
    "step-name-with-space": ("Abalone Train", "Steps[1].Name"),
    "step-type-lowercase": ("AbaloneTrain", "Steps[1].Type"),
    "steps-object": ("", "Steps"),
    "training-unknown-argument": ("AbaloneTrain", "Steps[1].Arguments.TrainingImage"),
    "trigger-conflict": ("Always", "Steps[2].DependsOn"),
    "tuning-both-definitions": ("Tune", "Steps[0].Arguments"),
    "unknown-execution-variable": ("AbaloneTrain", "Steps[1].Arguments.HyperParameters.run"),
    "unknown-function": ("AbaloneMSEFail", f"{ELSE}[0].Arguments.ErrorMessage"),
}
# What has the right form and is wrong for the graph: `sagelocal.plan` and the check of references refuse it.
LEFT_TO_THE_PLAN = {
    "cross-branch-data-reference",
    "cycle-data-reference",
    "duplicate-name-branch-and-top",
    "duplicate-name-case-fail",
    "foreach-child-name-collision",
    "foreach-iteration-outputs-unindexed",
    "foreach-outside-reads-body-step",
    "lambda-output-not-declared",
    "misspelled-output-name",
    "property-file-removed",
    "property-path-skips-level",
    "self-depends-on",
    "unknown-step-in-get",
}


def stage(path: Path) -> str:
    lines = (path.parent / "expect.txt").read_text().splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("stage:"))


def problems(path: Path) -> Sequence[Problem]:
    try:
        return check_arguments(parse(path.read_bytes()))
    except DefinitionError as error:
        return error.problems


def test_the_corpus_is_there() -> None:
    assert (len(GOOD), len(BAD)) == (117, 81)


def step_names(value: Any) -> list[str]:
    """The names of all objects that look like a step, found without knowing anything of definitions."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value["Name"]] if isinstance(value, dict) and {"Name", "Type", "Arguments"} <= value.keys() else []
    return [*own, *(name for child in children for name in step_names(child))]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.parent.name + "-" + path.stem)
def test_every_step_of_an_accepted_definition_is_read(path: Path) -> None:
    definition = parse(path.read_bytes())

    assert sorted(step.name for step in walk(definition.steps)) == sorted(
        step_names(json.loads(path.read_text()))
    )


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.parent.name + "-" + path.stem)
def test_no_accepted_definition_raises_an_alarm(path: Path) -> None:
    found = problems(path)

    # The skeleton steps of the SDK's unit tests lack what the API requires; nothing else is wrong with them.
    lacking = path.parent.name.startswith("sdk-unit-")
    assert [problem for problem in found if not (lacking and "is required" in problem.message)] == []


@pytest.mark.parametrize(("name", "place"), REFUSED.items(), ids=REFUSED)
def test_what_is_wrong_in_form_is_refused_by_step_and_path(name: str, place: tuple[str, str]) -> None:
    first = problems(FIXTURES / "corpus-bad" / name / "definition.json")[0]

    assert (first.step, first.path) == place
    assert first.message


@pytest.mark.parametrize(
    "path", [path for path in BAD if path.parent.name not in REFUSED], ids=lambda path: path.parent.name
)
def test_what_has_the_right_form_is_accepted(path: Path) -> None:
    assert problems(path) == []


def test_everything_that_must_be_refused_at_create_is_refused_here_or_left_to_the_plan() -> None:
    create = {path.parent.name for path in BAD if stage(path) == "create"}

    assert create == REFUSED.keys() | LEFT_TO_THE_PLAN
