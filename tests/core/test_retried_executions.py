"""RetryPipelineExecution: what has succeeded is kept, all else runs as it would have (semantics 06 §6.3)."""

from __future__ import annotations

import json
from typing import Any

from sagelocal.definition import parse
from sagelocal.events import Begun, Command, Finished, Launch, RetryRequested, Started, StopRequested
from sagelocal.execution import Execution
from sagelocal.jobs import Failed, Job, Stopped, Succeeded
from sagelocal.lifecycle import ExecutionStatus
from sagelocal.plan import plan
from sagelocal.state import Identity

ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p"


def step(name: str, *depends: Any, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Training", "Arguments": {}, "DependsOn": list(depends), **more}


def execution(*steps: dict[str, Any]) -> Execution:
    text = json.dumps({"Version": "2020-12-01", "Steps": steps})
    return Execution(Identity("p", ARN, f"{ARN}/execution/abcdefghijkl"), plan(parse(text)), {})


def status(machine: Execution) -> str:
    return machine.status


def jobs(commands: list[Command]) -> dict[str, Job]:
    return {command.job.step: command.job for command in commands if isinstance(command, Launch)}


def run(machine: Execution, commands: list[Command], failing: tuple[str, ...] = ()) -> dict[str, int]:
    """Let every job run, one after the other; per step its attempt."""
    ran: dict[str, int] = {}
    waiting = list(jobs(commands).values())
    for job in waiting:  # grows
        assert machine.steps[job.step].status == "Ready"
        machine.apply(Started(job.step, 1.0))
        outcome = Failed("no", "ClientError") if job.step in failing else Succeeded({"x": job.step})
        ran[job.step] = job.attempt
        waiting += jobs(machine.apply(Finished(job.step, outcome, 2.0))).values()
    return ran


def test_what_failed_and_what_waited_for_it_runs_once_more() -> None:
    machine = execution(step("A"), step("B", "A"), step("C", "B"))
    run(machine, machine.apply(Begun(0.0)), failing=("B",))
    assert status(machine) == ExecutionStatus.FAILED

    assert run(machine, machine.apply(RetryRequested(5.0))) == {"B": 2, "C": 1}
    assert status(machine) == ExecutionStatus.SUCCEEDED
    assert machine.failure_reason is None
    assert machine.steps["B"].reason is None


def test_a_job_of_a_retried_step_has_a_name_of_its_own_each_time() -> None:
    machine = execution(step("A"))
    names = [jobs(machine.apply(Begun(0.0)))["A"].name]
    for attempt in (1, 2):
        machine.apply(Started("A", 1.0))
        machine.apply(Finished("A", Failed("no", "ClientError"), 2.0))
        job = jobs(machine.apply(RetryRequested(3.0)))["A"]
        names.append(job.name)
        assert job.attempt == attempt + 1
    assert names[1:] == [f"{names[0]}-1", f"{names[0]}-2"]


def test_a_stopped_execution_goes_on_where_it_was_stopped() -> None:
    machine = execution(step("A"), step("B", "A"), step("C"))
    commands = machine.apply(Begun(0.0))
    assert set(jobs(commands)) == {"A", "C"}
    machine.apply(Started("A", 1.0))
    machine.apply(StopRequested(2.0))
    machine.apply(Finished("A", Stopped({}), 3.0))
    assert status(machine) == ExecutionStatus.STOPPED

    assert run(machine, machine.apply(RetryRequested(5.0))) == {"A": 2, "C": 1, "B": 1}
    assert status(machine) == ExecutionStatus.SUCCEEDED


def test_a_decision_that_was_made_stays_made() -> None:
    condition = {
        "Name": "Which",
        "Type": "Condition",
        "DependsOn": ["A"],
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [step("Then")],
            "ElseSteps": [step("Else")],
        },
    }
    machine = execution(step("A"), condition, step("After", "Then"))
    run(machine, machine.apply(Begun(0.0)), failing=("Then",))

    assert run(machine, machine.apply(RetryRequested(5.0))) == {"Then": 2, "After": 1}
    assert machine.steps["Else"].status == "Skipped"
    assert machine.steps["Which"].decision is True


def test_what_runs_on_a_failure_waits_for_the_new_end() -> None:
    handler = step("Handler", {"Step": "A", "Trigger": "Failed"})
    machine = execution(step("A"), step("B"), handler)
    run(machine, machine.apply(Begun(0.0)), failing=("A", "Handler"))
    assert status(machine) == ExecutionStatus.FAILED

    assert run(machine, machine.apply(RetryRequested(5.0))) == {"A": 2}
    assert machine.steps["Handler"].status == "Skipped"
    assert status(machine) == ExecutionStatus.SUCCEEDED
