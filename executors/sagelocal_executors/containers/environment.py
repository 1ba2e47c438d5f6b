"""The environment variables that every job finds."""

from __future__ import annotations

from collections.abc import Mapping

from sagelocal.settings import Settings
from sagelocal_executors.images import Family

_CREDENTIALS = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    }
)


def job_environment(settings: Settings, env: Mapping[str, str], endpoint: str | None) -> dict[str, str]:
    """What `env` says, on top of region and endpoint, under credentials that are good for nothing but our endpoint."""
    ground = {
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}),
    }
    asked = {name: value for name, value in env.items() if name not in _CREDENTIALS}
    # LocalStack and moto read the account from an access key of twelve digits.
    fake = {"AWS_ACCESS_KEY_ID": settings.account, "AWS_SECRET_ACCESS_KEY": "sagelocal"}
    return ground | asked | fake


def image_environment(image: str, family: Family | None) -> dict[str, str]:
    """What the toolkit must know of the image that it stands in for."""
    return {"SAGELOCAL_IMAGE": image, "SAGELOCAL_FAMILY_VERSION": family.version if family else ""}
