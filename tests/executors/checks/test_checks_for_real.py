"""Checks that gate a registration, with the programs that play Model Monitor and Clarify: three runs, the last one drifted."""

from __future__ import annotations

import io
import json
import random
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sagelocal.engine import Engine
from sagelocal.settings import Runtime, Settings
from sagelocal.store.views import ExecutionView, StepView
from sagelocal.values import Scalar

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")

REGISTRY = "156813124566.dkr.ecr.us-east-1.amazonaws.com"
ROLE = "arn:aws:iam::000000000000:role/any"
SCRIPT = """
def model_fn(folder):
    return None

def predict_fn(rows, model):
    return [[0.9 if row[0] > 50 else 0.1] for row in rows]
"""
"""A model that looks at its first feature only."""

Rows = Iterator[tuple[object, ...]]


def people(*, older: float = 0.0, missing: bool = False) -> Rows:
    """Age, city, income."""
    chance = random.Random(7)
    for number in range(300):
        age = "" if missing and number % 3 == 0 else round(chance.gauss(40 + older, 8), 2)
        yield age, chance.choice("abc"), chance.randrange(1000, 9000)


def predicted(*, noise: float) -> Rows:
    """A label and what was predicted for it."""
    chance = random.Random(7)
    for _ in range(300):
        label = chance.uniform(0, 10)
        yield round(label, 3), round(label + chance.gauss(0, noise), 3)


def approvals(*, biased: bool) -> Rows:
    """Approved or not, age, group; a model that looks at the age is biased when the groups differ in it."""
    chance = random.Random(7)
    for number in range(200):
        group = number % 2
        age = chance.randrange(20, 50) + 30 * group if biased else chance.randrange(20, 80)
        yield int(age > 50), age, group


def fading(*, swapped: bool) -> Rows:
    """Two features; the model's one hardly varies when `swapped`, so that it hardly explains anything."""
    chance = random.Random(7)
    for _ in range(40):
        yield (20 if swapped else chance.randrange(20, 80)), chance.randrange(20, 80)


@dataclass(frozen=True)
class Case:
    """A check, data that it was registered with and data that it shall refuse."""

    check_type: str
    section: tuple[str, Mapping[str, str]]
    headers: tuple[str, ...]
    good: Callable[[], Rows]
    drifted: Callable[[], Rows]
    expected: frozenset[str]
    env: Mapping[str, str] | None = None
    config: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return self.check_type

    @property
    def kind(self) -> str:
        return "QualityCheck" if self.config is None else "ClarifyCheck"

    @property
    def asks_a_model(self) -> bool:
        return "predictor" in (self.config or {})


PREDICTOR = {
    "instance_type": "ml.m5.large",
    "initial_instance_count": 1,
    "accept_type": "text/csv",
    "content_type": "text/csv",
}
BIAS = {
    "dataset_type": "text/csv",
    "headers": ["approved", "age", "group"],
    "label": "approved",
    "label_values_or_threshold": [1],
    "facet": [{"name_or_index": "group", "value_or_threshold": [1]}],
}
SHAP = {"baseline": [[50, 50]], "num_samples": 20, "agg_method": "mean_abs", "use_logit": False}
BOTH = {"Statistics": "Statistics", "Constraints": "Constraints"}
CASES = [
    Case(
        "DATA_QUALITY",
        ("ModelDataQuality", BOTH),
        ("age", "city", "income"),
        people,
        lambda: people(older=30, missing=True),
        frozenset({"baseline_drift_check", "completeness_check"}),
    ),
    Case(
        "MODEL_QUALITY",
        ("ModelQuality", BOTH),
        ("label", "guess"),
        lambda: predicted(noise=0.5),
        lambda: predicted(noise=3),
        frozenset({"mse", "rmse", "mae", "r2"}),
        env={
            "analysis_type": "MODEL_QUALITY",
            "problem_type": "Regression",
            "inference_attribute": "guess",
            "ground_truth_attribute": "label",
        },
    ),
    Case(
        "DATA_BIAS",
        ("Bias", {"Constraints": "PreTrainingConstraints"}),
        ("approved", "age", "group"),
        lambda: approvals(biased=False),
        lambda: approvals(biased=True),
        frozenset({"bias_drift_check"}),
        config={**BIAS, "methods": {"pre_training_bias": {"methods": "all"}}},
    ),
    Case(
        "MODEL_BIAS",
        ("Bias", {"Constraints": "PostTrainingConstraints"}),
        ("approved", "age", "group"),
        lambda: approvals(biased=False),
        lambda: approvals(biased=True),
        frozenset({"bias_drift_check"}),
        config={
            **BIAS,
            "methods": {"post_training_bias": {"methods": "all"}},
            "predictor": PREDICTOR,
            "probability_threshold": 0.5,
        },
    ),
    Case(
        "MODEL_EXPLAINABILITY",
        ("Explainability", {"Constraints": "Constraints"}),
        ("age", "height"),
        lambda: fading(swapped=False),
        lambda: fading(swapped=True),
        frozenset({"feature_attribution_drift_check"}),
        config={
            "dataset_type": "text/csv",
            "headers": ["age", "height"],
            "methods": {"shap": SHAP},
            "predictor": PREDICTOR,
        },
    ),
]


def pipeline(case: Case) -> str:
    """A check, and a registration that only a good check lets happen."""
    members = case.section[1]
    baselines = {
        member: {
            "ContentType": "application/json",
            "S3Uri": {"Get": f"Steps.Check.BaselineUsedForDriftCheck{name}"},
        }
        for name, member in members.items()
    }
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "Gate",
            "ModelApprovalStatus": "Approved",
            "DriftCheckBaselines": {case.section[0]: baselines},
        },
    }
    flags = [
        {"Name": name, "Type": "Boolean", "DefaultValue": default}
        for name, default in (("Skip", False), ("Register", False), ("Fail", True))
    ]
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "Data", "Type": "String"}, *flags],
            "Steps": [*models(case), check(case), register],
        }
    )


def models(case: Case) -> list[dict[str, Any]]:
    if not case.asks_a_model:
        return []
    container = {
        "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "ModelDataUrl": "s3://bucket/model.tar.gz",
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        },
    }
    return [
        {
            "Name": "Model",
            "Type": "Model",
            "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container},
        }
    ]


def check(case: Case) -> dict[str, Any]:
    """The step as the SDK writes it (semantics 02 §2.11)."""
    quality = case.kind == "QualityCheck"
    image = "sagemaker-model-monitor-analyzer" if quality else "sagemaker-clarify-processing:1.0"
    target = "/opt/ml/processing/input/baseline_dataset_input" if quality else "/opt/ml/processing/input/data"
    inputs = [
        s3_input("baseline_dataset_input" if quality else "dataset", {"Get": "Parameters.Data"}, target)
    ]
    if not quality:
        uri = "s3://bucket/config/analysis_config.json"
        inputs.append(s3_input("analysis_config", uri, "/opt/ml/processing/input/config"))
    environment = {
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Disabled",
        "dataset_format": json.dumps({"csv": {"header": True, "output_columns_position": "START"}}),
        "dataset_source": target,
        **(case.env or {}),
    }
    folder = {"Std:Join": {"On": "/", "Values": ["s3:/", "bucket", {"Get": "Execution.PipelineExecutionId"}]}}
    s3 = {"S3Uri": folder, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    name = "quality_check_output" if quality else "analysis_result"
    return {
        "Name": "Check",
        "Type": case.kind,
        "CheckType": case.check_type,
        "ModelPackageGroupName": "Gate",
        "SkipCheck": {"Get": "Parameters.Skip"},
        "FailOnViolation": {"Get": "Parameters.Fail"},
        "RegisterNewBaseline": {"Get": "Parameters.Register"},
        "SuppliedBaselineConstraints": None,
        **({"ModelName": {"Get": "Steps.Model.ModelName"}} if case.asks_a_model else {}),
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            "AppSpecification": {"ImageUri": f"{REGISTRY}/{image}"},
            "RoleArn": ROLE,
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": name, "AppManaged": False, "S3Output": s3}]
            },
            **({"Environment": environment} if quality else {}),
        },
    }


def s3_input(name: str, uri: object, path: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "AppManaged": False, "S3Input": s3}


def furnish(case: Case, bucket: Path) -> None:
    """Put the data, the model and the configuration of the analysis into the bucket."""
    for name, rows in (("good", case.good()), ("drifted", case.drifted())):
        lines = [",".join(map(str, row)) for row in (case.headers, *rows)]
        kept = (
            lines if case.kind == "QualityCheck" else lines[1:]
        )  # Clarify knows the names from its configuration
        path = bucket / "data" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(kept) + "\n")
    (bucket / "config").mkdir()
    (bucket / "config" / "analysis_config.json").write_text(json.dumps(case.config or {}))
    with tarfile.open(bucket / "model.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("code/inference.py")
        info.size = len(SCRIPT.encode())
        archive.addfile(info, io.BytesIO(SCRIPT.encode()))


def read(home: Path, uri: object) -> Any:
    return json.loads((home / "s3" / str(uri).removeprefix("s3://")).read_text())


def step_of(view: ExecutionView, name: str) -> StepView:
    return next(step for step in view.steps if step.name == name)


IMAGES = {
    f"*/sagemaker-{name}*": {"docker": f"sagelocal-{short}:local"}
    for name, short in (
        ("model-monitor-analyzer", "model-monitor"),
        ("clarify-processing", "clarify"),
        ("scikit-learn", "sklearn"),
    )
}
PLACES = [
    *((Runtime.PROCESS, case) for case in CASES),
    *(
        pytest.param(Runtime.DOCKER, case, marks=pytest.mark.docker)
        for case in CASES
        if case.check_type in {"DATA_QUALITY", "MODEL_BIAS"}
    ),
]


@pytest.mark.parametrize(("runtime", "case"), PLACES, ids=str)
async def test_a_drifted_data_set_is_not_registered(runtime: Runtime, case: Case, tmp_path: Path) -> None:
    furnish(case, tmp_path / "s3" / "bucket")
    settings = Settings(home=tmp_path, runtime=runtime, python=Path(sys.executable), images=IMAGES)
    async with Engine(settings) as engine:
        engine.create_pipeline("Gate", pipeline(case))

        async def run(data: str, **flags: bool) -> tuple[ExecutionView, Any]:
            parameters: dict[str, Scalar] = {"Data": f"s3://bucket/data/{data}.csv", **flags}
            view = await engine.wait(await engine.start("Gate", parameters))
            return view, step_of(view, "Check").metadata[case.kind]

        first, registered = await run("good", Skip=True, Register=True)
        assert first.status == "Succeeded", [step.failure_reason for step in first.steps]
        used = registered["BaselineUsedForDriftCheckConstraints"]
        assert used == registered["CalculatedBaselineConstraints"]
        assert read(tmp_path, used)

        same, checked = await run("good")
        assert same.status == "Succeeded", [step.failure_reason for step in same.steps]
        assert checked["BaselineUsedForDriftCheckConstraints"] == used
        assert checked["CalculatedBaselineConstraints"] != used
        assert "ViolationReport" not in checked
        assert step_of(same, "Register").properties["ModelPackageVersion"] == 2

        drifted, violated = await run("drifted")
        assert drifted.status == "Failed"
        reason = step_of(drifted, "Check").failure_reason or ""
        word = case.kind.removesuffix("Check")
        assert (
            reason == f"ClientError: {word} check failed. See violation report {violated['ViolationReport']}"
        )
        assert "Register" not in [step.name for step in drifted.steps]
        violations = read(tmp_path, violated["ViolationReport"])["violations"]
        assert case.expected <= {item["constraint_check_type"] for item in violations} | {
            item.get("feature_name") or item.get("metric_name") for item in violations
        }

        allowed, reported = await run("drifted", Fail=False)
        assert allowed.status == "Succeeded"
        assert read(tmp_path, reported["ViolationReport"])["violations"] == violations
        assert step_of(allowed, "Register").properties["ModelPackageVersion"] == 3
    assert list((tmp_path / "jobs").glob("*")) == []
