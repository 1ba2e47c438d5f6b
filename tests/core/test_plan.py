"""What waits for what, and what cannot."""

from __future__ import annotations

import cProfile
import json
from typing import Any

import pytest

from sagelocal.definition import parse
from sagelocal.definition.steps import Trigger
from sagelocal.errors import DefinitionError
from sagelocal.plan import DATA, DEPENDS_ON, Branch, Edge, Plan, plan

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def step(name: str, *, reads: str = "", **keys: Any) -> dict[str, Any]:
    arguments = {"x": {"Get": reads}} if reads else {}
    return {
        "Name": name,
        "Type": "Lambda",
        "FunctionArn": ARN,
        "Arguments": arguments,
        "OutputParameters": [],
        **keys,
    }


def condition(name: str, if_steps: list[Any], else_steps: list[Any], **keys: Any) -> dict[str, Any]:
    conditions = [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}]
    arguments = {"Conditions": conditions, "IfSteps": if_steps, "ElseSteps": else_steps}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **keys}


def fail(name: str, message: Any = "no") -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def planned(*steps: dict[str, Any], parameters: tuple[str, ...] = ()) -> Plan:
    declared = [{"Name": name, "Type": "String", "DefaultValue": "d"} for name in parameters]
    return plan(parse(json.dumps({"Version": "2020-12-01", "Parameters": declared, "Steps": steps})))


def problems(*steps: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(DefinitionError) as raised:
        planned(*steps, **more)
    return [str(problem) for problem in raised.value.problems]


def test_a_data_reference_is_an_edge() -> None:
    graph = planned(step("B", reads="Steps.A.OutputParameters['o']"), step("A"))
    assert graph.edges["B"] == (Edge("A", Trigger.COMPLETED, (DATA,)),)


def test_depends_on_is_an_edge_with_its_trigger() -> None:
    graph = planned(
        step("A"), step("B", DependsOn=["A"]), step("C", DependsOn=[{"Step": "A", "Trigger": "Failed"}])
    )
    assert graph.edges["B"] == (Edge("A", Trigger.COMPLETED, (DEPENDS_ON,)),)
    assert graph.edges["C"] == (Edge("A", Trigger.FAILED, (DEPENDS_ON,)),)


def test_a_dependency_that_data_implies_is_one_edge_with_both_reasons() -> None:
    graph = planned(step("A"), step("B", reads="Steps.A.OutputParameters['o']", DependsOn=["A"]))
    assert graph.edges["B"] == (Edge("A", Trigger.COMPLETED, (DEPENDS_ON, DATA)),)


def test_a_branch_step_waits_for_its_condition() -> None:
    graph = planned(condition("C", [step("A")], [step("B")]))
    assert graph.branch == {"A": Branch("C", side=True), "B": Branch("C", side=False)}


def test_nested_conditions_are_planned() -> None:
    graph = planned(condition("C", [condition("D", [step("A")], [])], []))
    assert list(graph.steps) == ["C", "D", "A"]


def test_the_order_of_the_file_is_kept_where_nothing_else_decides() -> None:
    graph = planned(step("Z", DependsOn=["Y"]), step("Y", DependsOn=["X"]), step("X"), step("W"))
    assert list(graph.steps) == ["X", "Y", "Z", "W"]


def test_a_json_get_of_a_property_file_is_an_edge() -> None:
    graph = planned(
        {
            "Name": "P",
            "Type": "Processing",
            "Arguments": {
                "ProcessingOutputConfig": {
                    "Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://bkt/o"}}]
                }
            },
            "PropertyFiles": [{"PropertyFileName": "F", "OutputName": "o", "FilePath": "f.json"}],
        },
        fail("X", {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.P.PropertyFiles.F"}, "Path": "a"}}),
    )
    assert [edge.step for edge in graph.edges["X"]] == ["P"]


def test_a_cycle_is_told_step_by_step() -> None:
    (told,) = problems(
        step("Process", reads="Steps.Train.OutputParameters['m']"), step("Train", DependsOn=["Process"])
    )
    assert "Cycle detected" in told
    assert "Process waits for Train (reads Steps.Train.OutputParameters['m'])" in told
    assert "Train waits for Process (DependsOn)" in told


def test_a_condition_that_waits_for_its_own_branch_is_a_cycle() -> None:
    (told,) = problems(condition("C", [step("A")], [], DependsOn=["A"]))
    assert "A waits for C (lies in its branch)" in told


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    (told,) = problems(step("A", DependsOn=["A"]))
    assert "A -> A" in told


def test_names_are_unique_over_all_levels() -> None:
    (told,) = problems(step("A"), condition("C", [step("A")], []))
    assert "Steps[1].Arguments.IfSteps[0].Name" in told
    assert "duplicate names" in told


def test_an_unknown_step_is_named_with_the_nearest_one() -> None:
    told = problems(step("Train"), step("B", reads="Steps.Trian.OutputParameters['o']", DependsOn=["Trainn"]))
    assert told == [
        "step B: Steps[1].DependsOn[0]: Step Trainn is undefined. (did you mean 'Train'?)",
        (
            "step B: Steps[1].Arguments.x: {'Get': 'Steps.Trian.OutputParameters['o']'}: Step Trian is undefined. "
            "(did you mean 'Train'?)"
        ),
    ]


def test_an_unknown_parameter_is_named_with_the_nearest_one() -> None:
    (told,) = problems(step("A", reads="Parameters.Inptu"), parameters=("Input",))
    assert "parameter 'Inptu' is not defined (did you mean 'Input'?)" in told


def test_nothing_waits_for_a_fail_step() -> None:
    (told,) = problems(fail("F"), step("A", DependsOn=["F"]))
    assert "A can not depends on F" in told


def test_a_step_cannot_read_the_other_branch() -> None:
    (told,) = problems(condition("C", [step("A")], [step("B", reads="Steps.A.OutputParameters['o']")]))
    assert "runs only in the other branch of 'C'" in told


def test_an_undeclared_property_file_is_refused() -> None:
    (told,) = problems(
        step("A"),
        fail("X", {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.A.PropertyFiles.F"}, "Path": "a"}}),
    )
    assert "Property file reference 'F' is undefined in step 'A'" in told


def calls(count: int) -> int:
    """How many function calls it takes to read and plan a chain of so many steps."""
    first = '{"Name":"S0","Type":"Lambda","FunctionArn":"f","Arguments":{}}'
    others = [
        f'{{"Name":"S{i}","Type":"Lambda","FunctionArn":"f","DependsOn":["S{i - 1}"],"Arguments":{{}}}}'
        for i in range(1, count)
    ]
    profile = cProfile.Profile()
    graph = profile.runcall(lambda: plan(parse(f'{{"Steps":[{",".join([first, *others])}]}}')))
    assert len(graph.steps) == count
    return sum(entry.callcount for entry in profile.getstats())


def test_the_work_of_a_plan_grows_with_its_steps_and_no_faster() -> None:
    """Counted, not timed: ten times the steps are ten times the calls; a quadratic plan would make a hundred."""
    assert calls(5000) < 12 * calls(500)


def test_ten_thousand_steps_are_planned_in_order() -> None:
    steps = [step(f"S{i}", DependsOn=[f"S{i - 1}"] if i else []) for i in range(10_000)]
    assert list(planned(*reversed(steps)).steps) == [f"S{i}" for i in range(10_000)]
