"""STS: who the caller is, and credentials that open nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.account.unique_ids import unique_id
from sagelocal.cloud.protocols.service import Call, RefusedError, Service
from sagelocal.names import Partition
from sagelocal.values import JsonObject

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
CALLER = "sagelocal"
"""The role that everyone has who has not assumed another one."""
SESSION = "local"
_HOUR = 3600
_LONGEST_SESSION = 36 * _HOUR
_ROLE = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):role/(?:.+/)?(?P<name>[\w+=,.@-]+)")
_SECRET = "sagelocal/these/credentials/open/nothing"  # noqa: S105 - 40 characters, as a secret key has


class Sts:
    """Identities: a role's session for everyone, as inside a job or a notebook, so that the SDKs find an execution role.

    A user's ARN would be the other choice, but `sagemaker.get_execution_role()` of the SDK v2 and the role resolver of the
    v3 refuse to work with one. Whoever signs
    with credentials that AssumeRole gave out is that role's session, as long as this process lives.
    """

    def __init__(self, partition: Partition, clock: Clock) -> None:
        self._account = partition.account
        self._clock = clock
        self._assumed: dict[str, tuple[str, str]] = {}

    def service(self) -> Service:
        """Its operations."""
        table = {
            "AssumeRole": self._assume_role,
            "AssumeRoleWithWebIdentity": self._assume_role,
            "GetAccessKeyInfo": lambda _: {"Account": self._account},
            "GetCallerIdentity": self._get_caller_identity,
            "GetSessionToken": self._get_session_token,
        }
        return Service("sts", table, invalid="ValidationError", unknown="InvalidAction")

    def _get_caller_identity(self, call: Call) -> JsonObject:
        arn, user = self._assumed.get(call.access_key, self._session(self._account, CALLER, SESSION))
        return {"UserId": user, "Account": arn.split(":")[4], "Arn": arn}

    def _assume_role(self, call: Call) -> JsonObject:
        given = call.arguments
        match = _ROLE.fullmatch(given["RoleArn"])
        if match is None:
            raise RefusedError("ValidationError", f"{given['RoleArn']} is invalid")
        arn, user = self._session(match["account"], match["name"], given["RoleSessionName"])
        seconds = self._seconds(given, _HOUR, 12 * _HOUR)
        credentials = self._credentials(arn, seconds)
        self._assumed[str(credentials["AccessKeyId"])] = arn, user
        return {"Credentials": credentials, "AssumedRoleUser": {"AssumedRoleId": user, "Arn": arn}}

    def _get_session_token(self, call: Call) -> JsonObject:
        arn, _ = self._assumed.get(call.access_key, self._session(self._account, CALLER, SESSION))
        return {
            "Credentials": self._credentials(arn, self._seconds(call.arguments, 12 * _HOUR, _LONGEST_SESSION))
        }

    def _session(self, account: str, role: str, session: str) -> tuple[str, str]:
        """ARN and id of a role's session."""
        arn = f"arn:aws:sts::{account}:assumed-role/{role}/{session}"
        return arn, f"{unique_id('AROA', f'{account}/{role}')}:{session}"

    def _credentials(self, arn: str, seconds: int) -> Mapping[str, Any]:
        return {
            "AccessKeyId": unique_id("ASIA", arn, 20),
            "SecretAccessKey": _SECRET,
            "SessionToken": base64.b64encode(f"sagelocal: no credentials of AWS, {arn}".encode()).decode(),
            "Expiration": self._clock.now() + seconds,
        }

    def _seconds(self, given: Mapping[str, Any], usual: int, most: int) -> int:
        seconds: int = given.get("DurationSeconds", usual)
        if seconds > most:
            message = (
                f"The requested DurationSeconds exceeds the MaxSessionDuration set for this role: {seconds}"
            )
            raise RefusedError("ValidationError", message)
        return seconds
