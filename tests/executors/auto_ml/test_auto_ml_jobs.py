"""AutoML jobs, from the request to the Describe answer, with training jobs that a function plays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sagelocal.cloud.catalog import Kind
from sagelocal.jobs import Failed, Job, Outcome, Stopped, Succeeded
from sagelocal_executors.auto_ml.images import images
from sagelocal_executors.containers.stub import StubContainers, Stubs

if TYPE_CHECKING:
    from tests.executors.auto_ml.conftest import Desk, Play

    CheckShape = Callable[[str, Mapping[str, Any]], None]

EXECUTION = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
NAME = "abcdefghijkl-Step-0123456789"
FOUR = {"CompletionCriteria": {"MaxCandidates": 4}}
ALL = [
    "linear-learner-1",
    "xgboost-1",
    "randomforest-1",
    "extra-trees-1",
    "xgboost-2",
    "randomforest-2",
    "linear-learner-2",
    "extra-trees-2",
    "xgboost-3",
    "WeightedEnsemble",
]


def model_name(candidate: Any) -> str:
    return str(candidate["InferenceContainers"][0]["Environment"]["MODEL_NAME"])


def listed(desk: Desk) -> list[Any]:
    entity = desk.world.catalog.get(Kind.AUTO_ML_JOB, NAME)
    assert entity is not None
    candidates: Any = entity.describe["Candidates"]
    return list(candidates)


async def test_the_answer_has_the_apis_shape_but_for_the_pipelines_own_member(
    desk: Desk, play: Play, check_shape: CheckShape
) -> None:
    answer = dict(await desk.answer(play, FOUR))
    reports = answer.pop("BestCandidateProperties")

    check_shape("DescribeAutoMLJobResponse", answer)
    assert answer["AutoMLJobStatus"] == answer["AutoMLJobSecondaryStatus"] == "Completed"
    assert answer["AutoMLJobArn"].endswith(f":automl-job/{NAME.lower()}")
    assert json.loads(desk.world.get(reports["ModelInsightsJsonReportPath"])) == {"of": "statistics"}
    assert json.loads(desk.world.get(reports["ExplainabilityJsonReportPath"])) == {"of": "analysis"}


async def test_the_candidate_with_the_best_objective_wins(desk: Desk, play: Play) -> None:
    play.values = {
        "xgboost-1": {"MSE": 4.5},
        "randomforest-1": {"MSE": 4.0},
        "WeightedEnsemble": {"MSE": 4.25},
    }
    best = (await desk.answer(play, FOUR))["BestCandidate"]

    assert model_name(best) == "randomforest-1"
    metric = best["FinalAutoMLJobObjectiveMetric"]
    assert (metric["MetricName"], metric["Type"], metric["Value"]) == ("MSE", "Minimize", 4.0)


async def test_more_is_better_where_the_metric_says_so(desk: Desk, play: Play) -> None:
    play.values = {"xgboost-1": {"R2": 0.75}, "randomforest-1": {"R2": 0.25}}
    answer = await desk.answer(play, FOUR, AutoMLJobObjective={"MetricName": "R2"})

    assert model_name(answer["BestCandidate"]) == "xgboost-1"
    assert answer["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Type"] == "Maximize"


async def test_of_equals_the_first_wins(desk: Desk, play: Play) -> None:
    assert model_name((await desk.answer(play, FOUR))["BestCandidate"]) == "linear-learner-1"


@pytest.mark.parametrize(
    ("most", "tried"),
    [(None, ALL), (1, ALL[:1]), (2, ALL[:2]), (3, [*ALL[:2], ALL[-1]]), (5, [*ALL[:4], ALL[-1]]), (750, ALL)],
)
async def test_max_candidates_counts_the_ensemble(
    desk: Desk, play: Play, most: int | None, tried: list[str]
) -> None:
    await desk.answer(play, {"CompletionCriteria": {"MaxCandidates": most}})

    assert sorted(play.begun) == sorted(tried)
    assert play.begun[-1] == tried[-1]


async def test_the_ensemble_is_made_of_the_three_best(desk: Desk, play: Play) -> None:
    order = ["extra-trees-2", "xgboost-2", "linear-learner-1"]
    play.values = {name: {"MSE": 1.0 + number} for number, name in enumerate(order)}
    await desk.answer(play)

    members = play.told["train"]["members"]
    assert [member["algorithm"] for member in members] == ["extra-trees", "xgboost", "linear-learner"]
    assert members[0]["parameters"] == {"n_estimators": 200, "min_samples_leaf": 5}


async def test_only_the_wanted_algorithms_are_tried(desk: Desk, play: Play) -> None:
    wanted = [{"AutoMLAlgorithms": ["extra-trees", "lightgbm"]}]
    await desk.answer(play, {"CandidateGenerationConfig": {"AlgorithmsConfig": wanted}})

    assert sorted(play.begun) == ["WeightedEnsemble", "extra-trees-1", "extra-trees-2"]
    assert "lightgbm is not played locally" in desk.world.log()


async def test_xgboost_has_an_image_of_its_own(desk: Desk, play: Play) -> None:
    play.values = {"WeightedEnsemble": {"MSE": 1.0}, "xgboost-1": {"MSE": 2.0}}
    best = (await desk.answer(play, FOUR))["BestCandidate"]
    images = {model_name(each): each["InferenceContainers"][0]["Image"] for each in listed(desk)}

    assert images["xgboost-1"] == "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    assert images["linear-learner-1"].endswith("/sagemaker-scikit-learn:1.2-1-cpu-py3")
    assert best["InferenceContainers"][0]["Image"] == images["xgboost-1"]


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "492215442770.dkr.ecr.eu-central-1.amazonaws.com"),
        ("cn-north-1", "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("moon-1", "683313688378.dkr.ecr.moon-1.amazonaws.com"),
    ],
)
def test_images_are_those_of_the_region(region: str, host: str) -> None:
    assert images(region) == (
        f"{host}/sagemaker-scikit-learn:1.2-1-cpu-py3",
        f"{host}/sagemaker-xgboost:1.7-1",
    )


async def test_each_candidate_is_a_training_job_with_a_log_of_its_own(
    desk: Desk, play: Play, check_shape: CheckShape
) -> None:
    await desk.answer(play, FOUR)
    first = listed(desk)[0]["CandidateName"]
    job = desk.world.catalog.get(Kind.TRAINING_JOB, first)

    assert first.startswith(f"{NAME}-1-")
    assert len(first) == len(f"{NAME}-1-") + 8
    assert job is not None
    check_shape("DescribeTrainingJobResponse", job.describe)
    assert desk.world.logs.tail(EXECUTION, f"Step/{first}", 100)


async def test_candidates_are_told_of_the_data_and_the_objective(desk: Desk, play: Play) -> None:
    desk.world.put("s3://bucket/more/b.csv")
    from_two = [
        {**each, "TargetAttributeName": "1.0", "SampleWeightAttributeName": "w", "ContentType": "text/csv"}
        for each in (_channel("train"), {**_channel("more"), "ChannelType": "validation"})
    ]
    config = {**FOUR, "DataSplitConfig": {"ValidationFraction": 0.4}}
    await desk.answer(play, config, InputDataConfig=from_two, ProblemType="Regression")

    told = play.told["train"]
    assert (told["target"], told["weight"], told["validation_fraction"]) == ("1.0", "w", 0.4)
    assert (told["problem_type"], told["objective"]) == ("Regression", "MSE")


def _channel(name: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}"}
    return {"DataSource": {"S3DataSource": source}, "TargetAttributeName": "y"}


async def test_a_limit_per_training_job_becomes_its_stopping_condition(desk: Desk, play: Play) -> None:
    await desk.answer(
        play, {"CompletionCriteria": {"MaxCandidates": 1, "MaxRuntimePerTrainingJobInSeconds": 77}}
    )
    job = desk.world.catalog.get(Kind.TRAINING_JOB, listed(desk)[0]["CandidateName"])

    assert job is not None
    assert job.describe["StoppingCondition"] == {"MaxRuntimeInSeconds": 77}


async def test_the_data_decides_what_the_request_leaves_open(
    desk: Desk, play: Play, check_shape: CheckShape
) -> None:
    play.facts["problem_type"] = "BinaryClassification"
    play.default = {"F1": 0.5}
    answer = await desk.answer(play, FOUR)

    assert answer["ResolvedAttributes"] == {
        "AutoMLJobObjective": {"MetricName": "F1"},
        "ProblemType": "BinaryClassification",
        "CompletionCriteria": {"MaxCandidates": 4},
    }
    environment = answer["BestCandidate"]["InferenceContainers"][0]["Environment"]
    assert environment["SAGEMAKER_INFERENCE_SUPPORTED"] == "predicted_label,labels,probability,probabilities"
    check_shape(
        "DescribeAutoMLJobResponse", {k: v for k, v in answer.items() if k != "BestCandidateProperties"}
    )


async def test_a_notebook_tells_what_the_data_is_like(desk: Desk, play: Play) -> None:
    answer = await desk.answer(play, FOUR)
    notebook = json.loads(desk.world.get(answer["AutoMLJobArtifacts"]["DataExplorationNotebookLocation"]))
    text = "".join(notebook["cells"][0]["source"])

    assert "Regression, because it says so" in text
    assert "| `c` | 1000 | left out: it is empty |" in text
    assert "which is not Amazon SageMaker Autopilot" in text


async def test_a_candidate_that_fails_is_noted_and_the_others_go_on(
    desk: Desk, play: Play, check_shape: CheckShape
) -> None:
    play.values = {"linear-learner-1": "does not converge"}
    answer = await desk.answer(play, FOUR)
    failed = listed(desk)[0]

    assert failed["CandidateStatus"] == failed["ObjectiveStatus"] == "Failed"
    assert "does not converge" in failed["FailureReason"]
    assert "does not converge" in answer["PartialFailureReasons"][0]["PartialFailureMessage"]
    assert model_name(answer["BestCandidate"]) == "xgboost-1"
    for candidate in listed(desk):
        check_shape("AutoMLCandidate", candidate)


async def test_a_candidate_without_the_objective_has_failed(desk: Desk, play: Play) -> None:
    play.values = {"linear-learner-1": {"R2": 1.0}}
    await desk.answer(play, FOUR)

    assert listed(desk)[0]["FailureReason"] == "AlgorithmError: the training job printed no MSE"


async def test_when_none_completes_the_first_reason_is_the_jobs(
    desk: Desk, play: Play, check_shape: CheckShape
) -> None:
    play.values = {"linear-learner-1": "first", "xgboost-1": "second"}
    outcome = await desk.run(play, desk.job({"CompletionCriteria": {"MaxCandidates": 2}}))

    assert isinstance(outcome, Failed)
    assert outcome.error == "AlgorithmError"
    assert outcome.reason == (
        "ClientError: No candidate completed. linear-learner-1: AlgorithmError: first, exit code: 1"
    )
    check_shape("DescribeAutoMLJobResponse", outcome.properties)
    assert outcome.properties["AutoMLJobStatus"] == "Failed"


async def test_data_that_cannot_be_learnt_from_fails_the_job_at_once(desk: Desk) -> None:
    def program(box: Any) -> int:
        box.write("/opt/ml/output/failure", "the data has no column 'y'")
        return 1

    outcome = await desk.run(program, desk.job())

    assert isinstance(outcome, Failed)
    assert outcome.reason == "ClientError: AlgorithmError: the data has no column 'y', exit code: 1"
    assert listed(desk) == []


async def test_a_metric_that_does_not_suit_the_data_fails_the_job(desk: Desk, play: Play) -> None:
    outcome = await desk.run(play, desk.job(AutoMLJobObjective={"MetricName": "F1"}))

    assert isinstance(outcome, Failed)
    assert "'F1' is no metric of Regression: there are MAE, MSE, R2, RMSE" in outcome.reason
    assert play.begun == []


async def test_without_reports_the_job_completes_and_says_why(
    desk: Desk, play: Play, check_shape: CheckShape
) -> None:
    play.report = "out of paper"
    answer = await desk.answer(play, FOUR)

    check_shape("DescribeAutoMLJobResponse", answer)
    assert answer["AutoMLJobStatus"] == "Completed"
    assert answer["AutoMLJobSecondaryStatus"] == "ModelInsightsError"
    assert "out of paper" in answer["PartialFailureReasons"][0]["PartialFailureMessage"]


@pytest.mark.parametrize(
    ("config", "arguments", "reason"),
    [
        ({}, {"GenerateCandidateDefinitionsOnly": True}, "GenerateCandidateDefinitionsOnly is not supported"),
        ({"Mode": "HYPERPARAMETER_TUNING"}, {}, "Mode HYPERPARAMETER_TUNING"),
        (
            {"CandidateGenerationConfig": {"FeatureSpecificationS3Uri": "s3://b/f"}},
            {},
            "FeatureSpecificationS3Uri",
        ),
        ({}, {"AutoMLJobObjective": {"MetricName": "MAPE"}}, "MAPE judges time-series forecasts"),
        ({}, {"AutoMLJobObjective": {"MetricName": "F1Macro"}}, "did you mean F1macro?"),
        (
            {},
            {"AutoMLJobObjective": {"MetricName": "MSE"}, "ProblemType": "BinaryClassification"},
            "'MSE' is no metric of BinaryClassification",
        ),
        ({}, {"InputDataConfig": [{**_channel("t"), "ChannelType": "validation"}]}, "one training"),
        ({}, {"InputDataConfig": [{**_channel("t"), "ContentType": "text/tsv"}]}, "ContentType 'text/tsv'"),
        (
            {},
            {
                "InputDataConfig": [
                    _channel("t"),
                    {**_channel("v"), "ChannelType": "validation", "TargetAttributeName": "z"},
                ]
            },
            "both channels must have the same TargetAttributeName",
        ),
        ({}, {"OutputDataConfig": {"S3OutputPath": "nowhere"}}, "OutputDataConfig.S3OutputPath"),
        ({"DataSplitConfig": {"ValidationFraction": 1.0}}, {}, "DataSplitConfig.ValidationFraction"),
    ],
)
async def test_what_is_wrong_or_not_played_is_refused_by_name(
    desk: Desk, play: Play, config: dict[str, Any], arguments: dict[str, Any], reason: str
) -> None:
    outcome = await desk.run(play, desk.job(config, **arguments))

    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("ClientError: ")
    assert reason in outcome.reason
    assert play.told == {}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["catboost", "fastai"], "none is played locally"),
        (["mlp"], "'mlp' is not available in ENSEMBLING mode"),
    ],
)
async def test_algorithms_that_are_not_there_are_refused_by_name(
    desk: Desk, play: Play, names: list[str], reason: str
) -> None:
    config = {"CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": names}]}}
    outcome = await desk.run(play, desk.job(config))

    assert isinstance(outcome, Failed)
    assert reason in outcome.reason


@dataclass
class Sleepers:
    """Training jobs of which the first `awake` candidates end and the others sleep; `asleep` is set by the last wanted one."""

    play: Any
    awake: int = 0
    wanted: int = 1
    busy: int = 0
    asleep: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, box: Any) -> int:
        self.busy += 1
        try:
            await asyncio.sleep(0)
            code = int(self.play(box))
            if len(self.play.begun) > self.awake:
                self.wanted -= 1
                if not self.wanted:
                    self.asleep.set()
                await asyncio.sleep(3600)
            return code
        finally:
            self.busy -= 1


async def test_two_candidates_train_at_a_time(desk: Desk, play: Play) -> None:
    sleepers = Sleepers(play, wanted=2)
    task = asyncio.ensure_future(desk.run(sleepers, desk.job()))
    await sleepers.asleep.wait()
    both = sleepers.busy
    task.cancel()
    await task

    assert both == 2
    assert sorted(play.begun) == ALL[:2]


async def test_a_stop_stops_the_candidates(desk: Desk, play: Play, check_shape: CheckShape) -> None:
    sleepers = Sleepers(play, awake=1, wanted=2)
    task = asyncio.ensure_future(desk.run(sleepers, desk.job()))
    await sleepers.asleep.wait()
    task.cancel()
    outcome = await task

    assert isinstance(outcome, Stopped)
    assert sleepers.busy == 0
    check_shape("DescribeAutoMLJobResponse", outcome.properties)
    assert outcome.properties["AutoMLJobStatus"] == "Stopped"
    assert "Stopped" in {candidate["CandidateStatus"] for candidate in listed(desk)}
    assert len(play.begun) <= 4


async def test_a_stop_while_the_data_is_looked_at_starts_no_candidate(desk: Desk, play: Play) -> None:
    sleepers = Sleepers(play, awake=-1)
    task = asyncio.ensure_future(desk.run(sleepers, desk.job()))
    await sleepers.asleep.wait()
    task.cancel()

    assert isinstance(await task, Stopped)
    assert play.begun == []


class OwnTime:
    """A clock on which a sleep ends when somebody says so."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def now(self) -> float:
        return 1_000_000.0

    async def sleep(self, _seconds: float) -> None:
        await self.over.wait()


async def test_when_the_time_is_over_the_best_so_far_wins(desk: Desk, play: Play) -> None:
    sleepers, clock = Sleepers(play, awake=2, wanted=2), OwnTime()
    training, desk.world.clock = desk.world.training(sleepers), clock  # type: ignore[assignment]  # a Clock
    limited = {"CompletionCriteria": {"MaxAutoMLJobRuntimeInSeconds": 60}}
    play.values = {"xgboost-1": {"MSE": 1.0}}
    task = asyncio.ensure_future(desk.executor(training).run(desk.job(limited)))
    await sleepers.asleep.wait()
    sleepers.awake = 100
    clock.over.set()
    outcome = await task

    assert isinstance(outcome, Succeeded)
    assert outcome.properties["AutoMLJobSecondaryStatus"] == "MaxAutoMLJobRuntimeReached"
    assert model_name(outcome.properties["BestCandidate"]) == "xgboost-1"
    assert "WeightedEnsemble" not in play.begun


async def test_a_job_that_is_run_again_keeps_the_candidates_that_completed(desk: Desk, play: Play) -> None:
    sleepers = Sleepers(play, awake=2)
    task = asyncio.ensure_future(desk.run(sleepers, desk.job(FOUR)))
    await sleepers.asleep.wait()
    task.cancel()
    await task
    before = {each["CandidateName"] for each in listed(desk) if each["CandidateStatus"] == "Completed"}
    play.begun.clear()
    outcome = await desk.run(play, desk.job(FOUR))

    assert isinstance(outcome, Succeeded)
    assert before
    assert before <= {each["CandidateName"] for each in listed(desk)}
    assert len(play.begun) == 4 - len(before)


async def _stubbed(desk: Desk, job: Job, **stub: Any) -> Outcome:
    stubs = Stubs.model_validate({"steps": {"Step": stub}})
    world, everything = desk.world, lambda _step: True
    training = world.training(StubContainers(stubs, world.clock))
    training = type(training)(
        *(
            training.containers,
            world.objects,
            world.logs,
            world.partition,
            world.jobs,
            world.clock,
            5.0,
            everything,
        )
    )
    return await desk.executor(training, stubbed=everything).run(job)


async def test_a_stub_needs_no_data_and_leaves_what_its_answer_names(
    desk: Desk, check_shape: CheckShape
) -> None:
    nothing = {**_channel("nothing"), "TargetAttributeName": "y"}
    outcome = await _stubbed(desk, desk.job(InputDataConfig=[nothing]), metrics={"F1": 0.875})

    assert isinstance(outcome, Succeeded)
    answer: Any = dict(outcome.properties)
    reports = answer.pop("BestCandidateProperties")
    check_shape("DescribeAutoMLJobResponse", answer)
    assert answer["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"] == 0.875
    assert desk.world.get(answer["BestCandidate"]["InferenceContainers"][0]["ModelDataUrl"])
    assert all("stub" in json.loads(desk.world.get(uri))["generated_by"] for uri in reports.values())


async def test_a_stub_that_fails_fails_the_job(desk: Desk) -> None:
    outcome = await _stubbed(desk, desk.job(), failure={"reason": "no luck"})

    assert isinstance(outcome, Failed)
    assert "no luck" in outcome.reason
