"""What is refused, and what the SDK's definitions become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.jobs import Failed, Succeeded
from sagelocal_executors.faults import JobError
from sagelocal_executors.tuning.builtin_metrics import builtin_metrics
from sagelocal_executors.tuning.plan import plan_tuning
from sagelocal_executors.tuning.request import parse_tuning
from sagelocal_executors.tuning.rules import problems

if TYPE_CHECKING:
    from tests.executors.tuning.conftest import CheckTuning, Make, Tuning

CORPUS = Path(__file__).parents[3] / "fixtures" / "corpus"
BAND = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}


def found(arguments: Any, name: str = "tune", *, stubbed: bool = False) -> list[str]:
    return list(problems(name, parse_tuning(arguments), stubbed=stubbed))


def test_a_sound_request_breaks_no_rule(make: Make) -> None:
    assert found(make.request()) == []


@pytest.mark.parametrize(
    ("name", "good"),
    [("a" * 32, True), ("a-B-3", True), ("a" * 33, False), ("a_b", False), ("-a", False), ("", False)],
)
def test_a_name_has_1_to_32_letters_digits_and_hyphens(make: Make, name: str, *, good: bool) -> None:
    assert (found(make.request(), name) == []) is good


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"TuningJobCompletionCriteria": {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 2}}},
         "greater than or equal to 3"),
        ({"ResourceLimits": {"MaxNumberOfTrainingJobs": 1}}, "MaxParallelTrainingJobs: Field required"),
        ({"ResourceLimits": {"MaxParallelTrainingJobs": 1, "MaxRuntimeInSeconds": 60}}, "greater than or equal to 120"),
        ({"RandomSeed": -1}, "RandomSeed: Input should be greater than or equal to 0"),
        ({"Strategy": "Genetic"}, "'Bayesian', 'Random', 'Hyperband' or 'Grid'"),
        ({"TrainingJobEarlyStoppingType": "Sometimes"}, "'Off' or 'Auto'"),
    ],
)  # fmt: skip
def test_the_shape_is_told_with_its_member(make: Make, members: Any, text: str) -> None:
    with pytest.raises(JobError, match="CreateHyperParameterTuningJob") as raised:
        plan_tuning("tune", make.request(make.config(**members)))
    assert text in raised.value.reason


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"jobs": 751}, "MaxNumberOfTrainingJobs is 751; at most 750 are allowed"),
        ({"parallel": 101}, "MaxParallelTrainingJobs is 101; at most 100 are allowed"),
        ({"jobs": None}, "MaxNumberOfTrainingJobs is required for the strategy Random"),
        ({"StrategyConfig": BAND}, "StrategyConfig is for the strategy Hyperband only, not for Random"),
        ({"HyperParameterTuningJobObjective": None}, "HyperParameterTuningJobObjective is required"),
        (
            {"strategy": "Hyperband", "StrategyConfig": BAND, "TrainingJobEarlyStoppingType": "Auto"},
            "TrainingJobEarlyStoppingType must be Off",
        ),
        ({"strategy": "Hyperband"}, "MaxResource, or one of the static hyperparameters epochs"),
        (
            {
                "strategy": "Hyperband",
                "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 5, "MaxResource": 4}},
            },
            "MaxResource is 4; it must be from MinResource, 5, to 20000",
        ),
        (
            {"strategy": "Hyperband", "StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 20001}}},
            "MaxResource is 20001",
        ),
        ({"strategy": "Grid"}, "the strategy Grid takes categorical ranges only; not categorical: x"),
    ],
)
def test_rules_of_the_configuration(make: Make, members: Any, text: str) -> None:
    (problem,) = found(make.request(make.config(**members)))
    assert text in problem


@pytest.mark.parametrize(
    ("spaces", "text"),
    [
        ({"continuous": [("x", "1", "1")]}, "range 'x': MinValue 1 must be less than MaxValue 1"),
        ({"continuous": [("x", "2", "1")]}, "MinValue 2 must be less than MaxValue 1"),
        ({"continuous": [("x", "low", "1")]}, "range 'x': MinValue 'low' is not a number"),
        ({"continuous": [("x", "0", "inf")]}, "MaxValue 'inf' is not a number"),
        ({"integer": [("n", "1.5", "3")]}, "range 'n': MinValue '1.5' is not a whole number"),
        ({"continuous": [("x", "0", "1", "Logarithmic")]}, "Logarithmic scaling needs values greater than 0"),
        ({"integer": [("n", "0", "9", "Logarithmic")]}, "Logarithmic scaling needs values greater than 0"),
        ({"continuous": [("x", "0.5", "1", "ReverseLogarithmic")]}, "values from 0 to below 1"),
        ({"continuous": [("x", "-0.5", "0.9", "ReverseLogarithmic")]}, "values from 0 to below 1"),
        (
            {"integer": [("n", "0", "3", "ReverseLogarithmic")]},
            "ReverseLogarithmic scaling is for continuous",
        ),
        ({"categorical": [("c",)]}, "range 'c' has 0 Values; 1 to 30 are allowed"),
        ({"categorical": [("c", *map(str, range(31)))]}, "range 'c' has 31 Values"),
        ({"categorical": [("c", "a", "b", "a")]}, "range 'c': the value 'a' is given more than once"),
        (
            {"continuous": [("x", "0", "1")], "integer": [("x", "0", "1")]},
            "hyperparameter 'x' is given more than",
        ),
        ({"continuous": [("depth", "0", "1")]}, "hyperparameters are either static or tuned; both: depth"),
        ({}, "no hyperparameter is tuned: give at least one range"),
        (
            {"continuous": [(f"x{n}", "0", "1") for n in range(31)]},
            "31 hyperparameters are tuned; at most 30",
        ),
    ],
)
def test_rules_of_the_ranges(make: Make, spaces: Any, text: str) -> None:
    built = make.ranges(
        continuous=[make.continuous(*each) for each in spaces.get("continuous", ())],
        integer=[make.continuous(*each) for each in spaces.get("integer", ())],
        categorical=[make.categorical(*each) for each in spaces.get("categorical", ())],
    )
    assert any(text in problem for problem in found(make.request(make.config(ParameterRanges=built))))


def test_a_reverse_logarithmic_range_may_begin_at_zero(make: Make) -> None:
    spaces = make.ranges(continuous=[make.continuous("x", 0, 0.99, "ReverseLogarithmic")])
    assert found(make.request(make.config(ParameterRanges=spaces))) == []


def test_a_hundred_hyperparameters_are_the_most(make: Make) -> None:
    static = {f"h{number}": "1" for number in range(100)}
    (problem,) = found(make.request(training=make.definition(StaticHyperParameters=static)))
    assert problem == "there are 101 hyperparameters; at most 100 are allowed"


@pytest.mark.parametrize(("jobs", "good"), [(6, True), (None, True), (5, False), (7, False)])
def test_a_grid_has_as_many_jobs_as_combinations(make: Make, jobs: int | None, *, good: bool) -> None:
    spaces = make.ranges(categorical=[make.categorical("a", "1", "2"), make.categorical("b", "1", "2", "3")])
    told = found(make.request(make.config(jobs=jobs, strategy="Grid", ParameterRanges=spaces)))

    assert (told == []) is good
    assert good or f"MaxNumberOfTrainingJobs is {jobs}, but the strategy Grid has 6 combinations" in told[0]


@pytest.mark.parametrize("key", ["epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs"])
@pytest.mark.parametrize("text", ["27", '"27"'])
def test_hyperband_finds_max_resource_among_the_hyperparameters(make: Make, key: str, text: str) -> None:
    training = make.definition(StaticHyperParameters={key: text})
    plan = plan_tuning("tune", make.request(make.config(strategy="Hyperband"), training))

    assert plan.definitions[0].resources == (1, 27)


def test_an_unknown_metric_is_told_with_the_nearest(make: Make) -> None:
    objective = {"Type": "Minimize", "MetricName": "los"}
    (problem,) = found(make.request(make.config(HyperParameterTuningJobObjective=objective)))

    assert problem.startswith("A metric is required for this hyperparameter tuning job objective.")
    assert "'los' has no definition (did you mean loss?); defined are loss" in problem


XGBOOST = {
    "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
    "TrainingInputMode": "File",
}


def test_xgboost_brings_its_metrics_and_a_script_in_its_image_does_not(make: Make) -> None:
    objective = {"Type": "Maximize", "MetricName": "validation:auc"}
    config = make.config(HyperParameterTuningJobObjective=objective)
    algorithm = make.definition(AlgorithmSpecification=XGBOOST)
    script = {**algorithm, "StaticHyperParameters": {"sagemaker_program": '"train.py"'}}

    assert found(make.request(config, algorithm)) == []
    (problem,) = found(make.request(config, script))
    assert "Provide a metric in the metric definitions" in problem
    assert found(make.request(config, script), stubbed=True) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[0]#011train-auc:0.50000#011validation-auc:0.25000", {"train:auc": "0.50000", "validation:auc": "0.25000"}),
        ("[12]#011train-rmse:1.5e-05#011validation-rmse:2", {"train:rmse": "1.5e-05", "validation:rmse": "2"}),
    ],
)  # fmt: skip
def test_the_metrics_of_xgboost_are_read_from_its_lines(make: Make, line: str, expected: Any) -> None:
    import re

    request = parse_tuning(make.request(training=make.definition(AlgorithmSpecification=XGBOOST)))
    definitions: list[Any] = builtin_metrics(request.definitions[0])
    matches = {each["Name"]: re.search(each["Regex"], line) for each in definitions}

    assert {name: match.group(1) for name, match in matches.items() if match} == expected


def several(make: Make, *names: str | None, **members: Any) -> list[Any]:
    return [make.definition(DefinitionName=name, **members) for name in names]


def test_rules_of_several_definitions(make: Make) -> None:
    both = {**make.request(), "TrainingJobDefinitions": several(make, "a")}
    assert "give either TrainingJobDefinition or TrainingJobDefinitions, not both and not neither" in found(
        both
    )
    neither = {**make.request(), "TrainingJobDefinition": None}
    assert "give either TrainingJobDefinition or TrainingJobDefinitions, not both and not neither" in found(
        neither
    )
    assert found(make.request(training=several(make, "a", None))) == [
        "each of TrainingJobDefinitions needs a DefinitionName"
    ]
    assert found(make.request(training=several(make, "a", "a"))) == [
        "DefinitionName 'a' is given more than once"
    ]
    eleven = several(make, *(f"d{number}" for number in range(11)))
    assert found(make.request(training=eleven)) == [
        "TrainingJobDefinitions has 11 definitions; at most 10 are allowed"
    ]


def test_definitions_must_agree_on_the_direction(make: Make) -> None:
    up, down = ({"Type": kind, "MetricName": "loss"} for kind in ("Maximize", "Minimize"))
    training = several(make, "a", TuningObjective=up) + several(make, "b", TuningObjective=down)
    (problem,) = found(make.request(training=training))
    assert "must either maximize or minimize" in problem


def test_a_problem_of_a_definition_names_it(make: Make) -> None:
    bad = make.ranges(continuous=[make.continuous("x", 1, 0)])
    training = several(make, "a") + several(make, "b", HyperParameterRanges=bad)
    assert found(make.request(training=training)) == [
        "definition 'b': range 'x': MinValue 1 must be less than MaxValue 0"
    ]


def test_either_kind_of_resource_config_is_enough(make: Make) -> None:
    instance = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    (problem,) = found(make.request(training=make.definition(ResourceConfig=instance)))
    assert problem == "give either ResourceConfig or HyperParameterTuningResourceConfig, not both"


def test_auto_parameters_need_autotune(make: Make) -> None:
    spaces = {"AutoParameters": [{"Name": "eta", "ValueHint": "0.1"}]}
    (problem,) = found(make.request(make.config(ParameterRanges=spaces)))
    assert problem == "AutoParameters need Autotune, with Mode Enabled"


def test_autotune_chooses_what_is_left_open(make: Make) -> None:
    spaces = {"AutoParameters": [{"Name": "eta", "ValueHint": "0.1"}, {"Name": "tree", "ValueHint": "hist"}]}
    config = make.config(jobs=None, ParameterRanges=spaces, TrainingJobEarlyStoppingType=None)
    plan = plan_tuning("tune", make.request(config, Autotune={"Mode": "Enabled"}))

    assert (plan.jobs, plan.early_stopping, plan.until_convergence) == (20, True, True)
    assert [each.name for each in plan.definitions[0].ranges] == ["eta"]
    assert plan.definitions[0].static["tree"] == "hist"
    assert "Autotune: eta is continuous, from 0.01 to 1.0" in plan.notes


async def test_autotune_runs(tuning: Tuning, make: Make, check_tuning: CheckTuning) -> None:
    spaces = {"AutoParameters": [{"Name": "x", "ValueHint": "0.5"}]}
    config = make.config(jobs=2, ParameterRanges=spaces)
    outcome = await tuning.run(tuning.squared, make.request(config, Autotune={"Mode": "Enabled"}))

    assert isinstance(outcome, Succeeded), outcome
    check_tuning(outcome.properties)
    assert outcome.properties["Autotune"] == {"Mode": "Enabled"}
    assert "Autotune: x is continuous" in tuning.log()


async def test_all_problems_are_told_at_once(tuning: Tuning, make: Make) -> None:
    spaces = make.ranges(continuous=[make.continuous("x", 1, 0), make.continuous("y", 0, 1, "Logarithmic")])
    outcome = await tuning.run(tuning.squared, make.request(make.config(ParameterRanges=spaces)))

    assert isinstance(outcome, Failed)
    assert "range 'x'" in outcome.reason
    assert "range 'y'" in outcome.reason


def resolved(value: Any, parameters: Mapping[str, Any]) -> Any:
    """The value with every expression replaced: a parameter's default, a number read from a file, a place."""
    if isinstance(value, list):
        return [resolved(each, parameters) for each in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Get": str(path)}:
            return parameters.get(path.removeprefix("Parameters."), "s3://bucket/data")
        case {"Std:JsonGet": _}:
            return "1000"
        case {"Std:Join": {"On": on, "Values": values}}:
            return str(on).join(str(resolved(each, parameters)) for each in values)
    return {key: resolved(each, parameters) for key, each in value.items()}


def tuning_steps(path: Path) -> list[tuple[str, Any]]:
    document = json.loads(path.read_text())
    parameters = {each["Name"]: each.get("DefaultValue", "x") for each in document["Parameters"]}
    return [
        (step["Name"], resolved(step["Arguments"], parameters))
        for step in document["Steps"]
        if step["Type"] == "Tuning"
    ]


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("generated/tuning_top_model.json", 1),
        ("sdk-tuning-multi-algo/definition.json", 1),
        ("restate-two-tuners/definition.json", 2),
        ("customer-churn-hpo-clarify/definition.json", 1),
        ("cv-tuning-from-step/definition.json", 1),
    ],
)
def test_what_the_sdk_writes_is_understood(path: str, count: int) -> None:
    steps = tuning_steps(CORPUS / path)

    assert len(steps) == count
    for name, arguments in steps:
        plan = plan_tuning(name[:32], arguments, stubbed=True)
        assert (
            plan.jobs
            == arguments["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"]
        )
        assert all(definition.ranges for definition in plan.definitions)
        if "cv-tuning" not in path:  # the metrics of that algorithm are known to AWS alone
            assert plan_tuning(name[:32], arguments).definitions[0].metric
