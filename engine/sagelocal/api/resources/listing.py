"""Lists of records: filtered, sorted and in pages, as every List operation has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sagelocal.api.pages import page, seconds
from sagelocal.api.requests import Request
from sagelocal.api.resources.answers import moment, shaped
from sagelocal.values import JsonObject

_CREATED: Final = "CreationTime"
_BOUNDS: Final[Mapping[str, str]] = {
    "CreationTime": _CREATED,
    "Created": _CREATED,
    "LastModifiedTime": "LastModifiedTime",
}
"""What the filters ``<…>After`` and ``<…>Before`` look at; both bounds belong to what they let through."""


def _same(record: JsonObject) -> JsonObject:
    return record


@dataclass(frozen=True, slots=True)
class Listing:
    """One List operation.

    Attributes:
        member: of the answer, that has the items: ``TrainingJobSummaries``.
        shape: of an item.
        name: the member of a record that ``NameContains`` looks into and ``SortBy: Name`` sorts by.
        identity: the member that no two records share.
        status: the member that ``StatusEquals`` looks at; empty when there is no such filter.
        show: what of a record goes into its item, besides what is called alike.
        sorts: by what else a request may sort: its word for it to the value in a record.
    """

    member: str
    shape: str
    name: str
    identity: str
    status: str = ""
    show: Callable[[JsonObject], JsonObject] = _same
    sorts: Mapping[str, Callable[[JsonObject], str | float]] | None = None

    def answer(self, request: Request, records: Iterable[JsonObject]) -> JsonObject:
        """The answer to a request, of all records: the latest first, unless it says otherwise."""
        found = [record for record in records if self._wanted(request, record)]
        by = request.get("SortBy", _CREATED)
        # What is sorted by name is read from A to Z, unless somebody says otherwise.
        order = request.get("SortOrder", "Ascending" if by == "Name" else "Descending")

        def rank(record: JsonObject) -> tuple[str | float, ...]:
            first = self._place(by, record)
            return first, moment(record.get(_CREATED)), str(record[self.identity])

        found.sort(key=rank, reverse=order == "Descending")
        return page(
            request,
            found,
            lambda record: str(record[self.identity]),
            self.member,
            lambda record: shaped(self.shape, self.show(record)),
            rank=rank,
        )

    def _wanted(self, request: Request, record: JsonObject) -> bool:
        part = request.get("NameContains", "")
        status = request.get("StatusEquals")
        return (
            part.lower() in str(record.get(self.name, "")).lower()
            and (status is None or record.get(self.status) == status)
            and all(_between(request, word, record, member) for word, member in _BOUNDS.items())
        )

    def _place(self, by: str, record: JsonObject) -> str | float:
        if self.sorts and by in self.sorts:
            return self.sorts[by](record)
        if by == _CREATED:
            return moment(record.get(_CREATED))
        return str(record.get(self.name if by == "Name" else self.status, ""))


def _between(request: Request, word: str, record: JsonObject, member: str) -> bool:
    after, before = request.get(f"{word}After"), request.get(f"{word}Before")
    if after is None and before is None:
        return True
    when = seconds(moment(record.get(member, record.get(_CREATED))))
    return (after is None or after <= when) and (before is None or when <= before)
