"""How much goes to an instance, and how much of it at once (semantics 08 §8.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sagelocal.values import Json, JsonObject
from sagelocal_executors.transform.request import TransformRequest
from sagelocal_executors.transform.rules import LARGEST_MB

_DEFAULT_MB = 6
_MOST_AT_ONCE = 1000
_MULTI, _SINGLE = "MULTI_RECORD", "SINGLE_RECORD"
_STRATEGIES = {"MultiRecord": _MULTI, "SingleRecord": _SINGLE, _MULTI: _MULTI, _SINGLE: _SINGLE}


@dataclass(frozen=True, slots=True)
class Strategy:
    """What the request says, else the container's /execution-parameters, else the defaults.

    Attributes:
        concurrent: MaxConcurrentTransforms, requests at once.
        megabytes: MaxPayloadInMB of a request; 0: as much as there is, in HTTP chunks.
        single: BatchStrategy SingleRecord.
    """

    concurrent: int
    megabytes: int
    single: bool

    def __str__(self) -> str:
        strategy = _SINGLE if self.single else _MULTI
        return f"MaxConcurrentTransforms={self.concurrent}, MaxPayloadInMB={self.megabytes}, BatchStrategy={strategy}"

    @property
    def limit_mb(self) -> int:
        """How large a request may be whose records have to be looked at, and so cannot be streamed."""
        return self.megabytes or _DEFAULT_MB

    def affordable(self) -> Strategy:
        """With as many requests at once as documented for their size, wherever the two numbers come from."""
        most = max(1, LARGEST_MB // self.limit_mb)
        return replace(self, concurrent=min(self.concurrent, most)) if self.megabytes else self


def strategy(request: TransformRequest, parameters: JsonObject) -> Strategy:
    """The strategy for a container that answers /execution-parameters with `parameters`."""
    wished = request.max_payload_in_mb
    named = request.batch_strategy or parameters.get("BatchStrategy")
    return Strategy(
        request.max_concurrent_transforms
        or max(1, _number(parameters.get("MaxConcurrentTransforms"), _MOST_AT_ONCE, default=1)),
        _number(parameters.get("MaxPayloadInMB"), LARGEST_MB, default=_DEFAULT_MB)
        if wished is None
        else wished,
        _STRATEGIES.get(str(named), _MULTI) == _SINGLE,
    )


def environment(request: TransformRequest) -> Mapping[str, str]:
    """The job's environment; of the platform's variables, what the request leaves open is not set."""
    asked: dict[str, str] = {"SAGEMAKER_BATCH": "true"}
    if request.max_payload_in_mb is not None:
        asked["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(request.max_payload_in_mb)
    if request.batch_strategy is not None:
        asked["SAGEMAKER_BATCH_STRATEGY"] = _STRATEGIES[request.batch_strategy]
    if request.max_concurrent_transforms:
        asked["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(request.max_concurrent_transforms)
    return {**request.environment, **asked}


def _number(value: Json, most: int, *, default: int) -> int:
    """What a container says, if it is a number that makes sense."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else default
