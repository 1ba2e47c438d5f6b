"""Which image family an ImageUri belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sagelocal.settings import Settings

GENERIC = "generic"
PLAYED = frozenset({"sklearn", "xgboost", GENERIC, "model-monitor", "clarify"})
"""The families whose toolkit the process runtime plays today."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of images that share one toolkit.

    Attributes:
        name: ``sklearn``, ``xgboost``, ``generic`` (script mode), ``spark``, ``model-monitor`` or ``clarify``.
        version: what the tag says before ``-cpu`` or ``-gpu``, ``1.0-1`` say; empty when there is no tag.
    """

    name: str
    version: str = ""


_REPOSITORIES = (
    (r"sagemaker-scikit-learn", "sklearn"),
    (r"sagemaker-xgboost", "xgboost"),
    (r"sagemaker-spark(-.+)?", "spark"),
    (r"sagemaker-model-monitor-analyzer", "model-monitor"),
    (r"sagemaker-clarify-processing", "clarify"),
    (r"(sagemaker-)?(huggingface-)?(pytorch|tensorflow)(-.+)?", GENERIC),
    (r"(sagemaker-)?(mxnet|chainer|autogluon)(-.+)?", GENERIC),
    (r"(sagemaker/)?sagemaker-distribution(-.+)?", GENERIC),
    (r"sagemaker-base-python(-.+)?", GENERIC),
)
"""Repositories of AWS's images (SDK: image_uris) to the family that they are of; the first match counts."""

_REGISTRY = re.compile(r"(\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?|public\.ecr\.aws)/")


def family_of(image: str, settings: Settings | None = None) -> Family | None:
    """The family of the image, None when it is unknown; a family named by an image rule of the settings wins."""
    repository, version = _parts(image)
    ruled = settings.image_rule(image).family if settings else None
    name = ruled or _named(repository, from_aws=bool(_REGISTRY.match(image)))
    return Family(name, version) if name else None


def _parts(image: str) -> tuple[str, str]:
    path = _REGISTRY.sub("", image, count=1).partition("@")[0]
    head, slash, last = path.rpartition("/")
    repository, _, tag = last.partition(":")
    return head + slash + repository, re.split(r"-[cg]pu\b", tag, maxsplit=1)[0]


def _named(repository: str, *, from_aws: bool) -> str | None:
    # The first releases of the built-in algorithm are called plainly "xgboost": too plain for other registries.
    if from_aws and repository == "xgboost":
        return "xgboost"
    return next((name for pattern, name in _REPOSITORIES if re.fullmatch(pattern, repository)), None)
