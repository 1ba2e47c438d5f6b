"""What a check compares with, what it makes of it, and what its step then shows (semantics 08 §8.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sagelocal.jobs import Failed, Stopped, Succeeded

if TYPE_CHECKING:
    from tests.executors.checks.conftest import Desk
    from tests.executors.conftest import Box

    CheckShape = Callable[[str, Mapping[str, Any]], None]

REGISTERED = {
    "DATA_QUALITY": ("ModelDataQuality", {"Statistics": "Statistics", "Constraints": "Constraints"}),
    "MODEL_QUALITY": ("ModelQuality", {"Statistics": "Statistics", "Constraints": "Constraints"}),
    "DATA_BIAS": ("Bias", {"Constraints": "PreTrainingConstraints"}),
    "MODEL_BIAS": ("Bias", {"Constraints": "PostTrainingConstraints"}),
    "MODEL_EXPLAINABILITY": ("Explainability", {"Constraints": "Constraints"}),
}
"""Per CheckType, the section of DriftCheckBaselines, and the member of each file."""
NEW = {
    "DATA_QUALITY": {"Statistics": "statistics.json", "Constraints": "constraints.json"},
    "MODEL_QUALITY": {"Statistics": "statistics.json", "Constraints": "constraints.json"},
    "DATA_BIAS": {"Constraints": "analysis.json"},
    "MODEL_BIAS": {"Constraints": "analysis.json"},
    "MODEL_EXPLAINABILITY": {"Constraints": "analysis.json"},
}


class Row(NamedTuple):
    """One row of the table: the two flags, whether is compared, and the baseline that the step says was used."""

    skip: bool
    register: bool
    compares: bool
    used: str

    @property
    def flags(self) -> dict[str, bool]:
        return {"SkipCheck": self.skip, "RegisterNewBaseline": self.register}


TABLE = [
    Row(skip=False, register=False, compares=True, used="previous"),
    Row(skip=False, register=True, compares=True, used="new"),
    Row(skip=True, register=False, compares=False, used="previous"),
    Row(skip=True, register=True, compares=False, used="new"),
]
EVERY_CHECK = pytest.mark.parametrize("check_type", NEW)
EVERY_ROW = pytest.mark.parametrize("row", TABLE)
VIOLATION = {
    "feature_name": "age",
    "constraint_check_type": "data_type_check",
    "description": "3 % are no numbers",
}


def no_predictions(desk: Desk) -> dict[str, Any]:
    """A Clarify job whose configuration asks no model."""
    desk.world.put("s3://bucket/analysis_config.json", "{}")
    s3 = {
        "S3Uri": "s3://bucket/analysis_config.json",
        "LocalPath": "/opt/ml/processing/input/config",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    return {"ProcessingInputs": [{"InputName": "analysis_config", "S3Input": s3}]}


def prefixed(beginning: str, uris: Mapping[str, str]) -> dict[str, str]:
    return {f"{beginning}{member}": uri for member, uri in uris.items()}


def expect(properties: Mapping[str, Any], check_type: str, used: str, previous: Mapping[str, str]) -> None:
    new = {member: f"s3://bucket/new/{file}" for member, file in NEW[check_type].items()}
    baseline = new if used == "new" else previous
    found = {
        key: value for key, value in properties.items() if "Baseline" in key and key != "RegisterNewBaseline"
    }
    assert found == {
        **prefixed("CalculatedBaseline", new),
        **prefixed("BaselineUsedForDriftCheck", baseline),
    }


@EVERY_ROW
@EVERY_CHECK
async def test_a_supplied_baseline(desk: Desk, check_type: str, row: Row) -> None:
    supplied = desk.put_baseline("s3://bucket/old")

    outcome = await desk.run(
        check_type,
        arguments=no_predictions(desk),
        **row.flags,
        ModelPackageGroupName="Ignored",
        **supplied,
    )

    assert isinstance(outcome, Succeeded), outcome
    members = NEW[check_type]
    previous = {member: supplied[f"SuppliedBaseline{member}"] for member in members}
    expect(outcome.properties, check_type, row.used, previous)
    seen = {f"baseline_{member.lower()}": f"{member.lower()} below s3://bucket/old" for member in members}
    assert desk.analyst.baselines == (seen if row.compares else {})


@EVERY_ROW
@EVERY_CHECK
async def test_a_registered_baseline(desk: Desk, check_type: str, row: Row) -> None:
    section, members = REGISTERED[check_type]
    files = desk.put_baseline("s3://bucket/registry")
    previous = {member: files[f"SuppliedBaseline{member}"] for member in members}
    await desk.register(section, {name: previous[member] for member, name in members.items()})

    outcome = await desk.run(
        check_type,
        arguments=no_predictions(desk),
        **row.flags,
        ModelPackageGroupName="Group",
    )

    assert isinstance(outcome, Succeeded), outcome
    expect(outcome.properties, check_type, row.used, previous)
    assert bool(desk.analyst.baselines) == row.compares


@EVERY_ROW
@EVERY_CHECK
async def test_a_missing_baseline(desk: Desk, check_type: str, row: Row) -> None:
    outcome = await desk.run(
        check_type,
        arguments=no_predictions(desk),
        **row.flags,
    )

    if row.skip and row.register:
        assert isinstance(outcome, Succeeded), outcome
        expect(outcome.properties, check_type, row.used, {})
        return
    assert isinstance(outcome, Failed)
    assert (outcome.error, outcome.properties) == ("ClientError", {})
    assert outcome.reason.startswith("ClientError: There are no previous baseline ")
    for key in ("SuppliedBaselineConstraints", "ModelPackageGroupName", "SkipCheck", "RegisterNewBaseline"):
        assert key in outcome.reason
    assert desk.analyst.env == {}, "nothing runs for a check that cannot be made"
    assert desk.recorded() is None


async def test_the_metadata_is_the_apis(desk: Desk, check_shape: CheckShape) -> None:
    desk.analyst.violations = [VIOLATION]
    supplied = desk.put_baseline("s3://bucket/old")
    for check_type, shape in (
        ("DATA_QUALITY", "QualityCheckStepMetadata"),
        ("DATA_BIAS", "ClarifyCheckStepMetadata"),
    ):
        outcome = await desk.run(
            check_type, arguments=no_predictions(desk), ModelPackageGroupName="Group", **supplied
        )
        answer: Any = outcome.properties
        check_shape(shape, answer)
        assert {key: answer[key] for key in ("CheckType", "ModelPackageGroupName", "CheckJobArn")} == {
            "CheckType": check_type,
            "ModelPackageGroupName": "Group",
            "CheckJobArn": "arn:aws:sagemaker:us-east-1:000000000000:processing-job/pipelines-abcdefghijkl-step-0123456789",
        }
        assert (answer["SkipCheck"], answer["RegisterNewBaseline"]) == (False, False)
        assert answer["ViolationReport"] == "s3://bucket/new/constraint_violations.json"


@pytest.mark.parametrize("fail", [None, True, "true", "True"])
async def test_violations_fail_the_step_unless_told_otherwise(desk: Desk, fail: Any) -> None:
    desk.analyst.violations = [VIOLATION]
    outcome = await desk.run("DATA_QUALITY", FailOnViolation=fail, **desk.put_baseline("s3://bucket/old"))

    report = "s3://bucket/new/constraint_violations.json"
    assert isinstance(outcome, Failed)
    assert outcome.reason == f"ClientError: Quality check failed. See violation report {report}"
    assert outcome.error == "ClientError"
    assert outcome.properties["ViolationReport"] == report
    assert "violation: data_type_check, feature_name age: 3 % are no numbers" in desk.world.log()


async def test_a_clarify_check_says_so_in_its_own_words(desk: Desk) -> None:
    desk.analyst.violations = [
        {
            "facet": "sex",
            "metric_name": "DPL",
            "constraint_check_type": "bias_drift_check",
            "description": "0.4",
        }
    ]
    outcome = await desk.run(
        "DATA_BIAS", arguments=no_predictions(desk), **desk.put_baseline("s3://bucket/old")
    )

    assert isinstance(outcome, Failed)
    assert outcome.reason == (
        "ClientError: Clarify check failed. See violation report s3://bucket/new/constraint_violations.json"
    )
    assert "violation: bias_drift_check, facet sex, metric_name DPL: 0.4" in desk.world.log()


@pytest.mark.parametrize("fail", [False, "false"])
async def test_violations_may_be_left_at_a_report(desk: Desk, fail: Any) -> None:
    desk.analyst.violations = [VIOLATION]
    outcome = await desk.run("DATA_QUALITY", FailOnViolation=fail, **desk.put_baseline("s3://bucket/old"))

    assert isinstance(outcome, Succeeded)
    assert outcome.properties["ViolationReport"] == "s3://bucket/new/constraint_violations.json"
    assert "violation: data_type_check" in desk.world.log()


async def test_nothing_violated_is_nothing_reported(desk: Desk) -> None:
    outcome = await desk.run("DATA_QUALITY", **desk.put_baseline("s3://bucket/old"))
    assert isinstance(outcome, Succeeded)
    assert "ViolationReport" not in outcome.properties
    assert "nothing violates the previous baseline" in desk.world.log()


async def test_the_report_of_an_earlier_run_does_not_count(desk: Desk) -> None:
    desk.world.put("s3://bucket/new/constraint_violations.json", '{"violations": [{}]}')

    def silent(box: Box) -> None:
        for file in ("statistics.json", "constraints.json"):
            box.write(f"/opt/ml/processing/output/{file}", "{}")

    desk.program = silent
    assert isinstance(await desk.run("DATA_QUALITY", **desk.put_baseline("s3://bucket/old")), Succeeded)
    assert isinstance(await desk.run("DATA_QUALITY", SkipCheck=True, RegisterNewBaseline=True), Succeeded)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ("nonsense", "s3://bucket/new/constraint_violations.json is no JSON: Expecting value"),
        ('{"violation": []}', 'must read {"violations": [{…}, …]}'),
    ],
)
async def test_a_report_that_cannot_be_read_fails_the_step(desk: Desk, report: str, told: str) -> None:
    def program(box: Box) -> None:
        for file in ("statistics.json", "constraints.json"):
            box.write(f"/opt/ml/processing/output/{file}", "{}")
        box.write("/opt/ml/processing/output/constraint_violations.json", report)

    desk.program = program
    outcome = await desk.run("DATA_QUALITY", **desk.put_baseline("s3://bucket/old"))
    assert isinstance(outcome, Failed)
    assert told in outcome.reason
    assert "CheckJobArn" in outcome.properties


async def test_a_job_without_a_new_baseline_fails_the_step(desk: Desk) -> None:
    desk.program = lambda box: box.write("/opt/ml/processing/output/statistics.json", "{}")
    outcome = await desk.run("DATA_QUALITY", SkipCheck=True, RegisterNewBaseline=True)

    assert isinstance(outcome, Failed)
    assert outcome.reason == (
        "ClientError: AlgorithmError: the check's job wrote no s3://bucket/new/constraints.json; "
        "it left s3://bucket/new/statistics.json"
    )
    assert "CalculatedBaselineConstraints" not in outcome.properties


async def test_a_failed_job_fails_the_step_for_its_own_reason(desk: Desk) -> None:
    desk.analyst.exit_code = 3
    supplied = desk.put_baseline("s3://bucket/old")
    outcome = await desk.run("DATA_QUALITY", **supplied)

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: no luck, exit code: 3"
    assert outcome.error == "AlgorithmError"
    assert outcome.properties["BaselineUsedForDriftCheckStatistics"] == supplied["SuppliedBaselineStatistics"]
    assert "CalculatedBaselineStatistics" not in outcome.properties
    recorded: Any = desk.recorded()
    assert recorded.describe["ProcessingJobStatus"] == "Failed"


async def test_a_stopped_check_stops_its_job(desk: Desk) -> None:
    begun = asyncio.Event()

    async def forever(_box: Box) -> None:
        begun.set()
        await asyncio.Event().wait()

    desk.program = forever
    running = asyncio.create_task(desk.run("DATA_QUALITY", SkipCheck=True, RegisterNewBaseline=True))
    await begun.wait()
    running.cancel()
    outcome = await running

    assert isinstance(outcome, Stopped)
    assert "CheckJobArn" in outcome.properties
    recorded: Any = desk.recorded()
    assert recorded.describe["ProcessingJobStatus"] == "Stopped"


async def test_the_recorded_job_is_the_one_that_was_asked_for(desk: Desk, check_shape: CheckShape) -> None:
    desk.world.put("s3://bucket/data.csv")
    s3 = {"S3Uri": "s3://bucket/data.csv", "LocalPath": "/opt/ml/processing/input", "S3DataType": "S3Prefix"}
    inputs = [{"InputName": "baseline_dataset_input", "S3Input": {**s3, "S3InputMode": "File"}}]
    arguments = {"ProcessingInputs": inputs, "Environment": {"dataset_source": "/opt/ml/processing/input"}}
    await desk.run("DATA_QUALITY", arguments=arguments, **desk.put_baseline("s3://bucket/old"))

    recorded: Any = desk.recorded()
    check_shape("DescribeProcessingJobResponse", recorded.describe)
    assert recorded.describe["ProcessingInputs"] == inputs
    assert recorded.describe["Environment"] == {"dataset_source": "/opt/ml/processing/input"}
    assert desk.analyst.env["dataset_source"] == "/opt/ml/processing/input"
    assert desk.analyst.baselines.keys() == {"baseline_statistics", "baseline_constraints"}


async def test_a_job_without_inputs_of_its_own_is_described_without_them(desk: Desk) -> None:
    await desk.run("DATA_QUALITY", **desk.put_baseline("s3://bucket/old"))
    recorded: Any = desk.recorded()
    assert not {"ProcessingInputs", "Environment"} & recorded.describe.keys()


@pytest.mark.parametrize("key", ["SkipCheck", "FailOnViolation", "RegisterNewBaseline"])
async def test_a_flag_that_is_none_is_refused_by_its_name(desk: Desk, key: str) -> None:
    outcome = await desk.run("DATA_QUALITY", **{key: "yes"})
    assert isinstance(outcome, Failed)
    assert outcome.reason == f"ClientError: {key} must be true or false, not 'yes'"


async def test_a_check_of_the_other_kind_is_refused(desk: Desk) -> None:
    kind = desk.job("DATA_BIAS").kind
    outcome = await desk.executor(kind).run(replace(desk.job("DATA_QUALITY"), kind=kind))
    assert isinstance(outcome, Failed)
    assert "'DATA_QUALITY' is none of a ClarifyCheck step" in outcome.reason


async def test_a_job_without_an_output_is_refused(desk: Desk) -> None:
    outcome = await desk.run("DATA_QUALITY", arguments={"ProcessingOutputConfig": {"Outputs": []}})
    assert isinstance(outcome, Failed)
    assert "needs an output 'quality_check_output'" in outcome.reason
