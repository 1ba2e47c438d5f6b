"""The Arguments that are not one request: their shapes in botocore's notation, over the service's own (semantics 02 §2.12-2.17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sagelocal.definition.steps import StepType
from sagelocal.shapes import Traits


@dataclass(frozen=True, slots=True)
class Composed:
    """The Arguments of one type of step.

    Attributes:
        service: whose model the shapes refer to.
        shapes: of our own; the one called ``Arguments`` is the whole, and names that are missing here are the service's.
        filled: per shape of the service, required members that the pipeline fills when they are absent.
    """

    service: str
    shapes: Mapping[str, Traits]
    filled: Mapping[str, tuple[str, ...]]


def _structure(*required: str, **members: str) -> Traits:
    return {
        "type": "structure",
        "required": required,
        "members": {name: {"shape": shape} for name, shape in members.items()},
    }


def _list(element: str, longest: int) -> Traits:
    return {"type": "list", "member": {"shape": element}, "max": longest}


_TEXT: Final[Traits] = {"type": "string"}

COMPOSED: Final[Mapping[StepType, Composed]] = {
    StepType.EMR: Composed(
        "emr",
        {
            "Arguments": _structure(
                "StepConfig",
                StepConfig="StepConfig",
                ClusterId="Text",
                ClusterConfig="RunJobFlowInput",
                ExecutionRoleArn="Text",
            ),
            # The SDK writes the members of HadoopJarStep.Properties in small letters.
            "KeyValue": _structure(Key="Text", Value="Text", key="Text", value="Text"),
            "Text": _TEXT,
        },
        {"StepConfig": ("Name",), "RunJobFlowInput": ("Name",)},
    ),
    StepType.EMR_SERVERLESS: Composed(
        "emr-serverless",
        {
            "Arguments": _structure(
                "JobConfig",
                ExecutionRoleArn="Text",
                JobConfig="StartJobRunRequest",
                ApplicationId="Text",
                ApplicationConfig="CreateApplicationRequest",
            ),
            "Text": _TEXT,
        },
        {"StartJobRunRequest": ("applicationId", "executionRoleArn")},
    ),
    StepType.LINEAGE: Composed(
        "sagemaker",
        {
            "Arguments": _structure(
                Actions="Actions", Artifacts="Artifacts", Contexts="Contexts", Associations="Associations"
            ),
            "Actions": _list("CreateActionRequest", 5),
            "Artifacts": _list("CreateArtifactRequest", 5),
            "Contexts": _list("CreateContextRequest", 5),
            "Associations": _list("Association", 10),
            "Association": _structure(
                "Source",
                "Destination",
                Source="Entity",
                Destination="Entity",
                AssociationType="AssociationEdgeType",
            ),
            "Entity": _structure(Arn="Text", Name="Text", Type="Text"),
            "Text": _TEXT,
        },
        {},
    ),
    StepType.CLEANUP: Composed(
        "sagemaker",
        {
            "Arguments": _structure("Resources", Resources="Resources"),
            "Resources": _structure(S3="Sources"),
            "Sources": _list("Source", 100),
            "Source": _structure("StepName", StepName="Text", S3Uris="Uris"),
            "Uris": _list("S3Uri", 1000),
            "Text": _TEXT,
        },
        {},
    ),
}
