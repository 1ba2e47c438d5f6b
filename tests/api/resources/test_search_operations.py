"""Search over the account, as scripts, SDKs and their documentation use it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

Find = Any


@pytest.fixture(name="find")
async def _find(sage: Any, make: Any) -> Find:
    """Finds the names of training jobs: deep (depth 9, owned by a), flat (depth 3) and bad-one, which failed."""
    await sage.call(
        "create_training_job", **make.training("deep", HyperParameters={"depth": "9"}, Tags=_OWNED)
    )
    await sage.trained("deep")
    await sage.call("create_training_job", **make.training("flat"))
    await sage.trained("flat")
    await sage.call("create_training_job", **make.training("bad-one"))
    await sage.trained("bad-one")

    async def find(expression: Any = None, **request: Any) -> list[str]:
        if expression is not None:
            request["SearchExpression"] = expression
        answer = await sage.call("search", Resource="TrainingJob", **request)
        return [each["TrainingJob"]["TrainingJobName"] for each in answer["Results"]]

    return find


_OWNED = [{"Key": "Owner", "Value": "a"}]


def _where(name: str, operator: str | None = None, value: str | None = None) -> dict[str, str]:
    parts = {"Name": name, "Operator": operator, "Value": value}
    return {key: each for key, each in parts.items() if each is not None}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (_where("TrainingJobName", None, "flat"), ["flat"]),
        (_where("TrainingJobName", "NotEquals", "flat"), ["bad-one", "deep"]),
        (_where("TrainingJobName", "Contains", "e"), ["bad-one", "deep"]),
        (_where("TrainingJobName", "In", "flat, deep"), ["flat", "deep"]),
        (_where("TrainingJobStatus", "Equals", "Failed"), ["bad-one"]),
        (_where("HyperParameters.depth", "GreaterThan", "5"), ["deep"]),
        (_where("HyperParameters.depth", "LessThanOrEqualTo", "3"), ["bad-one", "flat"]),
        (_where("Metrics.loss", "LessThan", "0.5"), ["flat", "deep"]),
        (_where("Metrics.loss", "GreaterThanOrEqualTo", "0.5"), []),
        (_where("Tags.Owner", "Equals", "a"), ["deep"]),
        (_where("Tags.Owner", "NotExists"), ["bad-one", "flat"]),
        (_where("FailureReason", "Exists"), ["bad-one"]),
        (_where("CreationTime", "GreaterThan", "2020-01-01T00:00:00"), ["bad-one", "flat", "deep"]),
        (_where("CreationTime", "LessThan", "2020-01-01T00:00:00Z"), []),
        (
            _where("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "train"),
            ["bad-one", "flat", "deep"],
        ),
        (_where("EnableNetworkIsolation", "Equals", "false"), ["bad-one", "flat", "deep"]),
        (_where("ResourceConfig.InstanceCount", "Equals", "1"), ["bad-one", "flat", "deep"]),
    ],
)
async def test_one_condition_finds_what_it_names(
    find: Find, condition: dict[str, str], expected: list[str]
) -> None:
    assert await find({"Filters": [condition]}) == expected


async def test_conditions_are_joined(find: Find) -> None:
    flat, deep = _where("TrainingJobName", "Equals", "flat"), _where("HyperParameters.depth", "Equals", "9")
    assert await find({"Filters": [flat, deep]}) == []
    assert await find({"Filters": [flat, deep], "Operator": "Or"}) == ["flat", "deep"]
    either = {"Filters": [flat, deep], "Operator": "Or"}
    done = {"Filters": [_where("Tags.Owner", "Exists")]}
    assert await find({"SubExpressions": [either, done]}) == ["deep"]
    channel = [
        _where("InputDataConfig.ChannelName", "Equals", "train"),
        _where("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "b/train"),
    ]
    nested = {"NestedPropertyName": "InputDataConfig", "Filters": channel}
    assert len(await find({"NestedFilters": [nested]})) == 3
    channel[0]["Value"] = "test"
    assert await find({"NestedFilters": [nested]}) == []


async def test_results_are_sorted_and_come_in_pages(sage: Any, find: Find) -> None:
    assert await find() == ["bad-one", "flat", "deep"]
    assert await find(SortBy="CreationTime", SortOrder="Ascending") == ["deep", "flat", "bad-one"]
    assert await find(SortBy="HyperParameters.depth", SortOrder="Descending", MaxResults=1) == ["deep"]
    assert await find(SortBy="metrics.loss", SortOrder="Ascending", MaxResults=1) == ["bad-one"]
    page = await sage.call("search", Resource="TrainingJob", MaxResults=2)
    assert page["TotalHits"] == {"Value": 3, "Relation": "EqualTo"}
    assert await find(MaxResults=2, NextToken=page["NextToken"]) == ["deep"]
    assert await find(VisibilityConditions=[{"Key": "Tags.Owner", "Value": "b"}]) == ["bad-one", "flat"]
    assert await find(CrossAccountFilterOption="CrossAccount") == []


async def test_a_property_that_there_is_not_is_refused(find: Find) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*Unknown property name: Foo"):
        await find({"Filters": [_where("Foo", "Equals", "1")]})
    with pytest.raises(ClientError, match=r"ValidationException.*Unknown property name: Bar.x"):
        await find(SortBy="Bar.x")


async def _scene(sage: Any, make: Any) -> None:
    """One of everything."""
    await sage.call("create_model", **make.model("m"))
    variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    await sage.call("create_endpoint_config", EndpointConfigName="c", ProductionVariants=[variant])
    await sage.call("create_endpoint", EndpointName="e", EndpointConfigName="c")
    await sage.call("create_model_package_group", ModelPackageGroupName="g")
    await sage.call("create_model_package", ModelPackageGroupName="g", **make.package())
    await sage.call("create_hyper_parameter_tuning_job", **make.tuning("h", 1))
    by = {"HyperParameterTuningJobName": "h"}
    await sage.ended("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobStatus", **by)
    config = {"ExperimentName": "x", "TrialName": "t"}
    await sage.call("create_processing_job", **make.processing("p"), ExperimentConfig=config)
    await sage.ended("describe_processing_job", "ProcessingJobStatus", ProcessingJobName="p")
    step = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    definition = {"Version": "2020-12-01", "Parameters": [], "Steps": [step]}
    role = "arn:aws:iam::000000000000:role/jobs"
    await sage.call(
        "create_pipeline", PipelineName="P", RoleArn=role, PipelineDefinition=json.dumps(definition)
    )
    arn = (await sage.call("start_pipeline_execution", PipelineName="P"))["PipelineExecutionArn"]
    await sage.engine.wait(arn)


async def test_everything_is_found(sage: Any, make: Any) -> None:
    await _scene(sage, make)
    expected = {
        "Endpoint": ("EndpointName", "e"),
        "Experiment": ("ExperimentName", "x"),
        "ExperimentTrial": ("TrialName", "t"),
        "HyperParameterTuningJob": ("HyperParameterTuningJobName", "h"),
        "Model": ("ModelName", "m"),
        "ModelPackage": ("ModelApprovalStatus", "PendingManualApproval"),
        "ModelPackageGroup": ("ModelPackageGroupName", "g"),
        "Pipeline": ("PipelineName", "P"),
        "PipelineExecution": ("PipelineExecutionStatus", "Failed"),
    }
    for resource, (name, value) in expected.items():
        expression = {"Filters": [_where(name, "Equals", value)]}
        answer = await sage.call("search", Resource=resource, SearchExpression=expression)
        assert len(answer["Results"]) == 1, resource
    parents = {"Filters": [_where("Parents.TrialName", "Equals", "t")]}
    answer = await sage.call("search", Resource="ExperimentTrialComponent", SearchExpression=parents)
    [found] = (each["TrialComponent"] for each in answer["Results"])
    assert found["Parents"] == [{"TrialName": "t", "ExperimentName": "x"}]
    assert found["SourceDetail"]["ProcessingJob"]["ProcessingJobName"] == "p"
    assert (await sage.call("search", Resource="FeatureGroup"))["Results"] == []


async def test_properties_are_suggested(sage: Any) -> None:
    query = {"PropertyNameQuery": {"PropertyNameHint": "trainingjobS"}}
    answer = await sage.call("get_search_suggestions", Resource="TrainingJob", SuggestionQuery=query)
    assert answer["PropertyNameSuggestions"] == [{"PropertyName": "TrainingJobStatus"}]
