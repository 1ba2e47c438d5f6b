"""Arguments are checked against the request that they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagelocal.check.arguments import check_arguments
from sagelocal.definition import parse
from sagelocal.errors import Problem

ROLE = "arn:aws:iam::111122223333:role/R"
TRAINING: dict[str, Any] = {
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
PROCESSING: dict[str, Any] = {
    "RoleArn": ROLE,
    "AppSpecification": {"ImageUri": "image"},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
    },
}


def check(kind: str, arguments: Any) -> list[Problem]:
    step = {"Name": "S", "Type": kind, "Arguments": arguments}
    return check_arguments(parse(json.dumps({"Steps": [step]})))


def problem(kind: str, arguments: Any) -> Problem:
    found = check(kind, arguments)
    assert len(found) == 1, found
    return found[0]


def test_the_service_names_the_jobs() -> None:
    assert check("Training", TRAINING) == []
    assert check("Processing", PROCESSING) == []
    assert check("Model", {"ExecutionRoleArn": ROLE}) == []


def test_a_custom_prefix_may_name_the_job() -> None:
    assert check("Training", {**TRAINING, "TrainingJobName": "prefix"}) == []


def test_a_missing_member_is_named() -> None:
    without = {name: value for name, value in TRAINING.items() if name != "OutputDataConfig"}

    found = problem("Training", without)

    assert (found.step, found.path) == ("S", "Steps[0].Arguments.OutputDataConfig")
    assert found.message == "Model Validation failed: 'OutputDataConfig' is required."


def test_a_null_member_is_a_missing_one() -> None:
    assert problem("Training", {**TRAINING, "RoleArn": None}).path == "Steps[0].Arguments.RoleArn"
    assert check("Training", {**TRAINING, "VpcConfig": None}) == []


def test_an_unknown_member_is_refused_in_the_words_of_the_service() -> None:
    found = problem("Training", {**TRAINING, "HyperParameter": {}})

    assert found.message == "Unknown Argument member 'HyperParameter'."
    assert found.hint == "did you mean HyperParameters?"


def test_a_member_at_the_wrong_level_is_sent_home() -> None:
    found = problem("Training", {**TRAINING, "S3OutputPath": "s3://b/k"})

    assert found.hint == "it belongs into OutputDataConfig"


@pytest.mark.parametrize("member", ["ModelPackageName", "CertifyForMarketplace"])
def test_what_a_pipeline_may_not_register_is_refused(member: str) -> None:
    found = problem("RegisterModel", {"ModelPackageGroupName": "g", member: "x"})

    assert found.message == f"Unknown Argument member '{member}'."
    assert found.hint == "the service refuses it in a pipeline"


def test_an_enum_mismatch_is_told_as_the_service_does() -> None:
    source = {
        "S3Uri": "s3://b/k",
        "S3DataType": "S3Prefix",
        "LocalPath": "/opt/ml/processing/x",
        "S3InputMode": "FastFile",
    }
    found = problem("Processing", {**PROCESSING, "ProcessingInputs": [{"InputName": "i", "S3Input": source}]})

    assert found.path == "Steps[0].Arguments.ProcessingInputs[0].S3Input.S3InputMode"
    assert found.message == (
        "Model Validation failed: Value 'FastFile' for 'ProcessingS3InputMode' failed to satisfy enum value set: [Pipe, File]"
    )


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        (
            "ResourceConfig",
            {**TRAINING["ResourceConfig"], "InstanceCount": "1"},
            "ResourceConfig.InstanceCount",
        ),
        (
            "ResourceConfig",
            {**TRAINING["ResourceConfig"], "InstanceCount": True},
            "ResourceConfig.InstanceCount",
        ),
        (
            "ResourceConfig",
            {**TRAINING["ResourceConfig"], "InstanceCount": -1},
            "ResourceConfig.InstanceCount",
        ),
        ("EnableNetworkIsolation", "true", "EnableNetworkIsolation"),
        ("HyperParameters", {"lr": 0.1}, "HyperParameters.lr"),
        ("HyperParameters", {str(n): "" for n in range(101)}, "HyperParameters"),
        ("HyperParameters", [], "HyperParameters"),
        ("InputDataConfig", {"ChannelName": "x"}, "InputDataConfig"),
        ("Tags", [{"Key": "k" * 129, "Value": "v"}], "Tags[0].Key"),
        ("OutputDataConfig", {"S3OutputPath": "bucket/out"}, "OutputDataConfig.S3OutputPath"),
    ],
)
def test_a_literal_of_the_wrong_type_size_or_form_is_refused(member: str, value: Any, path: str) -> None:
    assert problem("Training", {**TRAINING, member: value}).path == f"Steps[0].Arguments.{path}"


def test_an_expression_may_stand_for_any_value() -> None:
    get = {"Get": "Parameters.P"}
    arguments = {
        **dict.fromkeys(("RoleArn", "OutputDataConfig", "HyperParameters", "EnableNetworkIsolation"), get),
        "ResourceConfig": {"InstanceType": get, "InstanceCount": get, "VolumeSizeInGB": get},
        "Tags": [get],
    }

    assert check("Training", arguments) == []


def test_an_expression_cannot_stand_for_a_list() -> None:
    found = problem("Training", {**TRAINING, "InputDataConfig": {"Get": "Parameters.P"}})

    assert found.message == "Expecting start of Json Array."


def test_lists_have_a_limit() -> None:
    inputs = [{"InputName": f"i{n}", "AppManaged": False} for n in range(11)]

    found = problem("Processing", {**PROCESSING, "ProcessingInputs": inputs})

    assert found.path == "Steps[0].Arguments.ProcessingInputs"


def test_steps_in_branches_are_checked_at_their_path() -> None:
    inner = {"Name": "Inner", "Type": "Training", "Arguments": {**TRAINING, "Typo": 1}}
    outer = {
        "Name": "C",
        "Type": "Condition",
        "Arguments": {"Conditions": [], "IfSteps": [inner], "ElseSteps": []},
    }

    found = check_arguments(parse(json.dumps({"Steps": [outer]})))

    assert [(one.step, one.path) for one in found] == [
        ("Inner", "Steps[0].Arguments.IfSteps[0].Arguments.Typo")
    ]


def test_made_up_roles_are_welcome() -> None:
    assert check("Training", {**TRAINING, "RoleArn": "DummyRole"}) == []


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        ("EMR", {"ClusterId": "j-1", "StepConfig": {}}, "StepConfig.HadoopJarStep"),
        ("EMRServerless", {"ApplicationId": "a", "JobConfig": {"jobDrivr": {}}}, "JobConfig.jobDrivr"),
        ("Lineage", {"Actions": [{"ActionName": "a"}]}, "Actions[0].Source"),
        ("Cleanup", {"Resources": {"S3": [{"S3Uris": []}]}}, "Resources.S3[0].StepName"),
        ("EndpointConfig", {"EndpointConfigName": "c"}, "ProductionVariants"),
    ],
)
def test_arguments_of_other_services_are_checked_too(kind: str, arguments: Any, path: str) -> None:
    assert check(kind, arguments)[0].path == f"Steps[0].Arguments.{path}"


def test_any_payload_goes_to_a_function() -> None:
    step = {"Name": "L", "Type": "Lambda", "FunctionArn": "f", "Arguments": {"any": [{"thing": None}]}}

    assert check_arguments(parse(json.dumps({"Steps": [step]}))) == []
