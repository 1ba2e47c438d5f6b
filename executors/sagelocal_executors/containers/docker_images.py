"""The images of this machine, for ECR to show."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing

from sagelocal.cloud.account.ecr_images import LocalImage
from sagelocal.errors import MachineError
from sagelocal.settings import ImageRule

_WILDCARDS = frozenset("*?[")


async def local_images(rules: Mapping[str, ImageRule]) -> list[LocalImage]:
    """The tagged images of Docker, where a daemon answers, and those that the image map names in full."""
    mapped = [LocalImage(pattern) for pattern in rules if not _WILDCARDS & set(pattern)]
    there = await asyncio.to_thread(_of_docker)
    known = {image.reference for image in there}
    return [*there, *(image for image in mapped if image.reference not in known)]


def _of_docker() -> list[LocalImage]:
    from sagelocal_executors.containers.docker_daemon import connect, faults  # noqa: PLC0415 - start-up time: docker-py

    try:
        with closing(connect()) as client, faults(""):
            found = client.images()
    except MachineError:
        return []
    return [
        LocalImage(tag, image["Id"], image["Size"], float(image["Created"]))
        for image in found
        for tag in image["RepoTags"] or ()
    ]
