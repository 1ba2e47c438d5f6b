"""The account's Lambda functions: those of the configuration, and those that were created."""

from __future__ import annotations

import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sagelocal.cloud.catalog import Catalog, Entity, Kind
from sagelocal.cloud.functions_code import Package, folder_name, locate, unpack
from sagelocal.errors import UsageError
from sagelocal.names import Partition
from sagelocal.nearest import did_you_mean
from sagelocal.settings import FunctionRule
from sagelocal.values import JsonObject

LATEST = "$LATEST"
MAPPED_TIMEOUT = 120.0
"""Seconds, of a function whose timeout nobody gave: what the SDK's Lambda helper asks for (semantics 07 §7.2)."""
MAPPED_MEMORY = 10240
"""MB, of a mapped function whose memory nobody gave: Lambda's maximum, as the real function's is not known here."""

_REFERENCE = re.compile(
    r"(?:arn:[\w-]+:lambda:[\w-]+:\d{12}:function:|\d{12}:function:|function:)?"
    r"(?P<name>[\w-]{1,140})(?::(?P<qualifier>\$LATEST|[\w-]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function that can be invoked.

    Attributes:
        arn: without a qualifier.
        folder: its code; LAMBDA_TASK_ROOT.
        handler: ``module.function``.
        revision: another text whenever code or configuration is another: a warm process of an older one is not reused.
        runtime: ``python3.12``; empty when nobody said.
        timeout: in seconds.
        memory: in MB.
        environment: its own variables.
        python: the interpreter to use; None: the usual one.
        docker: the image to run it in; None: none.
    """

    arn: str
    name: str
    folder: Path
    handler: str
    revision: str
    runtime: str = ""
    timeout: float = MAPPED_TIMEOUT
    memory: int = MAPPED_MEMORY
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Path | None = None
    docker: str | None = None


@dataclass(frozen=True, slots=True)
class Invoked:
    """What came of an invocation: JSON text, and whether it is an error object (FunctionError: Unhandled)."""

    payload: bytes
    failed: bool = False


Invoke = Callable[[Function, bytes, Callable[[str], None]], Awaitable[Invoked]]
"""Runs a function on a payload; its log lines go to the callable as they come."""


def name_of(reference: str) -> str:
    """The name in a function's name, partial ARN or ARN, with or without qualifier; empty when it is none of these."""
    match = _REFERENCE.fullmatch(reference)
    return match["name"] if match else ""


def unqualified(reference: str) -> str:
    """The reference without version or alias."""
    match = _REFERENCE.fullmatch(reference)
    return reference[: match.start("qualifier") - 1] if match and match["qualifier"] else reference


class FunctionStore:
    """Functions by ARN or name: the configuration's rules first, then those made by CreateFunction.

    Created functions are found by name, whatever region and account an ARN says: definitions written for a real account
    find what was created here under the same name.

    Args:
        catalog: where created functions are recorded, each with its FunctionConfiguration.
        root: folder for unpacked code; made on demand.
        partition: region and account of created functions, and of those that a rule names without an ARN.
        rules: pattern of ARN or name to what stands for it.
    """

    def __init__(
        self,
        catalog: Catalog,
        root: Path,
        partition: Partition,
        rules: Mapping[str, FunctionRule] | None = None,
    ) -> None:
        self._catalog = catalog
        self._root = root.absolute()
        self._partition = partition
        self._rules = dict(rules or {})

    def find(self, reference: str) -> Function | None:
        """The function, as its rule or its creator has it; None when nobody knows it.

        Raises:
            UsageError: its code is missing or broken.
            MachineError: the state cannot be read.
        """
        name = name_of(reference)
        if not name:
            return None
        rule, configuration = self._rule(reference, name), self.get(name)
        if rule is not None and rule.code is not None:
            return self._mapped(rule, reference, name)
        return None if configuration is None else self._created(rule or FunctionRule(), configuration)

    def missing(self, reference: str) -> str:
        """A sentence that says that the function is unknown, the nearest known name, and how to make it known."""
        name = name_of(reference) or reference
        known = (*self._rules, *(item["FunctionName"] for item in self.list()))
        return (
            f"There is no function {reference!r}{did_you_mean(name, known)}. Say where its code lies in sagelocal.toml, "
            f'[functions] "{name}" = "folder/file.py:handler", or create it with CreateFunction at the local endpoint'
        )

    def arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._partition.region}:{self._partition.account}:function:{name}"

    def get(self, name: str) -> dict[str, Any] | None:
        """The FunctionConfiguration of a created function; None when there is none."""
        entity = self._catalog.get(Kind.FUNCTION, name)
        return None if entity is None else dict(entity.describe)

    def list(self) -> list[dict[str, Any]]:
        """The FunctionConfigurations of all created functions, by name."""
        found = (dict(entity.describe) for entity in self._catalog.list(Kind.FUNCTION))
        return sorted(found, key=lambda item: str(item["FunctionName"]))

    def put(self, configuration: JsonObject, created: float) -> None:
        """Record a created function, in place of an older one of its name."""
        self._catalog.put(Entity(Kind.FUNCTION, str(configuration["FunctionName"]), created, configuration))

    def unpack(self, name: str, data: bytes) -> Package:
        """Put an uploaded zip where `put` with its digest will find it; safe on any thread.

        Raises:
            UsageError: it is no zip, is too large, or would write outside its folder.
        """
        return unpack(data, self._root / name)

    def folder(self, configuration: JsonObject) -> Path:
        """Where the code of a created function lies."""
        return self._root / str(configuration["FunctionName"]) / folder_name(str(configuration["CodeSha256"]))

    def delete(self, name: str) -> bool:
        """Forget a created function and its code; False when there is none."""
        if not self._catalog.delete(Kind.FUNCTION, name):
            return False
        shutil.rmtree(self._root / name, ignore_errors=True)
        return True

    def _rule(self, reference: str, name: str) -> FunctionRule | None:
        called = (reference, unqualified(reference), self.arn(name), name)
        return next((rule for pattern, rule in self._rules.items() if _matches(pattern, called)), None)

    def _mapped(self, rule: FunctionRule, reference: str, name: str) -> Function:
        code, handler = locate(rule, self._root / ".mapped")
        return Function(
            arn=unqualified(reference) if reference.startswith("arn:") else self.arn(name),
            name=name,
            folder=code.folder,
            handler=handler,
            revision=code.revision,
            timeout=rule.timeout or MAPPED_TIMEOUT,
            memory=rule.memory or MAPPED_MEMORY,
            environment=rule.environment,
            python=rule.python,
            docker=rule.docker,
        )

    def _created(self, rule: FunctionRule, configuration: JsonObject) -> Function:
        have: Any = configuration
        if not self.folder(configuration).is_dir():
            message = (
                f"the code of {have['FunctionName']} is gone from the state folder: create the function again"
            )
            raise UsageError(message)
        return Function(
            arn=have["FunctionArn"],
            name=have["FunctionName"],
            folder=self.folder(configuration),
            handler=rule.handler or have["Handler"],
            revision=have["RevisionId"],
            runtime=have["Runtime"],
            timeout=rule.timeout or have["Timeout"],
            memory=rule.memory or have["MemorySize"],
            environment={**have.get("Environment", {}).get("Variables", {}), **rule.environment},
            python=rule.python,
            docker=rule.docker,
        )


def _matches(pattern: str, called: tuple[str, ...]) -> bool:
    return any(fnmatchcase(candidate, pattern) for candidate in called)
