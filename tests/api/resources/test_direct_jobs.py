"""Jobs that a client creates by themselves run as the jobs of steps do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.direct_jobs import created

KINDS = {
    "training_job": ("TrainingJobName", "TrainingJobStatus"),
    "processing_job": ("ProcessingJobName", "ProcessingJobStatus"),
    "transform_job": ("TransformJobName", "TransformJobStatus"),
    "hyper_parameter_tuning_job": ("HyperParameterTuningJobName", "HyperParameterTuningJobStatus"),
    "auto_ml_job": ("AutoMLJobName", "AutoMLJobStatus"),
}
ENTITY = {
    "training_job": "training-job",
    "processing_job": "processing-job",
    "transform_job": "transform-job",
    "hyper_parameter_tuning_job": "hyper-parameter-tuning-job",
    "auto_ml_job": "automl-job",
}


def _request(make: Any, kind: str, name: str) -> dict[str, Any]:
    requests: dict[str, Any] = {
        "training_job": lambda: make.training(name),
        "processing_job": lambda: make.processing(name),
        "transform_job": lambda: make.transform(name, "m"),
        "hyper_parameter_tuning_job": lambda: make.tuning(name),
        "auto_ml_job": lambda: make.auto_ml(name),
    }
    request: dict[str, Any] = requests[kind]()
    return request


@pytest.fixture(params=KINDS, name="kind")
def _kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _create(sage: Any, make: Any, kind: str, name: str, **more: Any) -> Any:
    if kind == "transform_job" and not (await sage.call("list_models"))["Models"]:
        await sage.call("create_model", **make.model("m"))
    return await sage.call(f"create_{kind}", **_request(make, kind, name), **more)


async def test_a_job_runs_to_its_end(sage: Any, make: Any, kind: str) -> None:
    by, status = KINDS[kind]
    answer = await _create(sage, make, kind, "Mine", Tags=[{"Key": "team", "Value": "a"}])
    [arn] = answer.values()
    assert arn == f"arn:aws:sagemaker:us-east-1:000000000000:{ENTITY[kind]}/mine"
    told = await sage.ended(f"describe_{kind}", status, **{by: "Mine"})
    assert told[status] == "Completed"
    assert told[by] == "Mine"
    assert (await sage.call("list_tags", ResourceArn=arn))["Tags"] == [{"Key": "team", "Value": "a"}]


# A stub plays an AutoML job at once.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "auto_ml_job"])
async def test_a_job_under_way_can_be_described_and_stopped(sage: Any, make: Any, kind: str) -> None:
    by, status = KINDS[kind]
    name = "slow-one"
    await _create(sage, make, kind, name)
    assert (await sage.call(f"describe_{kind}", **{by: name}))[status] == "InProgress"
    [listed] = (await sage.call(f"list_{kind}s", StatusEquals="InProgress")).values()
    assert [each[by] for each in listed] == [name]
    await sage.call(f"stop_{kind}", **{by: name})
    told = await sage.ended(f"describe_{kind}", status, **{by: name})
    assert told[status] == "Stopped"
    with pytest.raises(
        ClientError, match=r"ValidationException.*was rejected because .* is in status Stopped"
    ):
        await sage.call(f"stop_{kind}", **{by: name})


async def test_names_of_jobs_are_given_once(sage: Any, make: Any, kind: str) -> None:
    by, status = KINDS[kind]
    await _create(sage, make, kind, "twice")
    with pytest.raises(ClientError, match=r"ResourceInUse.*already exists"):
        await _create(sage, make, kind, "twice")
    await sage.ended(f"describe_{kind}", status, **{by: "twice"})
    with pytest.raises(ClientError, match=r"ResourceInUse.*already exists"):
        await _create(sage, make, kind, "twice")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("training_job", r"ValidationException.*Requested resource not found\."),
        ("processing_job", r"ValidationException.*Could not find requested job with name: none"),
        ("transform_job", r"ValidationException.*Could not find requested job with name: none"),
        ("hyper_parameter_tuning_job", r"ResourceNotFound.*can't find a tuning job called none"),
        ("auto_ml_job", r"ResourceNotFound.*Could not find requested job with name: none"),
    ],
)
async def test_a_job_that_is_not_there_is_not_found(sage: Any, kind: str, text: str) -> None:
    for operation in ("describe", "stop"):
        with pytest.raises(ClientError, match=text):
            await sage.call(f"{operation}_{kind}", **{KINDS[kind][0]: "none"})


async def test_a_training_job_tells_how_far_it_is_and_what_came_out(sage: Any, make: Any) -> None:
    await sage.call("create_training_job", **make.training("slow-t"))
    while True:
        told = await sage.call("describe_training_job", TrainingJobName="slow-t")
        if told["SecondaryStatus"] == "Training":
            break
    assert [each["Status"] for each in told["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
    ]
    assert "EndTime" not in told["SecondaryStatusTransitions"][-1]
    assert told["HyperParameters"] == {"depth": "3"}
    assert "TrainingEndTime" not in told
    await sage.call("create_training_job", **make.training("quick"))
    told = await sage.trained("quick")
    [metric] = told["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 0.25)
    assert told["ModelArtifacts"]["S3ModelArtifacts"] == "s3://b/models/quick/output/model.tar.gz"
    assert told["TrainingStartTime"] <= told["TrainingEndTime"]


async def test_a_job_that_fails_says_why(sage: Any, make: Any) -> None:
    await sage.call("create_training_job", **make.training("bad-one"))
    told = await sage.trained("bad-one")
    assert told["TrainingJobStatus"] == "Failed"
    assert told["FailureReason"].endswith("exit code: 3")


async def test_what_an_executor_refuses_is_refused_at_once(sage: Any, make: Any) -> None:
    algorithm = {"TrainingImage": "i", "TrainingInputMode": "File"}
    metrics = [{"Name": "loss", "Regex": "("}]
    request = make.training("odd", AlgorithmSpecification={**algorithm, "MetricDefinitions": metrics})
    with pytest.raises(ClientError, match=r"ValidationException.*: metric 'loss': invalid regex"):
        await sage.call("create_training_job", **request)
    with pytest.raises(ClientError, match=r"Requested resource not found"):
        await sage.call("describe_training_job", TrainingJobName="odd")
    # Its name is still free.
    await sage.call("create_training_job", **make.training("odd"))


async def test_requests_are_held_against_their_shape(sage: Any, make: Any) -> None:
    request = make.training("a b")
    with pytest.raises(ClientError, match=r"ValidationException.*Value 'a b' at 'trainingJobName' failed"):
        await sage.call("create_training_job", **request)


async def test_no_more_jobs_run_at_once_than_may(
    sage: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(created, "MOST", 1)
    await sage.call("create_training_job", **make.training("slow-1"))
    with pytest.raises(ClientError, match=r"ResourceLimitExceeded"):
        await sage.call("create_training_job", **make.training("slow-2"))
    await sage.call("stop_training_job", TrainingJobName="slow-1")
    await sage.trained("slow-1")
    await sage.call("create_training_job", **make.training("slow-2"))


async def test_a_deleted_job_is_gone_and_its_name_free(sage: Any, make: Any) -> None:
    await sage.call("create_training_job", **make.training("slow-d"))
    with pytest.raises(ClientError, match=r"ResourceInUse.*is in status InProgress"):
        await sage.call("delete_training_job", TrainingJobName="slow-d")
    await sage.call("stop_training_job", TrainingJobName="slow-d")
    await sage.trained("slow-d")
    await sage.call("delete_training_job", TrainingJobName="slow-d")
    with pytest.raises(ClientError, match=r"Requested resource not found"):
        await sage.call("describe_training_job", TrainingJobName="slow-d")
    await sage.call("create_training_job", **make.training("slow-d"))


async def test_jobs_are_filtered_sorted_and_listed_in_pages(sage: Any, make: Any) -> None:
    for name in ("b-1", "a-2", "bad-3"):
        await sage.call("create_training_job", **make.training(name))
        await sage.trained(name)

    async def names(**request: Any) -> list[str]:
        answer = await sage.call("list_training_jobs", **request)
        return [each["TrainingJobName"] for each in answer["TrainingJobSummaries"]]

    assert await names() == ["bad-3", "a-2", "b-1"]
    assert await names(SortOrder="Ascending") == ["b-1", "a-2", "bad-3"]
    assert await names(SortBy="Name") == ["a-2", "b-1", "bad-3"]
    assert await names(SortBy="Status", SortOrder="Descending", StatusEquals="Failed") == ["bad-3"]
    assert await names(NameContains="B") == ["bad-3", "b-1"]
    middle = await sage.call("describe_training_job", TrainingJobName="a-2")
    assert await names(CreationTimeAfter=middle["CreationTime"]) == ["bad-3", "a-2"]
    assert await names(CreationTimeBefore=middle["CreationTime"]) == ["a-2", "b-1"]
    assert await names(LastModifiedTimeBefore=middle["LastModifiedTime"]) == ["a-2", "b-1"]
    first = await sage.call("list_training_jobs", MaxResults=2)
    assert len(first["TrainingJobSummaries"]) == 2
    assert await names(MaxResults=2, NextToken=first["NextToken"]) == ["b-1"]


async def test_the_training_jobs_of_a_tuning_job_are_listed(sage: Any, make: Any) -> None:
    await sage.call("create_hyper_parameter_tuning_job", **make.tuning("tune", 3))
    by = {"HyperParameterTuningJobName": "tune"}
    told = await sage.ended("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobStatus", **by)
    assert told["TrainingJobStatusCounters"]["Completed"] == 3
    answer = await sage.call("list_training_jobs_for_hyper_parameter_tuning_job", **by)
    trials = answer["TrainingJobSummaries"]
    assert [each["TrainingJobName"][:8] for each in trials] == ["tune-001", "tune-002", "tune-003"]
    assert all(0.1 <= float(each["TunedHyperParameters"]["eta"]) <= 0.9 for each in trials)
    assert told["BestTrainingJob"]["TrainingJobName"] in {each["TrainingJobName"] for each in trials}
    best = await sage.call(
        "list_training_jobs_for_hyper_parameter_tuning_job",
        **by,
        SortBy="FinalObjectiveMetricValue",
        SortOrder="Descending",
        MaxResults=1,
    )
    metric = best["TrainingJobSummaries"][0]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 0.25)
    child = await sage.call("describe_training_job", TrainingJobName=trials[0]["TrainingJobName"])
    assert child["TuningJobArn"] == told["HyperParameterTuningJobArn"]
    with pytest.raises(ClientError, match=r"ResourceNotFound"):
        await sage.call(
            "list_training_jobs_for_hyper_parameter_tuning_job", HyperParameterTuningJobName="none"
        )
    await sage.call("delete_hyper_parameter_tuning_job", **by)


async def test_the_candidates_of_an_auto_ml_job_are_listed(sage: Any, make: Any) -> None:
    await sage.call("create_auto_ml_job", **make.auto_ml("auto"))
    told = await sage.ended("describe_auto_ml_job", "AutoMLJobStatus", AutoMLJobName="auto")
    answer = await sage.call("list_candidates_for_auto_ml_job", AutoMLJobName="auto")
    names = [each["CandidateName"] for each in answer["Candidates"]]
    assert told["BestCandidate"]["CandidateName"] in names
    one = await sage.call(
        "list_candidates_for_auto_ml_job",
        AutoMLJobName="auto",
        CandidateNameEquals=names[0],
        StatusEquals="Completed",
        SortBy="FinalObjectiveMetricValue",
    )
    assert [each["CandidateName"] for each in one["Candidates"]] == names[:1]


async def test_what_a_job_prints_is_in_cloud_watch_logs(sage: Any, make: Any) -> None:
    await sage.call("create_training_job", **make.training("talking"))
    await sage.trained("talking")
    import boto3

    logs = boto3.client(
        "logs",
        endpoint_url=sage.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    answer = await asyncio.to_thread(
        logs.filter_log_events,
        logGroupName="/aws/sagemaker/TrainingJobs",
        logStreamNamePrefix="talking/",
    )
    logs.close()
    assert "loss=0.25" in [event["message"] for event in answer["events"]]
