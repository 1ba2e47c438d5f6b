"""``sagelocal retry``: a failed execution goes on from what failed, with the same definition and parameters."""

from __future__ import annotations

from typing import Any


def _view(desk: Any) -> Any:
    (view,) = desk.call("list", "--json").json()
    return view


def test_a_failed_execution_is_retried_from_the_failed_step(
    desk: Any, processing: Any, s3_input: Any
) -> None:
    first = processing(
        "First",
        "sh",
        "-c",
        "echo $(date +%s%N) > /opt/ml/processing/out/when",
        outputs={"out": "s3://b/first"},
    )
    second = processing(
        "Second",
        "sh",
        "-c",
        "test -e /opt/ml/processing/in/go",
        inputs=[s3_input("in", "s3://b/in/")],
        DependsOn=["First"],
    )
    third = processing("Third", "true", DependsOn=["Second"])
    desk.put("in/other", "")
    assert desk.run(first, second, third).code == 1
    when = (desk.folder / ".sagelocal/s3/b/first/when").read_text()
    failed = _view(desk)

    desk.put("in/go", "")
    ended = desk.call("retry", "--json")
    assert ended.code == 0, ended.err
    view = ended.json()
    assert (view["arn"], view["status"], view["failure_reason"]) == (failed["arn"], "Succeeded", None)
    steps = {step["name"]: (step["status"], step["attempt"]) for step in view["steps"]}
    assert steps == {"First": ("Succeeded", 1), "Second": ("Succeeded", 2), "Third": ("Succeeded", 1)}
    assert (desk.folder / ".sagelocal/s3/b/first/when").read_text() == when, (
        "what had succeeded was not run again"
    )
    arns = {step["name"]: step["metadata"]["ProcessingJob"]["Arn"] for step in view["steps"]}
    assert arns["Second"].endswith("-1"), "the failure count is part of the job's name"


def test_what_has_succeeded_or_was_ended_by_a_fail_step_is_not_retried(desk: Any, processing: Any) -> None:
    assert desk.run(processing("A", "true")).code == 0
    refused = desk.call("retry")
    assert refused.code == 2
    assert "cannot be retried: it is Succeeded" in refused.err

    fail = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    assert desk.run(fail).code == 1
    refused = desk.call("retry")
    assert refused.code == 2
    assert "the Fail step No has ended it" in refused.err
