"""What an expression is worth (semantics 03)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

from sagelocal.comparing import compare, equal
from sagelocal.definition.conditions import Comparison, Condition, Membership, Not, Or
from sagelocal.documents import look_up
from sagelocal.errors import ExpressionError, UsageError
from sagelocal.names import S3Uri
from sagelocal.nearest import did_you_mean
from sagelocal.properties import descend
from sagelocal.references import parse_reference, reference_text
from sagelocal.values import Json, ObjectText

EXECUTION_VARIABLES: Final = (
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "StartDateTime",
    "CurrentDateTime",
    "TrainingJobName",
    "ProcessingJobName",
)


class Scope(Protocol):
    """What is known where an expression stands."""

    def find(self, namespace: str, name: str) -> Json | ObjectText:
        """Return the value that a reference begins with.

        Beside the namespaces of `Reference` there are ``PropertyFiles`` (name ``Step/File``) and ``Objects`` (name: an
        S3 URI), which give an `ObjectText`.

        Raises:
            ExpressionError: there is none, or not yet. A LookupError is understood as that, too.
            NeedsObject: the S3 object must be read first.
        """


class NeedsObject(Exception):  # noqa: N818  # a request, not an error: fetch `uri`, then ask again
    """An expression reads an S3 object that nobody has fetched yet."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        super().__init__(uri)


def resolve(value: Json, scope: Scope) -> Json:
    """Replace every expression inside the value, at any depth, by its value; keys and literals stay as they are.

    Structures are new, except those that a reference stands for. Walks with a stack of its own, so no nesting of
    structures is too deep.

    Raises:
        ExpressionError: an expression has no value.
        NeedsObject: an S3 object must be read first.
    """
    # `result` makes the value itself an item like all others. What is pending are copies that still hold expressions;
    # Any, because an object's keys and a list's indexes serve alike here.
    result: list[Json] = [value]
    pending: list[Any] = [result]
    while pending:
        copy = pending.pop()
        for key, item in copy.items() if type(copy) is dict else enumerate(copy):
            if type(item) in _SCALARS:
                continue
            if isinstance(
                item, (dict, Mapping)
            ):  # dict first: an exact match is ten times faster than the ABC's
                function = _FUNCTIONS.get(next(iter(item))) if len(item) == 1 else None
                if function:
                    copy[key] = function(next(iter(item.values())), scope)
                    continue
                copy[key] = dict(item)
            elif isinstance(item, (list, tuple)):
                copy[key] = list(item)
            else:
                continue
            pending.append(copy[key])
    return result[0]


_SCALARS: Final = {str, int, float, bool, type(None)}


def _get(operand: Json, scope: Scope) -> Json:
    reference = parse_reference(reference_text(operand))
    if reference.property_file:
        raise ExpressionError(
            f"{reference.text} is a whole property file: read a value in it with Std:JsonGet"
        )
    found = _found(scope, reference.namespace, reference.name, reference.text)
    if isinstance(found, ObjectText):
        raise TypeError(f"the scope gives an object for {reference.text}")
    return descend(found, reference.path, reference) if reference.path else found


def _found(scope: Scope, namespace: str, name: str, text: str) -> Json | ObjectText:
    if namespace == "Execution" and name not in EXECUTION_VARIABLES:
        known = f"{did_you_mean(name, EXECUTION_VARIABLES)}; there are {', '.join(EXECUTION_VARIABLES)}"
        raise ExpressionError(f"Execution.{name} is no execution variable{known}")
    try:
        return scope.find(namespace, name)
    except LookupError:
        raise ExpressionError(f"{text} is undefined: nothing is known of {name!r}") from None


def _join(operand: Json, scope: Scope) -> str:
    """Concatenate texts; without ``On`` there is nothing between them (semantics 03 §3.2)."""
    values = operand.get("Values") if isinstance(operand, Mapping) else None
    if not isinstance(operand, Mapping) or not isinstance(values, (list, tuple)):
        raise ExpressionError('Std:Join takes {"On": "separator", "Values": [a list]}')
    separator = operand.get("On")
    if not isinstance(separator, str | None):
        raise ExpressionError(f"Std:Join: On must be text, not {separator!r}")
    texts = [value if isinstance(value, str) else render(resolve(value, scope)) for value in values]
    return (separator or "").join(texts)


def _json_get(operand: Json, scope: Scope) -> Json:
    keys = set(operand) if isinstance(operand, Mapping) else set()
    if not isinstance(operand, Mapping) or len(keys & {"PropertyFile", "S3Uri"}) != 1 or "Path" not in keys:
        raise ExpressionError("Std:JsonGet takes a Path, with either a PropertyFile or an S3Uri")
    path = operand["Path"]
    if not isinstance(path, str):
        raise ExpressionError("Std:JsonGet: Path must be literal text, such as metrics.mse.value")
    if "PropertyFile" in operand:
        return look_up(_property_file(operand["PropertyFile"], scope), path)
    return look_up(_object(operand["S3Uri"], scope), path)


def _property_file(value: Json, scope: Scope) -> ObjectText:
    get = value.get("Get") if isinstance(value, Mapping) else None
    reference = parse_reference(get) if isinstance(get, str) else None
    if reference is None or reference.property_file is None:
        raise ExpressionError(
            f'Std:JsonGet: PropertyFile must be {{"Get": "Steps.<step>.PropertyFiles.<file>"}}, not {value!r}'
        )
    return _text(scope, "PropertyFiles", f"{reference.name}/{reference.property_file}", reference.text)


def _object(value: Json, scope: Scope) -> ObjectText:
    uri = render(resolve(value, scope))
    try:
        S3Uri.parse(uri)
    except UsageError as error:
        raise ExpressionError(f"Std:JsonGet: {error}") from None
    return _text(scope, "Objects", uri, uri)


def _text(scope: Scope, namespace: str, name: str, text: str) -> ObjectText:
    found = _found(scope, namespace, name, text)
    if not isinstance(found, ObjectText):
        raise TypeError(f"the scope gives no object for {text}")
    return found


_FUNCTIONS: Final[Mapping[str, Callable[[Json, Scope], Json]]] = {
    "Get": _get,
    "Std:Join": _join,
    "Std:JsonGet": _json_get,
}


def render(value: Json) -> str:
    """Write a value as ``Std:Join`` does: text as it is, ``true``, ``3``, ``0.5``, a structure as compact JSON.

    A float is the shortest decimal that reads back as itself, never with an exponent, and always with a point
    (semantics 13, U14). That a structure becomes JSON is our inference (03 §3.5).

    Raises:
        ExpressionError: the value is null.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _decimal(value)
        case None:
            raise ExpressionError("null has no text: Std:Join needs a String, a number or a Boolean")
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


as_text = render
"""What stands where an API wants text: the same text that ``Std:Join`` would make of the value."""


def _decimal(number: float) -> str:
    shortest = json.dumps(number)  # repr, but NaN and Infinity as JSON has them
    if "e" not in shortest:
        return shortest
    plain = format(Decimal(shortest), "f")
    return plain if "." in plain else f"{plain}.0"


def evaluate(conditions: tuple[Condition, ...], scope: Scope) -> bool:
    """Decide whether all conditions hold, from the left and no further than needed; none at all hold (semantics 03 §3.6).

    Raises:
        ExpressionError: an operand has no value, or two cannot be compared.
        NeedsObject: an S3 object must be read first.
    """
    return all(_holds(condition, scope) for condition in conditions)


def _holds(condition: Condition, scope: Scope) -> bool:
    wanted = True
    while isinstance(condition, Not):  # a loop, because generated definitions nest negations by the hundred
        condition, wanted = condition.condition, not wanted
    match condition:
        case Comparison(type, left, right):
            holds = compare(type, resolve(left, scope), resolve(right, scope))
        case Membership(query, values):
            sought = resolve(query, scope)
            holds = any(equal(sought, resolve(value, scope)) for value in values)
        case Or(alternatives):
            holds = any(_holds(alternative, scope) for alternative in alternatives)
    return holds is wanted
