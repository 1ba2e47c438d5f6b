"""Which previous baseline a check finds, and what it says when it finds none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Succeeded

if TYPE_CHECKING:
    from tests.executors.checks.conftest import Desk

FIRST, SECOND = "s3://bucket/first", "s3://bucket/second"


def section(desk: Desk, prefix: str) -> dict[str, str]:
    files = desk.put_baseline(prefix)
    return {key.removeprefix("SuppliedBaseline"): uri for key, uri in files.items()}


async def used(desk: Desk, **keys: Any) -> Any:
    outcome = await desk.run("DATA_QUALITY", **keys)
    assert isinstance(outcome, Succeeded), outcome
    return outcome.properties["BaselineUsedForDriftCheckConstraints"]


async def refused(desk: Desk, **keys: Any) -> str:
    outcome = await desk.run("DATA_QUALITY", **keys)
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("ClientError: ")
    assert outcome.error == "ClientError"
    return outcome.reason


async def test_the_latest_approved_package_counts(desk: Desk) -> None:
    await desk.register("ModelDataQuality", section(desk, FIRST))
    await desk.register("ModelDataQuality", section(desk, SECOND))
    await desk.register(
        "ModelDataQuality", section(desk, "s3://bucket/third"), status="PendingManualApproval"
    )
    await desk.register("ModelDataQuality", section(desk, "s3://bucket/other"), group="Other")

    assert await used(desk, ModelPackageGroupName="Group") == f"{SECOND}/constraints.json"
    assert "DriftCheckBaselines.ModelDataQuality.Constraints of " in desk.world.log()
    assert ":model-package/group/2" in desk.world.log()


async def test_a_group_is_known_by_its_arn(desk: Desk) -> None:
    await desk.register("ModelDataQuality", section(desk, FIRST))
    arn = desk.world.partition.arn("model-package-group/Group")
    assert await used(desk, ModelPackageGroupName=arn) == f"{FIRST}/constraints.json"


async def test_a_supplied_file_goes_before_a_registered_one_file_by_file(desk: Desk) -> None:
    await desk.register("ModelDataQuality", section(desk, FIRST))
    supplied = desk.put_baseline(SECOND)["SuppliedBaselineConstraints"]
    outcome = await desk.run(
        "DATA_QUALITY",
        ModelPackageGroupName="Group",
        SuppliedBaselineConstraints=supplied,
        SuppliedBaselineStatistics="",
    )
    assert outcome.properties["BaselineUsedForDriftCheckConstraints"] == supplied
    assert outcome.properties["BaselineUsedForDriftCheckStatistics"] == f"{FIRST}/statistics.json"


async def test_each_way_of_having_no_baseline_is_told(desk: Desk) -> None:
    assert "the step names none, and no ModelPackageGroupName" in await refused(desk)

    desk.create_group("Group")
    assert "there is no model package group 'Grup' (did you mean Group?)" in await refused(
        desk, ModelPackageGroupName="Grup"
    )
    assert "model package group 'Group' has 0 versions, none of them Approved" in await refused(
        desk, ModelPackageGroupName="Group"
    )

    await desk.register("ModelQuality", section(desk, FIRST), status="Rejected")
    assert "model package group 'Group' has 1 version, none of them Approved" in await refused(
        desk, ModelPackageGroupName="Group"
    )

    arn = await desk.register("ModelQuality", section(desk, FIRST))
    told = await refused(desk, ModelPackageGroupName="Group")
    assert (
        f"{arn}, the latest Approved version, has no DriftCheckBaselines.ModelDataQuality.Statistics" in told
    )


async def test_a_supplied_file_that_is_not_there_is_told_with_the_nearest(desk: Desk) -> None:
    supplied = desk.put_baseline(FIRST)
    told = await refused(desk, **{**supplied, "SuppliedBaselineConstraints": f"{FIRST}/constraint.json"})
    assert "SuppliedBaselineConstraints" in told
    assert f'the nearest that exists is "{FIRST}/constraints.json"' in told


async def test_a_folder_is_no_baseline(desk: Desk) -> None:
    supplied = desk.put_baseline(FIRST)
    told = await refused(desk, **{**supplied, "SuppliedBaselineStatistics": FIRST})
    assert f"SuppliedBaselineStatistics: {FIRST} is no object" in told
    assert f"{FIRST}/statistics.json" in told


async def test_what_is_no_s3_uri_is_told(desk: Desk) -> None:
    told = await refused(
        desk, **{**desk.put_baseline(FIRST), "SuppliedBaselineStatistics": "statistics.json"}
    )
    assert "SuppliedBaselineStatistics: 'statistics.json' is not an S3 URI" in told


@pytest.mark.parametrize("skip", [True, False])
async def test_a_registered_file_that_is_gone_is_told(desk: Desk, skip: bool) -> None:
    await desk.register(
        "ModelDataQuality", {"Statistics": "s3://bucket/s.json", "Constraints": "s3://bucket/c.json"}
    )
    told = await refused(desk, ModelPackageGroupName="Group", SkipCheck=skip)
    assert "DriftCheckBaselines.ModelDataQuality.Statistics" in told
    assert "s3://bucket/s.json" in told


async def test_files_beside_the_baseline_stay_where_they_are(desk: Desk) -> None:
    supplied = desk.put_baseline(FIRST)
    desk.world.put(f"{FIRST}/constraints.json.old", "not this one")
    await used(desk, **supplied)
    assert desk.analyst.baselines["baseline_constraints"] == f"constraints below {FIRST}"
    assert (
        desk.analyst.env["baseline_constraints"] == "/opt/ml/processing/baseline/constraints/constraints.json"
    )
