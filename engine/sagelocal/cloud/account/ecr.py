"""ECR: the repositories that were created, or that this machine has images of."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.account.ecr_images import EcrImage, LocalImages, of_ecr
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.protocols.pages import BadTokenError, page
from sagelocal.cloud.protocols.service import Call, Operation, RefusedError, Service
from sagelocal.names import Partition
from sagelocal.values import JsonObject

_PAGE = 100
_VALID_SECONDS = 12 * 3600.0
_TOKEN = base64.b64encode(b"AWS:sagelocal-has-no-registry").decode()


class Ecr:
    """The operations that look at repositories and images, and CreateRepository; there is no registry to push to or pull from.

    Args:
        images: those that this machine can run: of the image map, and of Docker.
    """

    def __init__(self, catalog: Catalog, partition: Partition, clock: Clock, images: LocalImages) -> None:
        self._catalog = catalog
        self._partition = partition
        self._clock = clock
        self._images = images

    def service(self) -> Service:
        """Its operations."""
        table: dict[str, Operation] = {
            "BatchGetImage": self._batch_get_image,
            "CreateRepository": self._create,
            "DeleteRepository": self._delete,
            "DescribeImages": self._describe_images,
            "DescribeRepositories": self._describe_repositories,
            "GetAuthorizationToken": self._get_authorization_token,
            "ListImages": self._list_images,
        }
        return Service("ecr", table, invalid="InvalidParameterException")

    def _get_authorization_token(self, call: Call) -> JsonObject:
        """A token that no registry knows, as the account has none here."""
        registries = call.arguments.get("registryIds") or [self._partition.account]
        expires, region = self._clock.now() + _VALID_SECONDS, self._partition.region
        return {
            "authorizationData": [
                {
                    "authorizationToken": _TOKEN,
                    "expiresAt": expires,
                    "proxyEndpoint": f"https://{registry}.dkr.ecr.{region}.amazonaws.com",
                }
                for registry in registries
            ]
        }

    def _create(self, call: Call) -> JsonObject:
        given, account, now = call.arguments, self._partition.account, self._clock.now()
        name = given["repositoryName"]
        if self._catalog.get(Kind.REPOSITORY, name) is not None:
            message = f"The repository with name '{name}' already exists in the registry with id '{account}'"
            raise RefusedError("RepositoryAlreadyExistsException", message)
        repository = {
            **self._repository(account, name, now),
            "imageTagMutability": given.get("imageTagMutability", "MUTABLE"),
            "imageScanningConfiguration": given.get("imageScanningConfiguration", {"scanOnPush": False}),
        }
        self._catalog.put(Entity(Kind.REPOSITORY, name, now, repository))
        return {"repository": repository}

    async def _delete(self, call: Call) -> JsonObject:
        name = call.arguments["repositoryName"]
        entity = self._catalog.get(Kind.REPOSITORY, name)
        if entity is None:
            raise self._no_repository(call, name)
        if await self._in_repository(call) and not call.arguments.get("force"):
            message = f"The repository with name '{name}' cannot be deleted because it still contains images"
            raise RefusedError("RepositoryNotEmptyException", message)
        self._catalog.delete(Kind.REPOSITORY, name)
        return {"repository": entity.describe}

    async def _describe_repositories(self, call: Call) -> JsonObject:
        registry = self._registry(call)
        known: dict[str, Any] = {
            found.repository: self._repository(registry, found.repository, found.image.created)
            for found in await self._all(registry)
        }
        if registry == self._partition.account:
            known |= {entity.name: entity.describe for entity in self._catalog.list(Kind.REPOSITORY)}
        wanted = call.arguments.get("repositoryNames") or list(known)
        for name in wanted:
            if name not in known:
                raise self._no_repository(call, name)
        return _paged(call, "repositories", wanted, str, lambda name: known[name])

    async def _list_images(self, call: Call) -> JsonObject:
        found = await self._existing(call)
        if (call.arguments.get("filter") or {}).get("tagStatus") == "UNTAGGED":
            found = []
        return _paged(call, "imageIds", found, lambda image: image.tag, lambda image: image.identity)

    async def _describe_images(self, call: Call) -> JsonObject:
        found, wanted = await self._existing(call), call.arguments.get("imageIds")
        for identity in wanted or ():
            if not any(image.has(identity) for image in found):
                raise self._no_image(call, identity)
        if wanted is not None:
            found = [image for image in found if any(map(image.has, wanted))]
        return _paged(call, "imageDetails", found, lambda image: image.tag, lambda image: image.detail)

    async def _batch_get_image(self, call: Call) -> JsonObject:
        """Without manifests: Docker does not keep those of the images that it has."""
        found, wanted = await self._existing(call), call.arguments["imageIds"]
        missing = [identity for identity in wanted if not any(image.has(identity) for image in found)]
        return {
            "images": [
                {"registryId": image.registry, "repositoryName": image.repository, "imageId": image.identity}
                for image in found
                if any(map(image.has, wanted))
            ],
            "failures": [
                {
                    "imageId": identity,
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }
                for identity in missing
            ],
        }

    def _registry(self, call: Call) -> str:
        return str(call.arguments.get("registryId", self._partition.account))

    async def _existing(self, call: Call) -> list[EcrImage]:
        """The images of the repository.

        Raises:
            RefusedError: RepositoryNotFoundException.
        """
        found, name = await self._in_repository(call), call.arguments["repositoryName"]
        ours = self._registry(call) == self._partition.account
        if not found and not (ours and self._catalog.get(Kind.REPOSITORY, name)):
            raise self._no_repository(call, name)
        return found

    async def _in_repository(self, call: Call) -> list[EcrImage]:
        name = call.arguments["repositoryName"]
        return [image for image in await self._all(self._registry(call)) if image.repository == name]

    async def _all(self, registry: str) -> list[EcrImage]:
        return [image for image in of_ecr(await self._images()) if image.registry == registry]

    def _repository(self, registry: str, name: str, created: float) -> dict[str, Any]:
        region = self._partition.region
        return {
            "repositoryArn": f"arn:aws:ecr:{region}:{registry}:repository/{name}",
            "registryId": registry,
            "repositoryName": name,
            "repositoryUri": f"{registry}.dkr.ecr.{region}.amazonaws.com/{name}",
            "createdAt": created,
        }

    def _no_repository(self, call: Call, name: str) -> RefusedError:
        registry = self._registry(call)
        message = f"The repository with name '{name}' does not exist in the registry with id '{registry}'"
        return RefusedError("RepositoryNotFoundException", message)

    def _no_image(self, call: Call, identity: dict[str, str]) -> RefusedError:
        told = ", ".join(f"{key}:'{identity.get(key, 'null')}'" for key in ("imageDigest", "imageTag"))
        name, registry = call.arguments["repositoryName"], self._registry(call)
        message = (
            f"The image with imageId {{{told}}} does not exist within the repository with name '{name}' "
            f"in the registry with id '{registry}'"
        )
        return RefusedError("ImageNotFoundException", message)


def _paged(
    call: Call, member: str, items: Iterable[Any], key: Callable[[Any], str], show: Callable[[Any], Any]
) -> JsonObject:
    try:
        most, token = call.arguments.get("maxResults", _PAGE), call.arguments.get("nextToken")
        shown, following = page(items, most, token, key)
    except BadTokenError:
        raise RefusedError("InvalidParameterException", "Invalid parameter at 'nextToken'") from None
    return {member: [show(item) for item in shown], **({"nextToken": following} if following else {})}
