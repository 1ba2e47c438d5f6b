"""The images that this machine can run, by the names that ECR would give them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

_URI = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[a-z0-9._/-]+)"
    r"(?::(?P<tag>[\w.-]+))?"
)


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that this machine can run.

    Attributes:
        reference: what a definition calls it, ``<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>`` for one of ECR.
        digest: ``sha256:…``; empty when it has none, as one that an interpreter stands in for.
        size: in bytes; 0 when it is unknown.
        created: in seconds since the epoch.
    """

    reference: str
    digest: str = ""
    size: int = 0
    created: float = 0.0


LocalImages = Callable[[], Awaitable[Iterable[LocalImage]]]
"""Says which images there are now."""


@dataclass(frozen=True, slots=True)
class EcrImage:
    """One tag of a repository."""

    registry: str
    repository: str
    tag: str
    image: LocalImage

    @property
    def identity(self) -> dict[str, str]:
        """Its ImageIdentifier."""
        return {"imageTag": self.tag, **({"imageDigest": self.image.digest} if self.image.digest else {})}

    @property
    def detail(self) -> dict[str, Any]:
        """Its ImageDetail."""
        found: dict[str, Any] = {
            "registryId": self.registry,
            "repositoryName": self.repository,
            "imageTags": [self.tag],
            "imagePushedAt": self.image.created,
        }
        known = {"imageDigest": self.image.digest, "imageSizeInBytes": self.image.size}
        return {**found, **{name: value for name, value in known.items() if value}}

    def has(self, wanted: dict[str, str]) -> bool:
        """Whether an ImageIdentifier means this one."""
        have = {"imageTag": self.tag, "imageDigest": self.image.digest}
        return all(have.get(name) == value for name, value in wanted.items())


def of_ecr(images: Iterable[LocalImage]) -> list[EcrImage]:
    """Those whose reference is one of ECR; without a tag it is ``latest``."""
    matched = ((image, _URI.fullmatch(image.reference)) for image in images)
    return [
        EcrImage(match["registry"], match["repository"], match["tag"] or "latest", image)
        for image, match in matched
        if match
    ]
