"""A Transform step that a stub plays: neither model nor inputs need be there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sagelocal.cloud.catalog import Catalog
from sagelocal.jobs import Job
from sagelocal.logs import StepLog
from sagelocal_executors.channels import Item
from sagelocal_executors.containers import Limits
from sagelocal_executors.contract import Host
from sagelocal_executors.faults import JobError
from sagelocal_executors.hosts import Output, failure_reason, run_together
from sagelocal_executors.outputs import upload_all
from sagelocal_executors.serving_models import model_containers
from sagelocal_executors.tools import Launch, Tools
from sagelocal_executors.transform.request import TransformRequest
from sagelocal_executors.transform.results import output_name

OUTPUTS = "/opt/ml/transform"
"""Where a stub finds the output named ``transform``: nothing that a real container sees."""
_PLACEHOLDER = "Written by sagelocal's stub runtime in the place of predictions.\n"


async def play(
    tools: Tools,
    catalog: Catalog,
    job: Job,
    request: TransformRequest,
    items: Sequence[Item],
    *,
    log: StepLog,
) -> None:
    """Run one container that stands for the job: the stub's outputs are there afterwards, or placeholders of them.

    Raises:
        JobError: the stub says that the job fails.
    """
    host = Host("algo-1", "")
    tree = tools.tree(job, host)
    mount = tree.mount(OUTPUTS)
    await asyncio.to_thread(_placeholders, [tree.path(f"{OUTPUTS}/{output_name(item)}") for item in items])
    launch = Launch(
        image=_image(catalog, request.model_name),
        entrypoint=None,
        command=("serve",),
        env=request.environment,
        limits=Limits(grace=tools.grace),
        network=True,
    )
    output = Output(log)
    spec, end = await run_together(tools.containers, [launch.spec(job, host, (host,), [mount])], output)
    if end.code != 0:
        raise JobError(failure_reason(end, output.last_line(spec.hostname)), "AlgorithmError")
    log.note(await upload_all(tools.objects, mount.source, request.transform_output.s3_output_path))


def _placeholders(paths: Sequence[Path]) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_PLACEHOLDER, encoding="utf-8")


def _image(catalog: Catalog, model_name: str) -> str:
    try:
        return model_containers(catalog, model_name)[0].image
    except JobError:
        return model_name
