"""Experiments with their trials, and what jobs and executions add to them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

PREFIX = "arn:aws:sagemaker:us-east-1:000000000000:"


async def test_an_experiment_is_created_changed_listed_and_deleted(sage: Any) -> None:
    answer = await sage.call("create_experiment", ExperimentName="Wine", Description="red", Tags=_TAGS)
    assert answer == {"ExperimentArn": f"{PREFIX}experiment/wine"}
    assert (await sage.call("list_tags", ResourceArn=answer["ExperimentArn"]))["Tags"] == _TAGS
    await sage.call("update_experiment", ExperimentName="wine", DisplayName="Nice")
    # Names are not case-sensitive.
    told = await sage.call("describe_experiment", ExperimentName="WINE")
    assert (told["ExperimentName"], told["DisplayName"], told["Description"]) == ("Wine", "Nice", "red")
    await sage.call("create_experiment", ExperimentName="beer")
    listed = await sage.call("list_experiments")
    assert [each["ExperimentName"] for each in listed["ExperimentSummaries"]] == ["beer", "Wine"]
    later = await sage.call("list_experiments", CreatedBefore=told["CreationTime"])
    assert [each["ExperimentName"] for each in later["ExperimentSummaries"]] == ["Wine"]
    assert await sage.call("delete_experiment", ExperimentName="Wine") == answer
    with pytest.raises(ClientError, match=r"ResourceNotFound.*Experiment 'Wine' does not exist"):
        await sage.call("describe_experiment", ExperimentName="Wine")


_TAGS = [{"Key": "k", "Value": "v"}]


async def test_trials_and_their_components_are_associated(sage: Any) -> None:
    await sage.call("create_experiment", ExperimentName="wine")
    for trial in ("t-1", "t-2"):
        answer = await sage.call("create_trial", TrialName=trial, ExperimentName="wine")
        assert answer == {"TrialArn": f"{PREFIX}experiment-trial/{trial}"}
    answer = await sage.call("create_trial_component", TrialComponentName="c")
    assert answer == {"TrialComponentArn": f"{PREFIX}experiment-trial-component/c"}
    for trial in ("t-1", "t-2"):
        await sage.call("associate_trial_component", TrialComponentName="c", TrialName=trial)
    trials = await sage.call("list_trials", TrialComponentName="c", SortBy="Name")
    assert [each["TrialName"] for each in trials["TrialSummaries"]] == ["t-1", "t-2"]
    await sage.call("disassociate_trial_component", TrialComponentName="c", TrialName="t-1")
    trials = await sage.call("list_trials", TrialComponentName="c", ExperimentName="wine")
    assert [each["TrialName"] for each in trials["TrialSummaries"]] == ["t-2"]
    for request in ({"TrialName": "t-2"}, {"ExperimentName": "WINE"}):
        found = await sage.call("list_trial_components", **request)
        assert [each["TrialComponentName"] for each in found["TrialComponentSummaries"]] == ["c"]
    assert (await sage.call("list_trial_components", TrialName="t-1"))["TrialComponentSummaries"] == []
    await sage.call("update_trial", TrialName="t-1", DisplayName="first")
    told = await sage.call("describe_trial", TrialName="t-1")
    assert (told["DisplayName"], told["ExperimentName"]) == ("first", "wine")


async def test_what_is_in_use_is_not_deleted(sage: Any) -> None:
    await sage.call("create_experiment", ExperimentName="wine")
    await sage.call("create_trial", TrialName="t", ExperimentName="wine")
    await sage.call("create_trial_component", TrialComponentName="c")
    await sage.call("associate_trial_component", TrialComponentName="c", TrialName="t")
    with pytest.raises(ClientError, match=r"ValidationException.*has trials"):
        await sage.call("delete_experiment", ExperimentName="wine")
    with pytest.raises(ClientError, match=r"ValidationException.*has trial components"):
        await sage.call("delete_trial", TrialName="t")
    with pytest.raises(ClientError, match=r"ValidationException.*is in trials"):
        await sage.call("delete_trial_component", TrialComponentName="c")
    await sage.call("disassociate_trial_component", TrialComponentName="c", TrialName="t")
    await sage.call("delete_trial_component", TrialComponentName="c")
    await sage.call("delete_trial", TrialName="t")
    await sage.call("delete_experiment", ExperimentName="wine")


async def test_a_trial_component_is_updated_member_by_member(sage: Any) -> None:
    await sage.call(
        "create_trial_component",
        TrialComponentName="c",
        Parameters={"a": {"NumberValue": 1.0}, "b": {"StringValue": "x"}},
        StartTime=1_700_000_000,
    )
    await sage.call(
        "update_trial_component",
        TrialComponentName="c",
        Parameters={"a": {"NumberValue": 2.0}},
        ParametersToRemove=["b"],
        OutputArtifacts={"model": {"Value": "s3://b/m", "MediaType": "text/plain"}},
        Status={"PrimaryStatus": "Completed"},
    )
    told = await sage.call("describe_trial_component", TrialComponentName="c")
    assert told["Parameters"] == {"a": {"NumberValue": 2.0}}
    assert told["OutputArtifacts"]["model"]["Value"] == "s3://b/m"
    assert told["Status"] == {"PrimaryStatus": "Completed"}
    assert told["StartTime"].timestamp() == 1_700_000_000
    by_arn = await sage.call("describe_trial_component", TrialComponentName=told["TrialComponentArn"])
    assert by_arn["TrialComponentName"] == "c"


@pytest.mark.parametrize(
    ("noun", "word", "more"),
    [
        ("experiment", "Experiment", {}),
        ("trial", "Trial", {"ExperimentName": "Wine"}),
        ("trial_component", "Trial Component", {}),
    ],
)
async def test_names_are_given_once_whatever_their_case(
    sage: Any, noun: str, word: str, more: dict[str, str]
) -> None:
    await sage.call("create_experiment", ExperimentName="Wine")
    member = f"{word.replace(' ', '')}Name"
    await sage.call(f"create_{noun}", **{member: "Mine", **more})
    text = rf"ValidationException.*{word} with name \(mine\) already exists"
    with pytest.raises(ClientError, match=text):
        await sage.call(f"create_{noun}", **{member: "mine", **more})
    for operation in ("describe", "update", "delete"):
        with pytest.raises(ClientError, match=rf"ResourceNotFound.*{word} 'none' does not exist"):
            await sage.call(f"{operation}_{noun}", **{member: "none"})


async def test_a_job_goes_into_the_trial_that_it_names(sage: Any, make: Any) -> None:
    await sage.call("create_experiment", ExperimentName="wine")
    await sage.call("create_trial", TrialName="t", ExperimentName="wine")
    config = {"TrialName": "t", "TrialComponentDisplayName": "Training"}
    await sage.call("create_training_job", **make.training("job"), ExperimentConfig=config)
    told = await sage.trained("job")
    assert told["ExperimentConfig"] == config
    [found] = (await sage.call("list_trial_components", TrialName="t"))["TrialComponentSummaries"]
    assert found["TrialComponentName"] == "job-aws-training-job"
    assert found["TrialComponentSource"]["SourceArn"] == told["TrainingJobArn"]
    component = await sage.call("describe_trial_component", TrialComponentName="job-aws-training-job")
    assert component["DisplayName"] == "Training"
    assert component["Status"]["PrimaryStatus"] == "Completed"
    assert component["Parameters"]["depth"] == {"NumberValue": 3.0}
    assert component["Parameters"]["SageMaker.InstanceType"] == {"StringValue": "ml.m5.large"}
    assert component["InputArtifacts"]["train"]["Value"] == "s3://b/train"
    assert component["OutputArtifacts"]["SageMaker.ModelArtifact"]["Value"].endswith(
        "job/output/model.tar.gz"
    )
    assert component["Metrics"][0]["Last"] == 0.25
    by_source = await sage.call("list_trial_components", SourceArn=told["TrainingJobArn"])
    assert len(by_source["TrialComponentSummaries"]) == 1


async def test_every_kind_of_job_with_data_is_a_trial_component(sage: Any, make: Any) -> None:
    await sage.call("create_model", **make.model("m"))
    await sage.call("create_processing_job", **make.processing("p"))
    await sage.call("create_transform_job", **make.transform("x", "m"))
    await sage.ended("describe_processing_job", "ProcessingJobStatus", ProcessingJobName="p")
    await sage.ended("describe_transform_job", "TransformJobStatus", TransformJobName="x")
    for name, member, uri in (
        ("p-aws-processing-job", "out", "s3://b/out"),
        ("x-aws-transform-job", "SageMaker.TransformOutput", "s3://b/predictions"),
    ):
        told = await sage.call("describe_trial_component", TrialComponentName=name)
        assert told["OutputArtifacts"][member]["Value"] == uri


async def test_an_execution_has_an_experiment_and_a_trial(sage: Any, make: Any) -> None:
    request = make.training("")
    step = {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {k: request[k] for k in request if k != "TrainingJobName"},
    }
    names = {
        "ExperimentName": {"Get": "Execution.PipelineName"},
        "TrialName": {"Get": "Execution.PipelineExecutionId"},
    }
    definition = {"Version": "2020-12-01", "PipelineExperimentConfig": names, "Steps": [step]}
    role = request["RoleArn"]
    await sage.call(
        "create_pipeline", PipelineName="Wine", RoleArn=role, PipelineDefinition=json.dumps(definition)
    )
    arn = (await sage.call("start_pipeline_execution", PipelineName="Wine"))["PipelineExecutionArn"]
    await sage.engine.wait(arn)
    experiment = await sage.call("describe_experiment", ExperimentName="wine")
    assert experiment["Source"]["SourceArn"] == arn.partition("/execution/")[0]
    trial = await sage.call("describe_trial", TrialName=arn.rpartition("/")[2])
    assert trial["Source"] == {"SourceArn": arn, "SourceType": "SageMakerPipelineExecution"}
    components = await sage.call("list_trial_components", TrialName=trial["TrialName"])
    [component] = components["TrialComponentSummaries"]
    assert component["TrialComponentName"].startswith("pipelines-")
    assert component["TrialComponentName"].endswith("-aws-training-job")
