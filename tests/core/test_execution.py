"""The machine: what happens after what."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from sagelocal.definition import parse
from sagelocal.events import (
    Begun,
    Cancel,
    Command,
    Conclude,
    Event,
    Fetch,
    Fetched,
    Finished,
    Launch,
    RetryDue,
    Started,
    StopRequested,
    WakeAt,
)
from sagelocal.execution import Execution
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal.lifecycle import STEP_FAILURE, ExecutionStatus, IllegalTransitionError, StepStatus
from sagelocal.plan import plan
from sagelocal.state import Identity, Rules
from sagelocal.values import ObjectText

ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p"


def lambda_step(name: str, arguments: Any = None, **keys: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Lambda",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Arguments": arguments or {},
        "OutputParameters": [],
        **keys,
    }


def condition(
    name: str, left: Any, right: Any, if_steps: list[Any], else_steps: list[Any], **keys: Any
) -> dict[str, Any]:
    arguments = {
        "Conditions": [{"Type": "Equals", "LeftValue": left, "RightValue": right}],
        "IfSteps": if_steps,
        "ElseSteps": else_steps,
    }
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **keys}


def fail(name: str, message: Any, **keys: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **keys}


class Story:
    """An execution told event by event, at moments 1, 2, 3 …"""

    def __init__(self, *steps: dict[str, Any], rules: Rules | None = None) -> None:
        identity = Identity("p", ARN, f"{ARN}/execution/abcdefghijkl")
        self.execution = Execution(identity, plan(parse(json.dumps({"Steps": steps}))), {}, rules or Rules())
        self._moments = count(1)
        self.commands: list[Command] = []
        self.tell(Begun)

    def tell(self, kind: Any, *facts: Any) -> list[Command]:
        event: Event = kind(*facts, float(next(self._moments)))
        self.commands = self.execution.apply(event)
        return self.commands

    def run(self, step: str, outcome: Outcome | None = None) -> list[Command]:
        self.tell(Started, step)
        return self.tell(Finished, step, outcome or Succeeded({}))

    @property
    def launched(self) -> list[str]:
        return [command.job.step for command in self.commands if isinstance(command, Launch)]

    def whole(self) -> ExecutionStatus:
        return self.execution.status

    def status(self, step: str) -> StepStatus:
        return self.execution.steps[step].status

    def job(self, step: str) -> Job:
        job = self.execution.steps[step].job
        assert job
        return job


def test_everything_without_waits_is_launched_at_once_in_the_order_of_the_file() -> None:
    story = Story(lambda_step("B"), lambda_step("A"), lambda_step("C", DependsOn=["A"]))
    assert story.launched == ["B", "A"]


def test_a_step_is_launched_when_its_last_wait_ends() -> None:
    story = Story(lambda_step("A"), lambda_step("B"), lambda_step("C", DependsOn=["A", "B"]))
    story.run("A")
    assert story.launched == []
    story.run("B")
    assert story.launched == ["C"]


def test_arguments_are_resolved_from_the_describe_answer_before_them() -> None:
    story = Story(lambda_step("A"), lambda_step("B", {"x": {"Get": "Steps.A.OutputParameters['o']"}}))
    story.run("A", Succeeded({"OutputParameters": {"o": 7}}))
    (command,) = story.commands
    assert isinstance(command, Launch)
    assert command.job.arguments == {"x": 7}


def test_a_missing_property_fails_the_step_that_reads_it() -> None:
    story = Story(lambda_step("A"), lambda_step("B", {"x": {"Get": "Steps.A.OutputParameters['o']"}}))
    story.run("A", Succeeded({"OutputParameters": {"other": 7}}))
    assert story.status("B") is StepStatus.FAILED
    reason = story.execution.steps["B"].reason or ""
    assert reason.startswith("ClientError: ")
    assert "other" in reason
    assert story.whole() is ExecutionStatus.FAILED


def test_a_condition_is_decided_in_the_same_turn() -> None:
    story = Story(condition("C", 1, 1, [lambda_step("Yes")], [lambda_step("No")]))
    assert story.launched == ["Yes"]
    assert story.execution.steps["C"].decision is True
    assert story.status("No") is StepStatus.SKIPPED


def test_followers_of_an_untaken_branch_never_start_and_the_run_succeeds() -> None:
    story = Story(
        condition("C", 1, 2, [lambda_step("Yes")], []),
        lambda_step("After", DependsOn=["Yes"]),
        lambda_step("Last", DependsOn=["After"]),
    )
    assert [story.status(name) for name in ("Yes", "After", "Last")] == [StepStatus.SKIPPED] * 3
    assert story.whole() is ExecutionStatus.SUCCEEDED


def test_the_outcome_of_a_condition_renders_in_lower_case() -> None:
    message = {"Std:Join": {"On": " ", "Values": ["it was", {"Get": "Steps.C.Outcome"}]}}
    story = Story(condition("C", 1, 2, [], []), fail("F", message))
    story.tell(Started, "F")
    assert story.execution.steps["F"].reason == "it was false"


def test_a_fail_step_fails_the_execution_with_the_generic_text() -> None:
    story = Story(fail("F", "too bad"))
    assert story.commands == [Conclude("F")]
    story.tell(Started, "F")
    assert story.whole() is ExecutionStatus.FAILED
    assert story.execution.failure_reason == STEP_FAILURE
    assert story.execution.steps["F"].reason == "too bad"


def test_an_empty_message_gives_no_reason() -> None:
    story = Story(fail("F", ""))
    story.tell(Started, "F")
    assert story.execution.steps["F"].reason is None
    assert story.execution.steps["F"].message == ""


def test_running_steps_end_in_peace_after_a_fail_step() -> None:
    story = Story(lambda_step("Slow"), fail("F", "no"))
    story.tell(Started, "Slow")
    story.tell(Started, "F")
    assert story.whole() is ExecutionStatus.EXECUTING
    story.tell(Finished, "Slow", Succeeded({}))
    assert story.status("Slow") is StepStatus.SUCCEEDED
    assert story.whole() is ExecutionStatus.FAILED


def test_nothing_new_starts_after_a_failure() -> None:
    story = Story(lambda_step("A"), lambda_step("B"), lambda_step("C", DependsOn=["B"]))
    story.tell(Started, "B")
    story.run("A", Failed("boom", "AlgorithmError"))
    story.tell(Finished, "B", Succeeded({}))
    assert story.launched == []
    assert story.status("C") is StepStatus.SKIPPED


def test_steps_that_wait_for_a_place_are_forgotten_after_a_failure() -> None:
    story = Story(lambda_step("A"), lambda_step("B"))
    assert Cancel("B") in story.run("A", Failed("boom", "AlgorithmError"))
    assert story.status("B") is StepStatus.SKIPPED
    assert story.whole() is ExecutionStatus.FAILED


def test_unrelated_branches_go_on_after_a_failure_when_asked_to() -> None:
    story = Story(
        lambda_step("A"),
        lambda_step("B"),
        lambda_step("C", DependsOn=["B"]),
        rules=Rules(start_after_failure=True),
    )
    story.run("A", Failed("boom", "AlgorithmError"))
    story.run("B")
    assert story.launched == ["C"]


@pytest.mark.parametrize(
    ("trigger", "outcome", "runs"),
    [
        ("Failed", Failed("x", "AlgorithmError"), True),
        ("Failed", Succeeded({}), False),
        ("Any", Failed("x", "AlgorithmError"), True),
        ("Any", Succeeded({}), True),
        ("Stopped", Succeeded({}), False),
    ],
)
def test_triggers_decide_who_runs(trigger: str, outcome: Outcome, runs: bool) -> None:
    story = Story(lambda_step("A"), lambda_step("B", DependsOn=[{"Step": "A", "Trigger": trigger}]))
    story.run("A", outcome)
    assert story.launched == (["B"] if runs else [])


def test_a_handled_failure_completes_with_failures() -> None:
    story = Story(
        lambda_step("A"),
        lambda_step("Handler", DependsOn=[{"Step": "A", "Trigger": "Failed"}]),
        lambda_step("Plain", DependsOn=["A"]),
    )
    story.run("A", Failed("x", "AlgorithmError"))
    story.run("Handler")
    assert story.status("Plain") is StepStatus.SKIPPED
    assert story.whole() is ExecutionStatus.COMPLETED_WITH_FAILURES
    assert story.execution.failure_reason is None


def test_a_handler_that_fails_fails_the_execution() -> None:
    story = Story(lambda_step("A"), lambda_step("H", DependsOn=[{"Step": "A", "Trigger": "Failed"}]))
    story.run("A", Failed("x", "AlgorithmError"))
    story.run("H", Failed("y", "AlgorithmError"))
    assert story.whole() is ExecutionStatus.FAILED


def test_a_stop_cancels_what_runs_and_starts_nothing() -> None:
    story = Story(lambda_step("A"), lambda_step("B"), lambda_step("C", DependsOn=["A"]))
    story.tell(Started, "A")
    assert story.tell(StopRequested) == [Cancel("B"), Cancel("A")]
    assert story.whole() is ExecutionStatus.STOPPING
    story.tell(Finished, "A", Stopped({}))
    assert story.whole() is ExecutionStatus.STOPPED
    assert [story.status(name) for name in "ABC"] == [
        StepStatus.STOPPED,
        StepStatus.SKIPPED,
        StepStatus.SKIPPED,
    ]


def test_a_second_stop_cancels_again() -> None:
    story = Story(lambda_step("A"))
    story.tell(Started, "A")
    story.tell(StopRequested)
    assert story.tell(StopRequested) == [Cancel("A")]


def test_a_step_that_succeeds_while_stopping_has_succeeded() -> None:
    story = Story(lambda_step("A"), lambda_step("B", DependsOn=["A"]))
    story.tell(Started, "A")
    story.tell(StopRequested)
    story.tell(Finished, "A", Succeeded({}))
    assert story.status("A") is StepStatus.SUCCEEDED
    assert story.status("B") is StepStatus.SKIPPED
    assert story.whole() is ExecutionStatus.STOPPED


def test_a_step_that_fails_while_stopping_fails_the_execution() -> None:
    story = Story(lambda_step("A"))
    story.tell(Started, "A")
    story.tell(StopRequested)
    story.tell(Finished, "A", Failed("timed out", "ClientError"))
    assert story.whole() is ExecutionStatus.FAILED


def test_a_failure_before_the_stop_leaves_the_execution_stopped() -> None:
    story = Story(lambda_step("A"), lambda_step("B"))
    story.tell(Started, "B")
    story.run("A", Failed("boom", "AlgorithmError"))
    story.tell(StopRequested)
    story.tell(Finished, "B", Stopped({}))
    assert story.whole() is ExecutionStatus.STOPPED


def test_a_job_stopped_from_outside_fails_its_step() -> None:
    story = Story(lambda_step("A"))
    story.run("A", Stopped({}))
    assert story.status("A") is StepStatus.FAILED


def test_a_stop_after_the_end_changes_nothing() -> None:
    story = Story(lambda_step("A"))
    story.run("A")
    assert story.tell(StopRequested) == []
    assert story.whole() is ExecutionStatus.SUCCEEDED


def test_an_s3_object_is_fetched_before_the_step_that_reads_it_is_launched() -> None:
    read = {
        "Std:JsonGet": {
            "S3Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", "bkt", "r.json"]}},
            "Path": "Result",
        }
    }
    story = Story(lambda_step("A", {"x": read}))
    assert story.commands == [Fetch("A", "s3://bkt/r.json")]
    (command,) = story.tell(Fetched, "A", ObjectText("s3://bkt/r.json", '{"Result": 3}'))
    assert isinstance(command, Launch)
    assert command.job.arguments == {"x": 3}


def test_job_names_follow_sagemakers_pattern_and_do_not_change_on_replay() -> None:
    step = "My_Long_Step_Name_Beyond_Twenty"
    names = {Story(lambda_step(step)).job(step).name for _ in range(2)}
    (name,) = names
    assert name.startswith("pipelines-abcdefghijkl-My-Long-Step-Name-Be-")


def test_an_impossible_event_tells_the_story() -> None:
    story = Story(lambda_step("A"))
    with pytest.raises(IllegalTransitionError, match="step A: no way from Ready to Succeeded"):
        story.tell(Finished, "A", Succeeded({}))


def retrying(*policies: dict[str, Any]) -> Story:
    return Story(lambda_step("A", RetryPolicies=list(policies)), lambda_step("B", DependsOn=["A"]))


CAPACITY = Failed("no capacity", "SageMaker.CAPACITY_ERROR")


def test_a_failure_that_a_policy_names_is_tried_again_after_its_interval() -> None:
    story = retrying(
        {
            "ExceptionType": ["SageMaker.CAPACITY_ERROR"],
            "IntervalSeconds": 10,
            "BackoffRate": 3,
            "MaxAttempts": 2,
        }
    )
    assert story.run("A", CAPACITY) == [WakeAt("A", 3.0 + 10)]
    (command,) = story.tell(RetryDue, "A")
    assert isinstance(command, Launch)
    assert (command.job.attempt, command.job.name[-2:]) == (2, "-1")
    assert story.run("A", CAPACITY) == [WakeAt("A", 6.0 + 30)]
    story.tell(RetryDue, "A")
    assert story.run("A", Succeeded({})) != []
    assert story.status("A") is StepStatus.SUCCEEDED
    assert story.execution.steps["A"].started == 2.0


def test_a_policy_gives_up_after_its_attempts() -> None:
    story = retrying({"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 1})
    story.run("A", CAPACITY)
    story.tell(RetryDue, "A")
    story.run("A", CAPACITY)
    assert story.status("A") is StepStatus.FAILED
    assert story.whole() is ExecutionStatus.FAILED


def test_a_policy_gives_up_when_its_time_is_over() -> None:
    story = retrying(
        {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 61, "ExpireAfterMin": 1}
    )
    story.run("A", CAPACITY)
    assert story.status("A") is StepStatus.FAILED


def test_the_users_own_errors_are_never_tried_again() -> None:
    story = retrying({"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "MaxAttempts": 5})
    story.run("A", Failed("exit code 1", "AlgorithmError"))
    assert story.execution.steps["A"].reason == "exit code 1"


def test_service_faults_are_tried_again_without_a_policy() -> None:
    story = retrying()
    assert story.run("A", Failed("fault", "Step.SERVICE_FAULT")) == [WakeAt("A", 3.0 + 1)]


def test_a_failure_without_a_policy_for_it_says_so() -> None:
    story = retrying()
    story.run("A", Failed("limit", "SageMaker.RESOURCE_LIMIT"))
    assert (story.execution.steps["A"].reason or "").endswith(
        "StepId A. No retry policy configured for the exception type SAGEMAKER_RESOURCE_LIMIT."
    )


def test_a_stop_ends_the_wait_for_another_attempt() -> None:
    story = retrying()
    story.run("A", Failed("fault", "Step.SERVICE_FAULT"))
    assert story.tell(StopRequested) == [Cancel("A")]
    assert story.status("A") is StepStatus.STOPPED
    assert story.whole() is ExecutionStatus.STOPPED
    assert story.tell(RetryDue, "A") == []
