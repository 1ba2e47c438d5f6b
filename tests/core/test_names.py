"""ARNs, job names and S3 URIs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagelocal import names
from sagelocal.errors import UsageError
from sagelocal.names import Partition, S3Uri

ARN = Partition("us-east-1", "000000000000").execution("Pipe", "cfvy1tjuxdq8")
# botocore: TrainingJobName and its like.
JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def test_a_pipelines_arn_keeps_its_case_and_other_arns_do_not() -> None:
    partition = Partition("us-east-1", "000000000000")
    assert partition.pipeline("MyPipe") == "arn:aws:sagemaker:us-east-1:000000000000:pipeline/MyPipe"
    assert (
        partition.arn("training-job/Pipelines-X")
        == "arn:aws:sagemaker:us-east-1:000000000000:training-job/pipelines-x"
    )


def test_service_texts_have_the_pipelines_name_in_lower_case() -> None:
    assert names.in_service_text(ARN).endswith("pipeline/pipe/execution/cfvy1tjuxdq8")


def test_a_job_name_has_the_documented_form() -> None:
    assert re.fullmatch(
        r"pipelines-cfvy1tjuxdq8-AbaloneTransform-[a-z0-9]{10}", names.job_name(ARN, "AbaloneTransform", 1)
    )


def test_each_further_attempt_has_a_name_of_its_own() -> None:
    first, second, third = (names.job_name(ARN, "S", attempt) for attempt in (1, 2, 3))
    assert (second, third) == (f"{first}-1", f"{first}-2")


def test_a_custom_prefix_comes_first() -> None:
    assert re.fullmatch(r"Base-cfvy1tjuxdq8-[a-z0-9]{10}-0", names.job_name(ARN, "S", 1, "Base"))


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9\-_]{0,63}", fullmatch=True), st.integers(1, 20))
def test_every_job_name_is_legal(step: str, attempt: int) -> None:
    assert JOB_NAME.fullmatch(names.job_name(ARN, step, attempt))


@given(st.text(max_size=40))
def test_an_s3_uri_survives_a_round_trip(key: str) -> None:
    assert S3Uri.parse(str(S3Uri("bucket", key))) == S3Uri("bucket", key)


@pytest.mark.parametrize(
    "text", ["", "s3://", "s3:///x", "https://b/x", "/data/x", "s3://a..b/x", "s3://../x", "s3://./x"]
)
def test_what_is_no_s3_uri_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an S3 URI"):
        S3Uri.parse(text)


def test_joining_makes_exactly_one_slash() -> None:
    assert str(S3Uri.parse("s3://bucket/a/") / "b") == "s3://bucket/a/b"
    assert str(S3Uri.parse("s3://bucket") / "b") == "s3://bucket/b"


@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(1, 200), st.none() | st.just("Tuning")
)
def test_names_of_tuning_jobs_are_short_and_still_told_apart(
    step: str, attempt: int, prefix: str | None
) -> None:
    name = names.job_name(ARN, step, attempt, prefix, 32)

    assert len(name) <= 32
    assert JOB_NAME.fullmatch(name)
    assert "cfvy1tjuxdq8" in name
    assert name != names.job_name(ARN, step, attempt + 1, prefix, 32)
    assert name != names.job_name(ARN, f"{step}x", attempt, prefix, 32)
