"""DescribeTransformJobResponse (semantics 04, 14)."""

from __future__ import annotations

from sagelocal.clock import iso
from sagelocal.values import Json, JsonObject
from sagelocal_executors.describe import Ending, Timeline, echo
from sagelocal_executors.overrides import merged

STARTED = "InProgress"
# The service fills these in, as the answers recorded in the SDK's tests show for input and output.
_DEFAULTS: JsonObject = {
    "TransformInput": {"CompressionType": "None", "SplitType": "None"},
    "TransformOutput": {"AssembleWith": "None"},
    "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
}


def echo_transform(arguments: JsonObject) -> JsonObject:
    return merged(_DEFAULTS, echo(arguments, "Tags", "TransformJobName"))


def describe_transform(
    echoed: JsonObject, name: str, arn: str, timeline: Timeline, ending: Ending
) -> JsonObject:
    """DescribeTransformJobResponse of a job that has ended now, or is under way.

    TransformStartTime is when its model began to serve.
    """
    answer: dict[str, Json] = {
        **echoed,
        "TransformJobName": name,
        "TransformJobArn": arn,
        "TransformJobStatus": ending.status,
        "CreationTime": iso(timeline.begun),
    }
    if not ending.under_way:
        answer["TransformEndTime"] = iso(timeline.clock.now())
    started = timeline.when(STARTED)
    if started is not None:
        answer["TransformStartTime"] = iso(started)
    if ending.failure:
        answer["FailureReason"] = ending.failure
    return answer
