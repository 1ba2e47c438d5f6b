"""The images of this machine, as ECR shows them."""

from __future__ import annotations

from contextlib import closing

import pytest

from sagelocal.settings import ImageRule
from sagelocal_executors.containers import docker_images
from sagelocal_executors.containers.docker_daemon import connect
from sagelocal_executors.containers.docker_images import local_images

BASE = "sagelocal-base:local"
NAMED = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagelocal-test-images"


async def test_the_image_map_names_images_in_full_or_by_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_images, "_of_docker", list)
    rules = {f"{NAMED}:1": ImageRule(docker=BASE), "*/sagemaker-xgboost:*": ImageRule(docker=BASE)}

    assert [image.reference for image in await local_images(rules)] == [f"{NAMED}:1"]


async def test_without_a_daemon_there_are_those_of_the_map_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    assert await local_images({}) == []


@pytest.mark.docker
async def test_the_tags_of_docker_are_found_with_digest_and_size() -> None:
    with closing(connect()) as client:
        client.tag(BASE, NAMED, "docker")
        try:
            found = {image.reference: image for image in await local_images({f"{NAMED}:docker": ImageRule()})}
        finally:
            client.remove_image(f"{NAMED}:docker")

    image = found[f"{NAMED}:docker"]
    assert image.digest.startswith("sha256:")
    assert image.size > 1_000_000
    assert image.digest == found[BASE].digest
