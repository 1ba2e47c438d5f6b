"""The managed policies that the account's owner has written, in their versions."""

from __future__ import annotations

from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.account.iam_documents import checked, on_the_wire
from sagelocal.cloud.account.iam_pages import paged
from sagelocal.cloud.account.unique_ids import unique_id
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.protocols.service import Call, Operation, RefusedError
from sagelocal.names import Partition
from sagelocal.values import JsonObject

_MOST_VERSIONS = 5
_CONFLICT = "DeleteConflict"


class Policies:
    """The operations on them; those of AWS (``arn:aws:iam::aws:policy/…``) are taken to exist and are not listed.

    A policy is kept as GetPolicy has it, with its ``Versions``: by id, when it was made and its document.
    """

    def __init__(self, catalog: Catalog, partition: Partition, clock: Clock) -> None:
        self._catalog = catalog
        self._partition = partition
        self._clock = clock

    def table(self) -> dict[str, Operation]:
        """Its operations."""
        return {
            "CreatePolicy": self._create,
            "CreatePolicyVersion": self._create_version,
            "DeletePolicy": self._delete,
            "DeletePolicyVersion": self._delete_version,
            "GetPolicy": lambda call: {"Policy": self._existing(call)},
            "GetPolicyVersion": self._get_version,
            "ListPolicies": self._list,
            "ListPolicyVersions": self._list_versions,
            "SetDefaultPolicyVersion": self._set_default,
        }

    def check(self, arn: str) -> None:
        """Make sure that a policy can be attached.

        Raises:
            RefusedError: NoSuchEntity, it is one of this account that nobody has written.
        """
        if f"::{self._partition.account}:" in arn:
            self._of(arn)

    def _create(self, call: Call) -> JsonObject:
        given, now = call.arguments, self._clock.now()
        name, path = given["PolicyName"], given.get("Path", "/")
        arn = f"arn:aws:iam::{self._partition.account}:policy{path}{name}"
        if self._catalog.get(Kind.POLICY, arn) is not None:
            raise RefusedError("EntityAlreadyExists", f"A policy called {name} already exists.", 409)
        document = checked(given["PolicyDocument"])
        policy: dict[str, Any] = {
            "PolicyName": name,
            "PolicyId": unique_id("ANPA", arn),
            "Arn": arn,
            "Path": path,
            "DefaultVersionId": "v1",
            "AttachmentCount": 0,
            "IsAttachable": True,
            "CreateDate": now,
            "Versions": {"v1": {"CreateDate": now, "Document": document}},
            **({"Description": given["Description"]} if "Description" in given else {}),
        }
        return {"Policy": self._keep(policy)}

    def _create_version(self, call: Call) -> JsonObject:
        policy, document = self._existing(call), checked(call.arguments["PolicyDocument"])
        versions = policy["Versions"]
        if len(versions) == _MOST_VERSIONS:
            message = f"A managed policy can have up to {_MOST_VERSIONS} versions: delete one before you create another."
            raise RefusedError("LimitExceeded", message, 409)
        identity = f"v{max(int(each[1:]) for each in versions) + 1}"
        default = identity if call.arguments.get("SetAsDefault") else policy["DefaultVersionId"]
        made = {"CreateDate": self._clock.now(), "Document": document}
        policy = self._keep({**policy, "Versions": {**versions, identity: made}, "DefaultVersionId": default})
        return {"PolicyVersion": _version(policy, identity)}

    def _delete(self, call: Call) -> JsonObject:
        policy = self._existing(call)
        if len(policy["Versions"]) > 1:
            message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions."
            raise RefusedError(_CONFLICT, message, 409)
        self._catalog.delete(Kind.POLICY, policy["Arn"])
        return {}

    def _delete_version(self, call: Call) -> JsonObject:
        policy, identity = self._with_version(call)
        if identity == policy["DefaultVersionId"]:
            raise RefusedError(_CONFLICT, "Cannot delete the default version of a policy.", 409)
        left = {each: made for each, made in policy["Versions"].items() if each != identity}
        self._keep({**policy, "Versions": left})
        return {}

    def _get_version(self, call: Call) -> JsonObject:
        policy, identity = self._with_version(call)
        document = on_the_wire(policy["Versions"][identity]["Document"])
        return {"PolicyVersion": {**_version(policy, identity), "Document": document}}

    def _set_default(self, call: Call) -> JsonObject:
        policy, identity = self._with_version(call)
        self._keep({**policy, "DefaultVersionId": identity})
        return {}

    def _list(self, call: Call) -> JsonObject:
        prefix = call.arguments.get("PathPrefix", "/")
        ours = [] if call.arguments.get("Scope") == "AWS" else self._catalog.list(Kind.POLICY)
        found = [entity for entity in ours if str(entity.describe["Path"]).startswith(prefix)]
        return paged(call, "Policies", found, lambda entity: entity.name, lambda entity: entity.describe)

    def _list_versions(self, call: Call) -> JsonObject:
        policy = self._existing(call)
        return paged(call, "Versions", policy["Versions"], str, lambda each: _version(policy, each))

    def _with_version(self, call: Call) -> tuple[dict[str, Any], str]:
        policy, identity = self._existing(call), call.arguments["VersionId"]
        if identity not in policy["Versions"]:
            message = f"Policy {policy['Arn']} version {identity} does not exist or is not attachable."
            raise RefusedError("NoSuchEntity", message, 404)
        return policy, identity

    def _existing(self, call: Call) -> dict[str, Any]:
        return self._of(call.arguments["PolicyArn"])

    def _of(self, arn: str) -> dict[str, Any]:
        entity = self._catalog.get(Kind.POLICY, arn)
        if entity is None:
            raise RefusedError("NoSuchEntity", f"Policy {arn} was not found.", 404)
        return dict(entity.describe)

    def _keep(self, policy: dict[str, Any]) -> dict[str, Any]:
        changed = {**policy, "UpdateDate": self._clock.now()}
        self._catalog.put(Entity(Kind.POLICY, policy["Arn"], policy["CreateDate"], changed))
        return changed


def _version(policy: dict[str, Any], identity: str) -> dict[str, Any]:
    return {
        "VersionId": identity,
        "IsDefaultVersion": identity == policy["DefaultVersionId"],
        "CreateDate": policy["Versions"][identity]["CreateDate"],
    }
