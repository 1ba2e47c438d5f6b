"""The training jobs of a tuning job, from its definitions to what they leave."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.catalog import Kind
from sagelocal.jobs import Succeeded

if TYPE_CHECKING:
    from tests.executors.conftest import Box
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning

NAME = "abcdefghijkl-Tune-0123456789"


async def test_the_children_are_ordinary_training_jobs(tuning: Tuning, check_shape: Any) -> None:
    await tuning.run(tuning.squared)

    jobs = tuning.training_jobs()
    assert len(jobs) == 4
    for number, job in enumerate(jobs, 1):
        check_shape("DescribeTrainingJobResponse", job)
        assert re.fullmatch(rf"{NAME}-{number:03d}-[0-9a-f]{{8}}", job["TrainingJobName"])
        assert job["TuningJobArn"] == tuning.described()["HyperParameterTuningJobArn"]
        assert job["HyperParameters"].keys() == {"depth", "x", "_tuning_objective_metric"}
        assert job["HyperParameters"]["depth"] == "3"
        assert job["HyperParameters"]["_tuning_objective_metric"] == "loss"
        assert job["ResourceConfig"] == {
            "InstanceType": "ml.m5.xlarge",
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        }
        assert job["FinalMetricDataList"][0]["Value"] == pytest.approx(
            float(job["HyperParameters"]["x"]) ** 2
        )
        log = tuning.world.logs.tail(
            "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl",
            f"Tune/{job['TrainingJobName']}",
            100,
        )
        assert any(line.startswith("loss=") for line in log)


async def test_the_model_of_every_completed_trial_is_where_the_sdk_looks(tuning: Tuning) -> None:
    outcome = await tuning.run(tuning.squared)

    assert isinstance(outcome, Succeeded)
    answer: Any = outcome.properties
    for item in answer["TrainingJobSummaries"]:
        assert tuning.world.get(f"s3://bucket/models/{item['TrainingJobName']}/output/model.tar.gz")


async def test_a_training_job_is_on_record_from_its_start(tuning: Tuning, check_shape: Any) -> None:
    seen: list[Any] = []

    def program(box: Box) -> None:
        entity = tuning.world.catalog.get(Kind.TRAINING_JOB, box.spec.env["TRAINING_JOB_NAME"])
        assert entity is not None
        seen.append((entity.describe, tuning.described()))
        tuning.squared(box)

    await tuning.run(program)

    for job, described in seen:
        check_shape("DescribeTrainingJobResponse", job)
        check_shape("DescribeHyperParameterTuningJobResponse", described)
        assert (job["TrainingJobStatus"], described["HyperParameterTuningJobStatus"]) == (
            "InProgress",
            "InProgress",
        )
        assert described["TrainingJobStatusCounters"]["InProgress"] in {1, 2}
        assert described["ObjectiveStatusCounters"]["Pending"] >= 1


async def test_several_definitions_take_turns_and_are_ranked_together(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    def one(name: str, path: str, low: float) -> Any:
        return make.definition(
            DefinitionName=name,
            TuningObjective={"Type": "Minimize", "MetricName": "loss"},
            HyperParameterRanges=make.ranges(continuous=[make.continuous("x", low, low + 1)]),
            OutputDataConfig={"S3OutputPath": path},
            RetryStrategy={"MaximumRetryAttempts": 3},
        )

    config = make.config(jobs=5)
    del config["HyperParameterTuningJobObjective"], config["ParameterRanges"]
    training = [one("big", "s3://bucket/big", 5), one("small", "s3://bucket/small", 0)]
    outcome = await tuning.run(tuning.squared, make.request(config, training))

    assert isinstance(outcome, Succeeded), tuning.log()
    answer: Any = outcome.properties
    check_tuning(answer)
    names = [item["TrainingJobDefinitionName"] for item in answer["TrainingJobSummaries"]]
    assert names == ["small", "small", "big", "big", "big"]
    assert len(answer["TrainingJobDefinitions"]) == 2
    paths = [job["OutputDataConfig"]["S3OutputPath"] for job in tuning.training_jobs()]
    assert paths == ["s3://bucket/big", "s3://bucket/small"] * 2 + ["s3://bucket/big"]


async def test_checkpoints_and_tags_reach_the_training_jobs(tuning: Tuning, make: Make) -> None:
    training = make.definition(
        CheckpointConfig={"S3Uri": "s3://bucket/checkpoints/"},
        Environment={"A": 1},
        EnableNetworkIsolation=True,
    )
    await tuning.run(
        tuning.squared, make.request(make.config(jobs=2), training, Tags=[{"Key": "a", "Value": "b"}])
    )

    for job in tuning.training_jobs():
        assert job["CheckpointConfig"]["S3Uri"] == f"s3://bucket/checkpoints/{job['TrainingJobName']}"
        assert (job["Environment"], job["EnableNetworkIsolation"]) == ({"A": "1"}, True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 5}},
            {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 5},
        ),
        (
            {
                "HyperParameterTuningResourceConfig": {
                    "AllocationStrategy": "Prioritized",
                    "InstanceConfigs": [
                        {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 4},
                        {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 8},
                    ],
                }
            },
            {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 4},
        ),
    ],
)
async def test_either_way_to_name_instances_becomes_a_resource_config(
    tuning: Tuning, make: Make, check_tuning: CheckTuning, given: Any, expected: Any
) -> None:
    training = {**make.definition(), "HyperParameterTuningResourceConfig": None, **given}
    outcome = await tuning.run(tuning.squared, make.request(make.config(jobs=1), training))

    assert isinstance(outcome, Succeeded), outcome
    check_tuning(outcome.properties)
    assert tuning.training_jobs()[0]["ResourceConfig"] == expected


async def test_numbers_from_parameters_become_texts(
    tuning: Tuning, make: Make, check_tuning: CheckTuning
) -> None:
    spaces = make.ranges(
        integer=[{"Name": "x", "MinValue": 1, "MaxValue": 9}],
        categorical=[{"Name": "flag", "Values": [True, 2]}],
    )
    training = make.definition(StaticHyperParameters={"depth": 3, "eta": 0.1})
    outcome = await tuning.run(
        tuning.squared, make.request(make.config(jobs=1, ParameterRanges=spaces), training)
    )

    assert isinstance(outcome, Succeeded), outcome
    answer: Any = outcome.properties
    check_tuning(answer)
    described = answer["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert described["IntegerParameterRanges"][0]["MinValue"] == "1"
    assert described["CategoricalParameterRanges"][0]["Values"] == ["true", "2"]
    assert answer["TrainingJobDefinition"]["StaticHyperParameters"] == {"depth": "3", "eta": "0.1"}
