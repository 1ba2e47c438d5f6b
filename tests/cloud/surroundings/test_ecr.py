"""ECR over the images that this machine can run."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from sagelocal.cloud.account.ecr_images import LocalImage

if TYPE_CHECKING:
    from tests.cloud.surroundings.conftest import World

OURS = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/trainer"
DIGEST = "sha256:" + "a" * 64


async def test_a_token_has_the_form_that_docker_login_takes(world: World) -> None:
    answer = await world.call("ecr", "get_authorization_token", registryIds=["683313688378"])

    [data] = answer["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert (user, password) == ("AWS", "sagelocal-has-no-registry")
    assert data["proxyEndpoint"] == "https://683313688378.dkr.ecr.eu-west-1.amazonaws.com"
    assert data["expiresAt"].timestamp() == world.clock.now() + 12 * 3600


async def test_local_images_are_in_the_repositories_that_their_names_say(world: World) -> None:
    world.images = [
        LocalImage(f"{OURS}:1", DIGEST, 1000, world.clock.now()),
        LocalImage(f"{OURS}:2"),
        LocalImage("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"),
        LocalImage("python:3.12"),
    ]

    ours = await world.call("ecr", "describe_repositories")
    aws = await world.call("ecr", "describe_repositories", registryId="683313688378")
    images = await world.call("ecr", "list_images", repositoryName="trainer")
    [detail] = (
        await world.call("ecr", "describe_images", repositoryName="trainer", imageIds=[{"imageTag": "1"}])
    )["imageDetails"]

    assert [each["repositoryUri"] for each in ours["repositories"]] == [OURS]
    assert [each["repositoryName"] for each in aws["repositories"]] == ["sagemaker-xgboost"]
    assert images["imageIds"] == [{"imageDigest": DIGEST, "imageTag": "1"}, {"imageTag": "2"}]
    assert (detail["imageDigest"], detail["imageSizeInBytes"]) == (DIGEST, 1000)
    assert detail["imagePushedAt"].timestamp() == world.clock.now()


async def test_images_are_found_one_by_one(world: World) -> None:
    world.images = [LocalImage(f"{OURS}:1", DIGEST)]
    wanted = [{"imageDigest": DIGEST}, {"imageTag": "9"}]

    found = await world.call("ecr", "batch_get_image", repositoryName="trainer", imageIds=wanted)
    told = await world.refused(
        "ecr", "describe_images", repositoryName="trainer", imageIds=[{"imageTag": "9"}]
    )

    assert [image["imageId"]["imageTag"] for image in found["images"]] == ["1"]
    assert [(each["imageId"], each["failureCode"]) for each in found["failures"]] == [
        ({"imageTag": "9"}, "ImageNotFound")
    ]
    assert told == (
        "ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'9'} does not exist within the "
        "repository with name 'trainer' in the registry with id '123456789012'"
    )


async def test_a_repository_is_created_and_deleted(world: World) -> None:
    created = (await world.call("ecr", "create_repository", repositoryName="mine"))["repository"]

    described = await world.call("ecr", "describe_repositories", repositoryNames=["mine"])

    assert described["repositories"] == [created]
    assert created["repositoryArn"] == "arn:aws:ecr:eu-west-1:123456789012:repository/mine"
    assert (await world.call("ecr", "list_images", repositoryName="mine"))["imageIds"] == []
    assert (await world.refused("ecr", "create_repository", repositoryName="mine")).startswith(
        "RepositoryAlreadyExistsException"
    )
    world.images = [LocalImage("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine")]
    assert (await world.refused("ecr", "delete_repository", repositoryName="mine")).startswith(
        "RepositoryNotEmptyException"
    )
    await world.call("ecr", "delete_repository", repositoryName="mine", force=True)
    world.images = []
    assert (await world.refused("ecr", "delete_repository", repositoryName="mine")) == (
        "RepositoryNotFoundException: The repository with name 'mine' does not exist in the registry with id '123456789012'"
    )


async def test_what_does_not_exist_is_not_found(world: World) -> None:
    for operation, arguments in (
        ("describe_repositories", {"repositoryNames": ["none"]}),
        ("list_images", {"repositoryName": "none"}),
        ("describe_images", {"repositoryName": "none"}),
        ("batch_get_image", {"repositoryName": "none", "imageIds": [{"imageTag": "1"}]}),
    ):
        assert (await world.refused("ecr", operation, **arguments)).startswith("RepositoryNotFoundException")


async def test_repositories_and_images_come_in_pages(world: World) -> None:
    names = [f"r{number}" for number in range(5)]
    for name in reversed(names):
        await world.call("ecr", "create_repository", repositoryName=name)
    world.images = [LocalImage(f"{OURS}:{number}") for number in range(5)]

    found = await world.pages("ecr", "describe_repositories", "repositories")
    tags = await world.pages("ecr", "describe_images", "imageDetails", repositoryName="trainer")

    assert [each["repositoryName"] for each in found] == [*names, "trainer"]
    assert [tag for each in tags for tag in each["imageTags"]] == ["0", "1", "2", "3", "4"]
    assert (await world.refused("ecr", "describe_repositories", nextToken="?")).startswith(
        "InvalidParameterException"
    )


async def test_pushing_is_refused_by_name(world: World) -> None:
    told = await world.refused("ecr", "initiate_layer_upload", repositoryName="mine")

    assert told.startswith("NotImplemented: ecr: InitiateLayerUpload is not served yet by sagelocal")
