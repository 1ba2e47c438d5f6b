"""What the parser takes, refuses and says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagelocal.definition import (
    ApiStep,
    Comparison,
    ConditionStep,
    Dependency,
    FailStep,
    ForEachStep,
    Membership,
    Not,
    Or,
    ParameterType,
    RetryPolicy,
    Trigger,
    parse,
    walk,
)
from sagelocal.errors import DefinitionError, Problem

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def step(name: str = "A", kind: str = "Lambda", **keys: Any) -> dict[str, Any]:
    own = {"FunctionArn": ARN} if kind == "Lambda" else {}
    return {"Name": name, "Type": kind, "Arguments": {}, **own, **keys}


def condition(*conditions: Any, **keys: Any) -> dict[str, Any]:
    arguments = {"Conditions": list(conditions), "IfSteps": [], "ElseSteps": []}
    return step("C", "Condition", Arguments=arguments, **keys)


def loop(**arguments: Any) -> dict[str, Any]:
    return step(
        "F",
        "ForEach",
        Arguments={"IterableItems": ["a"], "MaxConcurrency": 1, "ForEachBody": [step()], **arguments},
    )


def definition(*steps: Any, **keys: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps, **keys})


def problems(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    return caught.value.problems


def problem(*steps: Any, **keys: Any) -> Problem:
    found = problems(definition(*steps, **keys))
    assert len(found) == 1, found
    return found[0]


def api_step(**keys: Any) -> ApiStep:
    found = parse(definition(step(**keys))).steps[0]
    assert isinstance(found, ApiStep)
    return found


def test_all_problems_are_reported_at_once() -> None:
    text = definition(step("a b"), step("B", Typo=1), Parameters=[{"Name": "P", "Type": "Int"}])

    assert [found.path for found in problems(text)] == [
        "Parameters[0].Type",
        "Steps[0].Name",
        "Steps[1].Typo",
    ]


def test_problems_stand_in_the_order_of_the_definition() -> None:
    wrong = {"Get": "x"}
    arguments = {"a": [wrong, {"b": wrong}], "c": {"Std:Join": {"Values": [wrong, wrong]}}}
    paths = [found.path for found in problems(definition(step("a b", Arguments=arguments)))]

    assert [path.removeprefix("Steps[0].").removeprefix("Arguments.") for path in paths] == [
        "Name",
        "a[0]",
        "a[1].b",
        "c.Std:Join.Values[0]",
        "c.Std:Join.Values[1]",
    ]


def test_a_step_without_a_type_is_told_the_types() -> None:
    found = problem({"Name": "A", "Arguments": {}})

    assert found.message.startswith(
        "Model Validation failed: 'StepType' is required, one of [Processing, Training"
    )


def test_an_unknown_key_is_refused_in_the_words_of_the_service_with_the_nearest_key() -> None:
    found = problem(step("Train", DependOn=["x"]))

    assert found.message == "Cannot parse object, unknown property 'DependOn'."
    assert (found.step, found.path, found.hint) == ("Train", "Steps[0].DependOn", "did you mean DependsOn?")


def test_the_nearest_key_is_one_that_is_still_free() -> None:
    arguments: dict[str, Any] = {"Conditions": [], "ThenSteps": [], "ElseSteps": []}

    assert problem(step("C", "Condition", Arguments=arguments)).hint == "did you mean IfSteps?"


def test_nulls_of_the_sdk_count_as_absent() -> None:
    found = parse(definition(step(CacheConfig=None), PipelineExperimentConfig=None, MlflowConfig=None))

    assert (found.experiment_config, found.mlflow_config) == (None, None)
    assert api_step(CacheConfig=None).cache_config is None


def test_null_check_keys_are_kept() -> None:
    extras = {"CheckType": "DATA_QUALITY", "SkipCheck": False, "ModelPackageGroupName": None}
    found = parse(definition(step("Q", "QualityCheck", **extras))).steps[0]

    assert isinstance(found, ApiStep)
    assert found.extras == extras


def test_a_definition_needs_no_version_and_no_parameters() -> None:
    assert parse('{"Steps": []}').version == "2020-12-01"


def test_another_version_is_refused() -> None:
    assert problem(Version="2021-01-01").path == "Version"


@pytest.mark.parametrize(
    ("declaration", "type_", "default"),
    [
        ({"Name": "P"}, ParameterType.STRING, None),
        ({"Name": "P", "DefaultValue": ""}, ParameterType.STRING, ""),
        ({"Name": "P", "Type": "Integer", "DefaultValue": 0}, ParameterType.INTEGER, 0),
        ({"Name": "P", "Type": "Float", "DefaultValue": 6}, ParameterType.FLOAT, 6.0),
        ({"Name": "P", "Type": "Boolean", "DefaultValue": False}, ParameterType.BOOLEAN, False),
    ],
)
def test_a_default_has_the_declared_type(declaration: Any, type_: ParameterType, default: Any) -> None:
    found = parse(definition(Parameters=[declaration])).parameters[0]

    assert (found.type, found.default, type(found.default)) == (type_, default, type(default))
    assert found.has_default is ("DefaultValue" in declaration)


@pytest.mark.parametrize(
    ("declaration", "path"),
    [
        ({"Name": "a b"}, "Name"),
        ({"Name": ""}, "Name"),
        ({"Name": "P", "Type": "Integer", "DefaultValue": True}, "DefaultValue"),
        ({"Name": "P", "Type": "Boolean", "DefaultValue": 1}, "DefaultValue"),
        ({"Name": "P", "Type": "Float", "DefaultValue": "1.5"}, "DefaultValue"),
        ({"Name": "P", "DefaultValue": "x", "EnumValues": ["y"]}, "DefaultValue"),
        ({"Name": "P", "Type": "Integer", "EnumValues": ["1"]}, "EnumValues"),
        ({"Name": "P", "EnumValues": [1]}, "EnumValues[0]"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(declaration: Any, path: str) -> None:
    assert problem(Parameters=[declaration]).path == f"Parameters[0].{path}"


def test_a_parameter_cannot_be_declared_twice() -> None:
    assert problem(Parameters=[{"Name": "P"}, {"Name": "P"}]).path == "Parameters[1].Name"


def test_at_most_200_parameters_are_declared() -> None:
    assert problem(Parameters=[{"Name": f"P{n}"} for n in range(201)]).path == "Parameters"


def test_dependencies_are_names_or_triggers() -> None:
    depends_on = ["X", {"Step": "Y", "Trigger": "Failed"}, {"Step": "Z"}, "X"]

    assert api_step(DependsOn=depends_on).depends_on == (
        Dependency("X"),
        Dependency("Y", Trigger.FAILED),
        Dependency("Z", Trigger.COMPLETED),
    )


def test_one_step_cannot_be_waited_for_in_two_ways() -> None:
    found = problem(step("Always", DependsOn=["Work", {"Step": "Work", "Trigger": "Any"}]))

    assert found.message == "Step Always depends on step Work with conflicting triggers: Completed and Any."


def test_an_unknown_trigger_is_refused_with_a_suggestion() -> None:
    found = problem(step(DependsOn=[{"Step": "X", "Trigger": "Fail"}]))

    assert (found.path, found.hint) == ("Steps[0].DependsOn[0].Trigger", "did you mean Failed?")


def test_a_retry_policy_without_a_limit_gets_five_attempts() -> None:
    policies = [{"ExceptionType": ["Step.THROTTLING"]}]

    assert api_step(RetryPolicies=policies).retry_policies == (
        RetryPolicy(("Step.THROTTLING",), 1, 2.0, 5, None),
    )


@pytest.mark.parametrize(
    ("policy", "key"),
    [
        ({"ExceptionType": ["Step.Throttling"]}, "ExceptionType[0]"),
        ({"ExceptionType": []}, "ExceptionType"),
        ({"ExceptionType": "Step.THROTTLING", "MaxAttempts": 21}, "MaxAttempts"),
        ({"ExceptionType": "Step.THROTTLING", "ExpireAfterMin": 14401}, "ExpireAfterMin"),
        ({"ExceptionType": "Step.THROTTLING", "BackoffRate": -1}, "BackoffRate"),
        ({"ExceptionType": "Step.THROTTLING", "IntervalSeconds": {"Get": "Parameters.P"}}, "IntervalSeconds"),
    ],
)
def test_a_retry_policy_keeps_its_limits(policy: Any, key: str) -> None:
    assert problem(step(RetryPolicies=[policy])).path == f"Steps[0].RetryPolicies[0].{key}"


def test_fail_and_condition_steps_are_neither_cached_nor_retried() -> None:
    texts = [problem(step("X", "Fail", **{key: {}})).message for key in ("CacheConfig", "RetryPolicies")]

    assert texts == [
        f"Cannot parse object, unknown property '{key}'." for key in ("CacheConfig", "RetryPolicies")
    ]


def test_a_cache_duration_cannot_be_an_expression() -> None:
    found = problem(step(CacheConfig={"Enabled": True, "ExpireAfter": {"Get": "Parameters.P"}}))

    assert (found.path, found.hint) == (
        "Steps[0].CacheConfig.ExpireAfter",
        "an expression is not allowed here",
    )


def test_a_fail_step_needs_no_message_and_takes_an_expression() -> None:
    join = {"Std:Join": {"Values": ["a", {"Get": "Parameters.P"}]}}
    silent, speaking = parse(
        definition(step("X", "Fail"), step("Y", "Fail", Arguments={"ErrorMessage": join}))
    ).steps

    assert isinstance(silent, FailStep)
    assert isinstance(speaking, FailStep)
    assert (silent.error_message, speaking.error_message) == ("", join)


def test_conditions_become_a_tree() -> None:
    found = parse(
        definition(
            condition(
                {"Type": "Equals", "LeftValue": None, "RightValue": 1},
                {"Type": "NotEquals", "LeftValue": 1, "RightValue": 2},
                {"Type": "NotIn", "QueryValue": "x", "Values": ["y", {"Get": "Parameters.P"}]},
                {"Type": "Or", "Conditions": [{"Type": "LessThan", "LeftValue": 1, "RightValue": 2}]},
            )
        )
    ).steps[0]

    assert isinstance(found, ConditionStep)
    assert found.conditions == (
        Comparison("Equals", None, 1),
        Not(Comparison("Equals", 1, 2)),
        Not(Membership("x", ("y", {"Get": "Parameters.P"}))),
        Or((Comparison("LessThan", 1, 2),)),
    )


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"Type": "Not", "Expression": {}}, ".Expression"),
        ({"Type": "Equals", "LeftValue": 1}, ".RightValue"),
        ({"Type": "Equals", "LeftValue": 1, "RightValue": [1]}, ".RightValue"),
        ({"Type": "In", "QueryValue": 1}, ".Values"),
        ({"Type": "Or", "Conditions": {}}, ".Conditions"),
        ({"LeftValue": 1, "RightValue": 1}, ".Type"),
        ("Equals", ""),
    ],
)
def test_a_condition_of_the_wrong_form_is_refused(wrong: Any, path: str) -> None:
    assert problems(definition(condition(wrong)))[0].path == f"Steps[0].Arguments.Conditions[0]{path}"


def test_steps_know_where_they_stand() -> None:
    inner = step("Inner")
    text = definition(
        step("C", "Condition", Arguments={"Conditions": [], "IfSteps": [], "ElseSteps": [inner]})
    )

    assert [(found.name, found.path) for found in walk(parse(text).steps)] == [
        ("C", "Steps[0]"),
        ("Inner", "Steps[0].Arguments.ElseSteps[0]"),
    ]


@pytest.mark.parametrize("kind", ["Condition", "Fail", "ForEach"])
def test_a_loop_body_holds_no_control_step(kind: str) -> None:
    found = problems(definition(loop(ForEachBody=[step("X", kind)])))

    assert found[0].path == "Steps[0].Arguments.ForEachBody[0].Type"


@pytest.mark.parametrize("items", ["abc", {"a": 1}, [], [None], [{}]])
def test_a_loop_runs_over_an_expression_or_a_list_of_scalars(items: Any) -> None:
    assert problem(loop(IterableItems=items)).path.startswith("Steps[0].Arguments.IterableItems")


def test_a_loop_keeps_its_selector() -> None:
    field = {"Get": "IterationOutput.A.OutputParameters['n']"}
    found = parse(definition(loop(Selector={"Pick": "MinBy", "Field": field}))).steps[0]

    assert isinstance(found, ForEachStep)
    assert found.selector is not None
    assert (found.selector.pick, found.selector.field) == ("MinBy", field)


def test_a_selector_names_a_step_of_the_body() -> None:
    found = problem(loop(Selector={"Pick": "MinBy", "Field": {"Get": "IterationOutput.B.x"}}))

    assert found.path == "Steps[0].Arguments.Selector.Field"


def test_the_current_item_exists_only_in_a_loop_body() -> None:
    item = {"x": {"Get": "ForEach.CurrentItem.a"}}

    parse(definition(loop(ForEachBody=[step(Arguments=item)])))
    assert problem(step(Arguments=item)).path == "Steps[0].Arguments.x"


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ({"Get": 1}, ""),
        ({"Get": "Nothing.x"}, ""),
        ({"Get": "Execution.PipelineArm"}, ""),
        ({"Get": "PipelineExperimentConfig.Name"}, ""),
        ({"Std:Join": {"On": "-", "Values": "abc"}}, ".Std:Join.Values"),
        ({"Std:Join": {"On": 1, "Values": []}}, ".Std:Join.On"),
        ({"Std:Join": {"Values": [["a"]]}}, ".Std:Join.Values[0]"),
        (
            {"Std:Join": {"Values": [{"Std:Join": {"Values": [{"Get": "x"}]}}]}},
            ".Std:Join.Values[0].Std:Join.Values[0]",
        ),
        ({"Std:JsonGet": {"Path": "a"}}, ".Std:JsonGet"),
        ({"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": {"Get": "Parameters.P"}}}, ".Std:JsonGet.Path"),
        ({"Std:JsonGet": {"S3Uri": {"Get": "x"}, "Path": "a"}}, ".Std:JsonGet.S3Uri"),
        ({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.S.x"}, "Path": "a"}}, ".Std:JsonGet.PropertyFile"),
        ({"Std:JsonGet": {"PropertyFile": "F", "Path": "a"}}, ".Std:JsonGet.PropertyFile"),
        ({"Std:Upper": {}}, ""),
    ],
)
def test_an_expression_of_the_wrong_form_is_refused_wherever_it_stands(expression: Any, path: str) -> None:
    expected = f"Steps[0].Arguments.a[1]['b.c']{path}"

    assert problems(definition(step(Arguments={"a": [0, {"b.c": expression}]})))[0].path == expected


def test_an_unknown_variable_is_refused_with_a_suggestion() -> None:
    found = problem(step(Arguments={"x": {"Get": "Execution.PipelineArm"}}))

    assert found.hint == "did you mean PipelineArn?"


def test_extras_may_be_expressions_of_the_right_form() -> None:
    keys = {"CheckType": "DATA_QUALITY", "SkipCheck": "no", "ModelPackageGroupName": {"Get": "Parameters.G"}}

    assert problem(step("Q", "QualityCheck", **keys)).path == "Steps[0].SkipCheck"


def test_property_files_lie_in_declared_outputs() -> None:
    arguments = {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "report"}]}}
    files = [{"PropertyFileName": "F", "OutputName": "raport", "FilePath": "e.json"}]
    found = problem(step("P", "Processing", Arguments=arguments, PropertyFiles=files))

    assert (found.path, found.hint) == ("Steps[0].PropertyFiles[0].OutputName", "did you mean report?")


def test_an_output_is_declared_once() -> None:
    outputs = [{"OutputName": "x", "OutputType": "String"}, {"OutputName": "x", "OutputType": "Float"}]

    assert problem(step(OutputParameters=outputs)).path == "Steps[0].OutputParameters[1].OutputName"


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        ("EMR", {"ClusterId": "j", "ClusterConfig": {"Instances": {"InstanceGroups": []}}}, "Arguments"),
        ("EMR", {"ClusterConfig": {}}, "Arguments.ClusterConfig.Instances"),
        (
            "EMR",
            {"ClusterConfig": {"Name": "x", "Instances": {"InstanceFleets": []}}},
            "Arguments.ClusterConfig.Name",
        ),
        ("EMRServerless", {}, "Arguments"),
        ("Tuning", {}, "Arguments"),
    ],
)
def test_arguments_that_exclude_each_other_are_refused(kind: str, arguments: Any, path: str) -> None:
    assert problem(step("X", kind, Arguments=arguments)).path == f"Steps[0].{path}"


def test_the_experiment_is_named_before_any_step_runs() -> None:
    names = {"ExperimentName": "no_underscore", "TrialName": {"Get": "Steps.A.x"}}

    paths = [found.path for found in problems(definition(PipelineExperimentConfig=names))]

    assert paths == ["PipelineExperimentConfig.ExperimentName", "PipelineExperimentConfig.TrialName"]
