"""IAM: roles with their policies, which nobody enforces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sagelocal.clock import Clock
from sagelocal.cloud.account.iam_documents import checked, on_the_wire
from sagelocal.cloud.account.iam_pages import paged
from sagelocal.cloud.account.iam_policies import Policies
from sagelocal.cloud.account.iam_roles import Role, Roles
from sagelocal.cloud.catalog import Catalog
from sagelocal.cloud.protocols.service import Call, Operation, RefusedError, Service
from sagelocal.names import Partition
from sagelocal.values import JsonObject

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


class Iam:
    """The operations on roles and on customer managed policies.

    A role that nobody has created is answered, too, and trusts sagemaker.amazonaws.com: the SDK v3 looks at the trust policy
    at each create and update of a pipeline, and scripts name roles of a real account. It can be given policies and tags
    like any other, and is kept from then on; ListRoles shows the kept ones, and DeleteRole knows no other.
    """

    def __init__(self, catalog: Catalog, partition: Partition, clock: Clock) -> None:
        self._roles = Roles(catalog, partition, clock)
        self._policies = Policies(catalog, partition, clock)

    def service(self) -> Service:
        """Its operations."""
        table = {**self._on_roles(), **self._on_their_policies(), **self._policies.table()}
        return Service("iam", table, invalid="ValidationError", unknown="InvalidAction")

    def _on_roles(self) -> dict[str, Operation]:
        return {
            "CreateRole": lambda call: {"Role": self._roles.create(call.arguments).answer()},
            "DeleteRole": self._delete,
            "GetRole": lambda call: {"Role": self._role(call).answer()},
            "ListRoleTags": self._list_tags,
            "ListRoles": self._list,
            "TagRole": self._tag,
            "UntagRole": self._untag,
            "UpdateAssumeRolePolicy": self._update_trust,
            "UpdateRole": self._update,
        }

    def _on_their_policies(self) -> dict[str, Operation]:
        return {
            "AttachRolePolicy": self._attach,
            "DeleteRolePolicy": self._exclude,
            "DetachRolePolicy": self._detach,
            "GetRolePolicy": self._get_included,
            "ListAttachedRolePolicies": self._list_attached,
            "ListRolePolicies": self._list_included,
            "PutRolePolicy": self._include,
            "SimulatePrincipalPolicy": _simulate,
        }

    def _role(self, call: Call) -> Role:
        return self._roles.of(call.arguments["RoleName"])

    def _delete(self, call: Call) -> JsonObject:
        self._roles.delete(call.arguments["RoleName"])
        return {}

    def _list(self, call: Call) -> JsonObject:
        prefix = call.arguments.get("PathPrefix", "/")
        found = [role for role in self._roles.all() if role.path.startswith(prefix)]
        return paged(call, "Roles", found, lambda role: role.name, lambda role: role.answer(tagged=False))

    def _update(self, call: Call) -> JsonObject:
        role, given = self._role(call), call.arguments
        longest = given.get("MaxSessionDuration", role.longest)
        self._roles.keep(
            replace(role, description=given.get("Description", role.description), longest=longest)
        )
        return {}

    def _update_trust(self, call: Call) -> JsonObject:
        self._roles.keep(replace(self._role(call), trust=checked(call.arguments["PolicyDocument"])))
        return {}

    def _tag(self, call: Call) -> JsonObject:
        role, given = self._role(call), call.arguments["Tags"]
        self._roles.keep(replace(role, tags={**role.tags, **{tag["Key"]: tag["Value"] for tag in given}}))
        return {}

    def _untag(self, call: Call) -> JsonObject:
        role = self._role(call)
        self._roles.keep(replace(role, tags=_without(role.tags, call.arguments["TagKeys"])))
        return {}

    def _list_tags(self, call: Call) -> JsonObject:
        tags = self._role(call).tags
        return paged(call, "Tags", tags, str, lambda key: {"Key": key, "Value": tags[key]})

    def _attach(self, call: Call) -> JsonObject:
        role, arn = self._role(call), call.arguments["PolicyArn"]
        self._policies.check(arn)
        self._roles.keep(replace(role, attached={**role.attached, arn: arn.rpartition("/")[2]}))
        return {}

    def _detach(self, call: Call) -> JsonObject:
        role, arn = self._role(call), call.arguments["PolicyArn"]
        if arn not in role.attached:
            raise RefusedError("NoSuchEntity", f"Policy {arn} was not found.", 404)
        self._roles.keep(replace(role, attached=_without(role.attached, [arn])))
        return {}

    def _list_attached(self, call: Call) -> JsonObject:
        attached = self._role(call).attached
        return paged(
            call,
            "AttachedPolicies",
            attached,
            str,
            lambda arn: {"PolicyName": attached[arn], "PolicyArn": arn},
        )

    def _include(self, call: Call) -> JsonObject:
        role, given = self._role(call), call.arguments
        inline = {**role.inline, given["PolicyName"]: checked(given["PolicyDocument"])}
        self._roles.keep(replace(role, inline=inline))
        return {}

    def _exclude(self, call: Call) -> JsonObject:
        role, name, _ = self._included(call)
        self._roles.keep(replace(role, inline=_without(role.inline, [name])))
        return {}

    def _get_included(self, call: Call) -> JsonObject:
        role, name, document = self._included(call)
        return {"RoleName": role.name, "PolicyName": name, "PolicyDocument": on_the_wire(document)}

    def _list_included(self, call: Call) -> JsonObject:
        return paged(call, "PolicyNames", self._role(call).inline, str, str)

    def _included(self, call: Call) -> tuple[Role, str, str]:
        """The role with the name and the document of the policy that is asked for."""
        role, name = self._role(call), call.arguments["PolicyName"]
        if name not in role.inline:
            raise RefusedError("NoSuchEntity", f"The role policy with name {name} cannot be found.", 404)
        return role, name, role.inline[name]


def _without(found: Mapping[str, str], gone: Iterable[str]) -> dict[str, str]:
    unwanted = set(gone)
    return {key: value for key, value in found.items() if key not in unwanted}


def _simulate(call: Call) -> JsonObject:
    """SimulatePrincipalPolicy: everything is allowed, as nothing is enforced; the SDK v3 asks before it uses a role."""
    resources = call.arguments.get("ResourceArns") or ["*"]
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
        for action in call.arguments["ActionNames"]
        for resource in resources
    ]
    return {"EvaluationResults": results, "IsTruncated": False}
