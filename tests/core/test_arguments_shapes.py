"""The model of the API, read from botocore's files, says what botocore says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sagelocal.shapes import request_shape, response_shape, validate


def test_a_request_has_the_members_that_the_api_has() -> None:
    shape = request_shape("CreateTrainingJob")

    assert "TrainingJobName" in shape.required
    assert shape.member("ResourceConfig").member("InstanceCount").type == "integer"
    assert shape.member("InputDataConfig").element.member("ChannelName").type == "string"
    assert shape.member("HyperParameters").element.type == "string"


def test_an_answer_is_compared_with_its_shape() -> None:
    assert (
        validate(
            "DescribePipeline", {"PipelineName": "p", "CreationTime": "2024-01-01T00:00:00Z"}, "response"
        )
        == []
    )
    assert validate(
        "DescribePipeline", {"PipelineNam": "p", "CreationTime": [], "PipelineDefinition": 1}, "response"
    ) == [
        "PipelineNam: Unknown Argument member 'PipelineNam'. (did you mean PipelineName?)",
        "CreationTime: Model Validation failed: 'Timestamp' must be a moment. (got [])",
        "PipelineDefinition: Model Validation failed: 'PipelineDefinition' must be a string. (got 1)",
    ]


def test_required_members_of_an_answer_are_missed() -> None:
    missing = {fault.split(":")[0] for fault in validate("DescribeProcessingJob", {}, "response")}

    assert missing == set(response_shape("DescribeProcessingJob").required)


def test_a_request_is_compared_with_its_shape_and_needs_no_client_token() -> None:
    arn = "arn:aws:sagemaker:us-east-1:111122223333:pipeline/p/execution/abcdefghijkl"

    assert validate("StopPipelineExecution", {"PipelineExecutionArn": arn}, "request") == []
    assert len(validate("StopPipelineExecution", {"PipelineExecutionArn": "x"}, "request")) == 1


def test_an_operation_that_does_not_exist_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        request_shape("CreateNothing")


def test_the_check_does_without_importing_botocore() -> None:
    script = """
import json, sys
from sagelocal.check.arguments import check_arguments
from sagelocal.definition import parse
check_arguments(parse(json.dumps({"Steps": [{"Name": "M", "Type": "Model", "Arguments": {}}]})))
sys.exit(any(name in sys.modules for name in ("botocore", "boto3", "pydantic")))
"""

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
