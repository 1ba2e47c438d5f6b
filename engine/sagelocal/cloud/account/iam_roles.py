"""The roles of the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sagelocal.clock import Clock
from sagelocal.cloud.account.iam_documents import TRUST, checked, on_the_wire
from sagelocal.cloud.account.unique_ids import unique_id
from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.protocols.service import RefusedError
from sagelocal.names import Partition
from sagelocal.values import JsonObject


@dataclass(frozen=True, slots=True)
class Role:
    """A role.

    Attributes:
        arn: with the path.
        created: in seconds since the epoch.
        trust: its trust policy, JSON.
        longest: MaxSessionDuration, in seconds.
        attached: names of managed policies, by ARN.
        inline: documents of its own policies, JSON, by name.
    """

    name: str
    path: str
    arn: str
    created: float
    trust: str
    description: str = ""
    longest: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)
    attached: Mapping[str, str] = field(default_factory=dict)
    inline: Mapping[str, str] = field(default_factory=dict)

    def answer(self, *, tagged: bool = True) -> dict[str, Any]:
        """The role as GetRole has it; ListRoles shows no tags."""
        found: dict[str, Any] = {
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": unique_id("AROA", self.arn),
            "Arn": self.arn,
            "CreateDate": self.created,
            "AssumeRolePolicyDocument": on_the_wire(self.trust),
            "MaxSessionDuration": self.longest,
        }
        if self.description:
            found["Description"] = self.description
        if self.tags and tagged:
            found["Tags"] = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        return found


class Roles:
    """Those that are kept, in the catalog; any other is as `of` makes it up."""

    def __init__(self, catalog: Catalog, partition: Partition, clock: Clock) -> None:
        self._catalog = catalog
        self._partition = partition
        self._clock = clock
        self._opened = clock.now()

    def of(self, name: str) -> Role:
        """The role of that name: one that nobody has created trusts sagemaker.amazonaws.com."""
        return self.kept(name) or Role(name, "/", self._arn("/", name), self._opened, TRUST)

    def kept(self, name: str) -> Role | None:
        """The role that was created, or changed; names differ in more than case."""
        entity = self._catalog.get(Kind.ROLE, name.lower())
        return None if entity is None else _role(entity.describe)

    def all(self) -> list[Role]:
        """The kept ones."""
        return [_role(entity.describe) for entity in self._catalog.list(Kind.ROLE)]

    def create(self, given: Mapping[str, Any]) -> Role:
        """A new role, as CreateRole says.

        Raises:
            RefusedError: EntityAlreadyExists, MalformedPolicyDocument.
        """
        name, path = given["RoleName"], given.get("Path", "/")
        if self.kept(name) is not None:
            raise RefusedError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
        role = Role(
            name,
            path,
            self._arn(path, name),
            self._clock.now(),
            checked(given["AssumeRolePolicyDocument"]),
            given.get("Description", ""),
            given.get("MaxSessionDuration", 3600),
            {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])},
        )
        self.keep(role)
        return role

    def keep(self, role: Role) -> None:
        """Keep the role as it is now."""
        self._catalog.put(Entity(Kind.ROLE, role.name.lower(), role.created, asdict(role)))

    def delete(self, name: str) -> None:
        """Forget a role.

        Raises:
            RefusedError: NoSuchEntity, nobody has created it; DeleteConflict, it has policies.
        """
        role = self.kept(name)
        if role is None:
            raise RefusedError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        if role.attached or role.inline:
            what = "detach all policies" if role.attached else "delete policies"
            raise RefusedError("DeleteConflict", f"Cannot delete entity, must {what} first.", 409)
        self._catalog.delete(Kind.ROLE, name.lower())

    def _arn(self, path: str, name: str) -> str:
        return f"arn:aws:iam::{self._partition.account}:role{path}{name}"


def _role(describe: JsonObject) -> Role:
    found: Any = describe
    return Role(**found)
