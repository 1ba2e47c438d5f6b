"""The environment in which a program that was written for AWS reaches us, and nobody else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sagelocal.cloud import disk
from sagelocal.cloud.remote import LOCALSTACK
from sagelocal.settings import Settings

EMBEDDED: Final = "embedded"
FAKE: Final = "sagelocal"
"""Good for nothing: our endpoint takes any credentials."""

HIDDEN: Final = frozenset(
    {
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_CREDENTIAL_FILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
        # Both are refused together with an endpoint of one's own.
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "BOTO_CONFIG",
    }
)
"""Variables that would lead to the user's own account, or past our endpoint."""
_HIDDEN_KINDS: Final = ("AWS_ENDPOINT_URL", "AWS_BEARER_TOKEN_", "AWS_EC2_METADATA_SERVICE_")
_LOCAL: Final = ("127.0.0.1", "localhost")
STARTUP: Final = Path(__file__).with_name("startup")
"""A folder for PYTHONPATH: what Python finds there keeps botocore from the places where the environment has no say."""
_DEFAULTS: Final[Mapping[str, tuple[str, Path]]] = {
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": ("XDG_CONFIG_DIRS", Path("/etc/xdg")),
    "SAGEMAKER_USER_CONFIG_OVERRIDE": ("XDG_CONFIG_HOME", Path("~/.config")),
}
"""Where the SDK, of version 2 and 3 alike, looks for defaults: the variable that says so, and how it finds the file without one."""


def variables(settings: Settings, url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What leads a program to us: endpoint, region, credentials that are good for nothing, no telemetry of the SDK.

    `url` is our endpoint's; `environ` what the program would find without us.

    Raises:
        MachineError: the state folder cannot be written.
    """
    key = (
        FAKE if settings.aws.endpoint == EMBEDDED else settings.account
    )  # LocalStack reads the account from it
    return {
        **_endpoints(settings.aws.endpoint, url),
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": FAKE,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        **_without_telemetry(settings.home, environ),
    }


def environment(settings: Settings, url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a program: `environ`, with us in the place of AWS and of the user's account there.

    Raises:
        MachineError: the state folder cannot be written.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name.upper() not in HIDDEN and not name.upper().startswith(_HIDDEN_KINDS)
    }
    # A proxy is not on this machine: it would look for us on its own.
    without_proxy = {
        name: ",".join(filter(None, (environ.get(name), *_LOCAL))) for name in ("NO_PROXY", "no_proxy")
    }
    return {
        **kept,
        **without_proxy,
        **variables(settings, url, environ),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(STARTUP), environ.get("PYTHONPATH")))),
        # Files that are not there: the profiles in the user's own belong to real accounts.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAGELOCAL_HOME": str(settings.home),
    }


def _endpoints(target: str, url: str) -> dict[str, str]:
    """SageMaker is always ours; the services around it may be another endpoint's."""
    if target == EMBEDDED:
        return {"AWS_ENDPOINT_URL": url}
    elsewhere = "http://localhost:4566" if target == LOCALSTACK else target
    ours = ("AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME")
    return {"AWS_ENDPOINT_URL": elsewhere, **dict.fromkeys(ours, url)}


def _without_telemetry(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The SDK's own way to say so is a file of defaults; ours takes a place in which the user has none."""
    free = [variable for variable in _DEFAULTS if not _has_defaults(variable, environ)]
    if not free:
        return {}
    path = home / "sagemaker-sdk.yaml"
    modules = {"TelemetryOptOut": True}
    content = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": modules}}}
    with disk.faults(path):
        home.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")  # JSON is YAML, too
    return {free[0]: str(path)}


def _has_defaults(variable: str, environ: Mapping[str, str]) -> bool:
    if variable in environ:
        return True
    if sys.platform != "linux":
        return False
    folders, usual = _DEFAULTS[variable]
    folder = environ.get(folders, "").partition(os.pathsep)[0] or str(usual)
    return (Path(folder).expanduser() / "sagemaker" / "config.yaml").exists()
