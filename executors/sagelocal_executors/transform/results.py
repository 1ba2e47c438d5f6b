"""What a job leaves in S3: its outputs, and what DataCaptureConfig asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sagelocal.cloud.objects import Objects
from sagelocal.names import S3Uri
from sagelocal_executors.channels import Item, bytes_text

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Capture:
    """DataCaptureConfig of a job, as documented in "Capture data from batch transform job".

    Attributes:
        destination: DestinationS3Uri; manifests go to its ``input/`` and ``output/``, below the hour.
        started: when the job did, in seconds since the epoch.
        scratch: a file that gives the manifests their name, which is not documented.
    """

    destination: str
    started: float
    scratch: Path


def output_name(item: Item) -> str:
    """The key below S3OutputPath: that below the input's prefix, with ``.out``, also when the input was compressed."""
    return f"{item.relative}.out"


async def upload_outputs(objects: Objects, outputs: Mapping[Item, Path], uri: str) -> str:
    """Move the outputs to S3, one by one, as no folder could hold every key; returns what was moved, for the log."""
    size = await asyncio.to_thread(lambda: sum(path.stat().st_size for path in outputs.values()))
    goal, pending = S3Uri.parse(uri), list(outputs.items())
    for start in range(0, len(pending), _AT_ONCE):
        moves = pending[start : start + _AT_ONCE]
        await asyncio.gather(*(objects.upload(path, str(goal / output_name(item))) for item, path in moves))
    return f"uploaded {len(outputs)} file{'s'[: len(outputs) != 1]}, {bytes_text(size)}, to {uri}"


async def capture(objects: Objects, items: Sequence[Item], outputs: str, goal: Capture) -> str:
    """Write the manifests of a job's inputs and outputs; returns what was written, for the log."""
    hour = datetime.fromtimestamp(goal.started, UTC).strftime("%Y/%m/%d/%H")
    manifests = {
        "input": _inputs(items),
        "output": [{"prefix": f"{outputs.rstrip('/')}/"}, *map(output_name, items)],
    }
    for name, manifest in manifests.items():
        text = json.dumps(manifest, ensure_ascii=False)
        await asyncio.to_thread(goal.scratch.write_text, text, encoding="utf-8")
        await objects.upload(
            goal.scratch, f"{goal.destination.rstrip('/')}/{name}/{hour}/{goal.scratch.name}"
        )
    return f"captured {len(items)} input{'s'[: len(items) != 1]} below {goal.destination}, as manifests of {hour}"


def _inputs(items: Sequence[Item]) -> list[object]:
    folders = {item.uri.removesuffix(item.relative) for item in items}
    prefix = folders.pop() if len(folders) == 1 else f"s3://{S3Uri.parse(items[0].uri).bucket}/"
    return [{"prefix": prefix}, *(item.uri.removeprefix(prefix) for item in items)]
