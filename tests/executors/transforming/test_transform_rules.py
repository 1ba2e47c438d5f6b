"""What CreateTransformJob refuses, and where its numbers come from."""

from __future__ import annotations

from typing import Any

import pytest

from sagelocal.jobs import Failed
from sagelocal_executors.transform.request import parse_transform
from sagelocal_executors.transform.strategy import environment, strategy

REJECTED = "ClientError: Failed to invoke sagemaker:CreateTransformJob. Error Details: "
CSV = {"ContentType": "text/csv", "Accept": "text/csv", "SplitType": "Line", "AssembleWith": "Line"}
JSON = {
    "ContentType": "application/json",
    "Accept": "application/json",
    "SplitType": None,
    "AssembleWith": None,
}
STAMPED = {"DataCaptureConfig": {"DestinationS3Uri": "s3://bucket/captured", "GenerateInferenceId": True}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ModelName": None}, "ModelName: Field required"),
        ({"TransformResources": None}, "TransformResources: Field required"),
        ({"MaxPayloadInMB": 101}, "MaxPayloadInMB: Input should be less than or equal to 100"),
        ({"MaxPayloadInMB": -1}, "MaxPayloadInMB: Input should be greater than or equal to 0"),
        ({"MaxConcurrentTransforms": 11, "MaxPayloadInMB": 10}, "is 11 * 10 = 110 MB, more than 100 MB"),
        ({"InstanceCount": 0}, "TransformResources.InstanceCount: Input should be greater than or equal to 1"),
        ({"InstanceCount": 101}, "TransformResources.InstanceCount: Input should be less than or equal to 100"),
        ({"SplitType": "Word"}, "TransformInput.SplitType: Input should be 'None', 'Line'"),
        ({"CompressionType": "Zip"}, "TransformInput.CompressionType: Input should be 'None' or 'Gzip'"),
        ({"AssembleWith": "Comma"}, "TransformOutput.AssembleWith: Input should be 'None' or 'Line'"),
        ({"BatchStrategy": "AllRecords"}, "BatchStrategy: Input should be 'MultiRecord' or 'SingleRecord'"),
        ({"S3OutputPath": "/tmp/out"}, "TransformOutput.S3OutputPath: Value error, '/tmp/out' is not an S3 URI"),
        ({"InvocationsMaxRetries": 4}, "InvocationsMaxRetries: Input should be less than or equal to 3"),
        ({"InvocationsTimeoutInSeconds": 3601}, "InvocationsTimeoutInSeconds: Input should be less than"),
        ({"InvocationsTimeoutInSeconds": 0}, "InvocationsTimeoutInSeconds: Input should be greater than"),
        ({"Environment": {f"K{number}": "v" for number in range(17)}}, "Environment: "),
        ({"Environment": {"not a name": "v"}}, "Environment.not a name"),
        ({"DataSource": {"S3DataSource": {"S3DataType": "AugmentedManifestFile", "S3Uri": "s3://b/m"}}}, "S3DataType"),
        ({"InputFilter": "id"}, "InputFilter: Value error, Invalid JsonPath: id: it must begin with $"),
        ({"OutputFilter": "$[0,5:]"}, "only single range filters of format (eg: [1:5]) are supported"),
        ({"InputFilter": "$." + "x" * 62}, "is no text of at most 63 characters"),
        ({"JoinSource": "Output"}, "DataProcessing.JoinSource: Input should be 'None' or 'Input'"),
        # "Associate prediction results": the same format on both sides, and records that fit it.
        ({**CSV, "InputFilter": "$.id"}, "InputFilter $.id: the rows of CSV data are arrays"),
        ({**CSV, "OutputFilter": "$['id']"}, "OutputFilter $['id']: the rows of CSV data are arrays"),
        ({**CSV, "InputFilter": "$[1:]", "SplitType": None}, "needs SplitType Line"),
        ({**CSV, "OutputFilter": "$[0]", "AssembleWith": None}, "needs AssembleWith Line"),
        ({**CSV, "JoinSource": "Input", "AssembleWith": None}, "needs AssembleWith Line"),
        ({**CSV, "JoinSource": "Input", "Accept": None}, "needs Accept to be one of text/csv, application/json, application/jsonlines, not none"),
        ({**CSV, "JoinSource": "Input", "ContentType": "text/libsvm"}, "needs ContentType to be one of"),
        ({**CSV, "JoinSource": "Input", "ContentType": None}, "needs ContentType to be one of"),
        ({**CSV, "JoinSource": "Input", "Accept": "application/json"}, "needs the same ContentType and Accept"),
        ({**JSON, "JoinSource": "Input", "SplitType": "Line"}, "needs the same SplitType and AssembleWith"),
        ({**JSON, "JoinSource": "Input", "SplitType": "TFRecord"}, "not with SplitType TFRecord"),
        ({**CSV, **STAMPED, "Accept": "image/png"}, "needs Accept to be one of"),
    ],
)  # fmt: skip
async def test_what_aws_documents_is_refused_before_anything_runs(
    transforming: Any, changes: dict[str, Any], text: str
) -> None:
    transforming.put("a.csv", "1,2\n")

    outcome = await transforming.fail(**changes)

    assert outcome.reason.startswith(REJECTED)
    assert text in outcome.reason
    assert outcome.error == "ClientError"
    assert outcome.properties == {}
    assert transforming.model.specs == []


@pytest.mark.parametrize(
    "changes",
    [
        {"MaxConcurrentTransforms": 10, "MaxPayloadInMB": 10},
        {"MaxConcurrentTransforms": 0, "MaxPayloadInMB": 100},
        {"ContentType": None, "Accept": None, "SplitType": None, "AssembleWith": None},
        {"BatchStrategy": "SingleRecord", "SplitType": None, "AssembleWith": None},
        {**CSV, "InputFilter": "$[1:]", "Accept": None, "AssembleWith": None},
        {**CSV, "ContentType": "text/csv; charset=utf-8", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
        {**JSON, "InputFilter": "$.features", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"},
        {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None", "ContentType": None},
        {"InputFilter": None, "OutputFilter": None, "JoinSource": None},
    ],
)  # fmt: skip
async def test_what_it_allows_is_taken(transforming: Any, changes: dict[str, Any]) -> None:
    job = transforming.job(**changes)

    outcome = await transforming.executor().run(job)

    assert isinstance(outcome, Failed)  # as there are no data
    assert "no S3 objects found" in outcome.reason


async def test_a_model_that_does_not_exist_is_named(transforming: Any) -> None:
    outcome = await transforming.fail(ModelName="model-abalon")

    assert outcome.reason.startswith('ClientError: Could not find model "model-abalon"')
    assert "model-abalone" in outcome.reason
    assert outcome.properties == {}


@pytest.mark.parametrize(
    ("asked", "parameters", "chosen"),
    [
        ({}, {}, "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"),
        (
            {},
            {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 3},
            "MaxConcurrentTransforms=8, MaxPayloadInMB=3, BatchStrategy=SINGLE_RECORD",
        ),
        (
            {"MaxConcurrentTransforms": 2, "MaxPayloadInMB": 1, "BatchStrategy": "MultiRecord"},
            {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 3},
            "MaxConcurrentTransforms=2, MaxPayloadInMB=1, BatchStrategy=MULTI_RECORD",
        ),
        (
            {"MaxConcurrentTransforms": 0},
            {"MaxConcurrentTransforms": 4},
            "MaxConcurrentTransforms=4, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        ),
        (
            {"MaxPayloadInMB": 0},
            {"MaxPayloadInMB": 5},
            "MaxConcurrentTransforms=1, MaxPayloadInMB=0, BatchStrategy=MULTI_RECORD",
        ),
        (
            {},
            {"MaxConcurrentTransforms": "many", "MaxPayloadInMB": 1000, "BatchStrategy": 3},
            "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        ),
        (
            {},
            {"MaxConcurrentTransforms": 64, "MaxPayloadInMB": 10},
            "MaxConcurrentTransforms=10, MaxPayloadInMB=10, BatchStrategy=MULTI_RECORD",
        ),
    ],
)
def test_the_request_counts_before_the_container_and_that_before_the_defaults(
    transforming: Any, asked: dict[str, Any], parameters: dict[str, Any], chosen: str
) -> None:
    request = parse_transform(transforming.job(**asked).arguments)

    assert str(strategy(request, parameters).affordable()) == chosen


def test_the_platform_sets_only_the_variables_that_were_asked_for(transforming: Any) -> None:
    bare = environment(parse_transform(transforming.job().arguments))
    full = environment(
        parse_transform(
            transforming.job(
                Environment={"KEY": 3},
                MaxPayloadInMB=0,
                BatchStrategy="SingleRecord",
                MaxConcurrentTransforms=2,
            ).arguments
        )
    )

    assert bare == {"SAGEMAKER_BATCH": "true"}
    assert full == {
        "KEY": "3",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
    }
