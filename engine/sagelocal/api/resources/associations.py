"""Operations on associations, and queries along them (API: QueryLineage)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from sagelocal.api.faults import ApiError
from sagelocal.api.pages import page
from sagelocal.api.requests import Operation, Request
from sagelocal.api.resources.answers import moment, shaped
from sagelocal.api.resources.entities import entity, entity_name, entity_type, find_entity, lineage_type
from sagelocal.api.resources.listing import Listing
from sagelocal.clock import iso
from sagelocal.cloud.catalog import Entity, Kind
from sagelocal.engine import Engine
from sagelocal.values import JsonObject

_ENDS: Final = ("SourceArn", "DestinationArn")
_FILTERS: Final = (*_ENDS, "SourceType", "DestinationType", "AssociationType")
_DEEPEST: Final = 10


def _text(member: str, record: JsonObject) -> str:
    return str(record.get(member, ""))


_LISTING: Final = Listing(
    "AssociationSummaries",
    "AssociationSummary",
    "SourceName",
    "Key",
    sorts={member: partial(_text, member) for member in _FILTERS},
)


def add(engine: Engine, request: Request) -> JsonObject:
    """AddAssociation, between two entities that exist."""
    ends = {member: request[member] for member in _ENDS}
    for arn in ends.values():
        entity(engine, arn)
    key = _key(ends)
    if engine.catalog.get(Kind.ASSOCIATION, key) is not None:
        # The SDKs look for the words "already exists".
        message = (
            f"Association between {request['SourceArn']} and {request['DestinationArn']} already exists."
        )
        raise ApiError("ValidationException", message)
    now = engine.clock.now()
    type_ = {"AssociationType": request["AssociationType"]} if "AssociationType" in request else {}
    record: JsonObject = {**ends, **type_, "CreationTime": iso(now), "CreatedBy": {}}
    engine.catalog.put(Entity(Kind.ASSOCIATION, key, now, record))
    return ends


def delete(engine: Engine, request: Request) -> JsonObject:
    """DeleteAssociation."""
    ends = {member: request[member] for member in _ENDS}
    if not engine.catalog.delete(Kind.ASSOCIATION, _key(ends)):
        message = (
            f"Association between {request['SourceArn']} and {request['DestinationArn']} does not exist."
        )
        raise ApiError("ResourceNotFound", message)
    return ends


def list_associations(engine: Engine, request: Request) -> JsonObject:
    """ListAssociations."""
    found = [
        record
        for record in (_detailed(engine, each) for each in _all(engine))
        if all(request.get(member) in {None, record.get(member)} for member in _FILTERS)
    ]
    return _LISTING.answer(request, found)


def query(engine: Engine, request: Request) -> JsonObject:
    """QueryLineage: what can be reached from an entity, and passes the filters; with edges, all on the way as well."""
    starts = request.get("StartArns", [])
    for arn in starts:
        entity(engine, arn)
    edges = [edge for edge in _reached(engine, request, starts) if _is_whole(engine, edge)]
    arns = dict.fromkeys([*starts, *(record[end] for record in edges for end in _ENDS)])
    with_edges = request.get("IncludeEdges", True)
    filters = request.get("Filters", {})
    found = [
        str(arn)
        for arn in arns
        if with_edges or (arn not in starts and _passes(filters, str(arn), entity(engine, str(arn))))
    ]
    vertices = [
        {"Arn": arn, "Type": entity_type(arn, entity(engine, arn)), "LineageType": lineage_type(arn)}
        for arn in found
    ]
    answer = page(
        request, vertices, lambda each: each["Arn"], "Vertices", lambda each: shaped("Vertex", each)
    )
    if with_edges:
        answer["Edges"] = [shaped("Edge", edge) for edge in edges]
    return answer


def detach(engine: Engine, arn: str) -> None:
    """Delete all associations of an entity."""
    for record in _all(engine):
        if arn in {record[end] for end in _ENDS}:
            engine.catalog.delete(Kind.ASSOCIATION, _key(record))


def _reached(engine: Engine, request: Request, starts: list[str]) -> Iterator[JsonObject]:
    """The associations on all ways from the starts, nearest first."""
    direction = request.get("Direction", "Both")
    left = {_key(record): record for record in _all(engine)}
    level = set(starts)
    for _ in range(request.get("MaxDepth", _DEEPEST)):
        passed = []
        if direction in {"Descendants", "Both"}:
            passed += [(key, "DestinationArn") for key, each in left.items() if each["SourceArn"] in level]
        if direction in {"Ascendants", "Both"}:
            passed += [(key, "SourceArn") for key, each in left.items() if each["DestinationArn"] in level]
        level = {str(left[key][end]) for key, end in passed}
        yield from [left.pop(key) for key in dict.fromkeys(key for key, _ in passed)]


def _is_whole(engine: Engine, edge: JsonObject) -> bool:
    """Whether both ends still exist."""
    return all(find_entity(engine, str(edge[end])) is not None for end in _ENDS)


def _passes(filters: Request, arn: str, record: JsonObject) -> bool:
    properties = record.get("Properties")
    known = properties if isinstance(properties, Mapping) else {}
    created, modified = moment(record.get("CreationTime")), moment(record.get("LastModifiedTime"))
    return (
        entity_type(arn, record) in filters.get("Types", [entity_type(arn, record)])
        and lineage_type(arn) in filters.get("LineageTypes", [lineage_type(arn)])
        and filters.get("CreatedAfter", created) <= created <= filters.get("CreatedBefore", created)
        and filters.get("ModifiedAfter", modified) <= modified <= filters.get("ModifiedBefore", modified)
        and all(known.get(name) == value for name, value in filters.get("Properties", {}).items())
    )


def _detailed(engine: Engine, record: JsonObject) -> JsonObject:
    """An association with what its ends are, as far as they still exist."""
    more: dict[str, str] = {"Key": _key(record)}
    for end, noun in zip(_ENDS, ("Source", "Destination"), strict=True):
        arn = str(record[end])
        found = find_entity(engine, arn)
        if found is None:
            continue
        more[f"{noun}Type"] = entity_type(arn, found)
        if name := entity_name(arn, found):
            more[f"{noun}Name"] = name
    return {**record, **more}


def _all(engine: Engine) -> list[JsonObject]:
    return [each.describe for each in engine.catalog.list(Kind.ASSOCIATION)]


def _key(ends: JsonObject) -> str:
    return " ".join(str(ends[end]) for end in _ENDS)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "AddAssociation": add,
    "DeleteAssociation": delete,
    "ListAssociations": list_associations,
    "QueryLineage": query,
}
