"""What ListPipelineExecutionSteps shows of check steps."""

from __future__ import annotations

import json
from typing import Any

import botocore.loaders
import pytest
from botocore.model import ServiceModel

from sagelocal.database import open_database
from sagelocal.events import Begun, Finished, Started
from sagelocal.jobs import Failed, Outcome, Succeeded
from sagelocal.names import Partition
from sagelocal.state import Rules
from sagelocal.store.journal import Journal, Start
from sagelocal.store.pipelines import Pipelines
from sagelocal.store.views import StepView, Views
from sagelocal.values import JsonObject

PARTITION = Partition("us-east-1", "000000000000")


def shown(kind: str, check_type: str, outcome: Outcome) -> StepView:
    """The step as it is seen after this outcome was recorded."""
    step = {"Name": "C", "Type": kind, "CheckType": check_type, "Arguments": {}}
    definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    connection = open_database(":memory:")
    journal = Journal(connection)
    version = Pipelines(connection).put("p", PARTITION.pipeline("p"), definition, 0.0)
    arn = PARTITION.execution("p", "abcdefghijkl")
    journal.begin(Start(arn, "p", version, definition, 0.0, "d", {}, None, {}, Rules()))
    journal.append(arn, [Begun(1.0), Started("C", 2.0), Finished("C", outcome, 3.0)])
    (view,) = Views(journal, PARTITION, lambda _execution, _step: "").execution(arn).steps
    return view


@pytest.mark.parametrize(
    ("kind", "check_type"), [("QualityCheck", "DATA_QUALITY"), ("ClarifyCheck", "DATA_BIAS")]
)
def test_every_member_of_the_apis_metadata_is_shown_and_no_other(kind: str, check_type: str) -> None:
    service = ServiceModel(botocore.loaders.Loader().load_service_model("sagemaker", "service-2"))
    shape: Any = service.shape_for(f"{kind}StepMetadata")
    answer = {name: f"the {name}" for name in shape.members}

    view = shown(kind, check_type, Succeeded({**answer, "FailOnViolation": True}))

    assert view.metadata == {kind: answer}


def test_a_failed_check_shows_its_report() -> None:
    answer: JsonObject = {"CheckType": "DATA_QUALITY", "ViolationReport": "s3://b/r.json", "SkipCheck": False}
    view = shown("QualityCheck", "DATA_QUALITY", Failed("no", "ClientError", answer))
    assert view.metadata == {"QualityCheck": answer}


def test_a_check_that_never_became_a_job_has_no_metadata() -> None:
    assert shown("QualityCheck", "DATA_QUALITY", Failed("no", "ClientError")).metadata == {}
