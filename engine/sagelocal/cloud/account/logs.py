"""CloudWatch Logs over what jobs and functions have printed."""

from __future__ import annotations

import asyncio
import heapq
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sagelocal.cloud.account.log_events import Event, Span, backward, forward, last_moment
from sagelocal.cloud.account.log_filters import PatternError, matcher
from sagelocal.cloud.account.log_streams import Stream, Streams
from sagelocal.cloud.protocols.pages import BadTokenError, page
from sagelocal.cloud.protocols.service import Call, Operation, RefusedError, Service
from sagelocal.names import Partition
from sagelocal.values import JsonObject

_MOST_LISTED = 50
_MOST_EVENTS = 10_000
_MOST_BYTES = 1 << 20  # of the events of one answer
_INVALID = "InvalidParameterException"
_PLACE = re.compile(r"([fb])/(\d{1,56})")
_POSITION = re.compile(r"(\d{1,20})/(\d{1,20})/(.+)", re.DOTALL)

_Found = tuple[int, str, int, Event]


class Logs:
    """The operations that read; groups and streams come from jobs and functions alone.

    The moment of a line is when it came, to a fifth of a second: it is kept beside the log (`sagelocal.cloud.log_files`).

    Args:
        root: folder of the logs.
    """

    def __init__(self, root: Path, partition: Partition) -> None:
        self._streams = Streams(root)
        self._partition = partition
        self._reading = asyncio.Lock()

    def service(self) -> Service:
        """Its operations."""
        table: dict[str, Callable[[Call], JsonObject]] = {
            "DescribeLogGroups": self._describe_groups,
            "DescribeLogStreams": self._describe_streams,
            "FilterLogEvents": self._filter,
            "GetLogEvents": self._get_events,
        }
        return Service("logs", {name: self._beside(read) for name, read in table.items()}, invalid=_INVALID)

    def _beside(self, read: Callable[[Call], JsonObject]) -> Operation:
        """The operation on a thread, one at a time: a log may have gigabytes."""

        async def answer(call: Call) -> JsonObject:
            async with self._reading:
                return await asyncio.to_thread(read, call)

        return answer

    def _describe_groups(self, call: Call) -> JsonObject:
        given = call.arguments
        prefix, part = given.get("logGroupNamePrefix", ""), given.get("logGroupNamePattern", "").lower()
        if prefix and part:
            message = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            raise RefusedError(_INVALID, message)
        found = {
            name: created
            for name, created in self._streams.groups().items()
            if name.startswith(prefix) and part in name.lower()
        }
        shown, token = _paged(call, found, str)
        groups = [self._group(name, found[name]) for name in shown]
        return {"logGroups": groups, **({"nextToken": token} if token else {})}

    def _group(self, name: str, created: int) -> dict[str, Any]:
        arn = self._arn(name)
        return {
            "logGroupName": name,
            "creationTime": created,
            "metricFilterCount": 0,
            "arn": f"{arn}:*",
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "logGroupArn": arn,
        }

    def _arn(self, group: str) -> str:
        return f"arn:aws:logs:{self._partition.region}:{self._partition.account}:log-group:{group}"

    def _describe_streams(self, call: Call) -> JsonObject:
        given, (group, streams) = call.arguments, self._existing(call)
        prefix, by_time = given.get("logStreamNamePrefix", ""), given.get("orderBy") == "LastEventTime"
        if prefix and by_time:
            raise RefusedError(_INVALID, "Cannot order by LastEventTime with a logStreamNamePrefix.")
        found = [stream for stream in streams if stream.name.startswith(prefix)]
        key = _by_time if by_time else _by_name
        shown, token = _paged(call, found, key, descending=given.get("descending", False))
        described = [_described(stream, f"{self._arn(group)}:log-stream:{stream.name}") for stream in shown]
        return {"logStreams": described, **({"nextToken": token} if token else {})}

    def _get_events(self, call: Call) -> JsonObject:
        given, span = call.arguments, _span(call)
        stream = self._stream(call)
        limit, token = given.get("limit", _MOST_EVENTS), given.get("nextToken")
        match = _PLACE.fullmatch(token) if token else None
        if token and match is None:
            raise RefusedError(_INVALID, "The specified nextToken is invalid.")
        place = int(match[2]) if match else None
        onward = match[1] == "f" if match else given.get("startFromHead", False)
        if onward:
            events = _fitting(forward(stream, span, place), limit)
        else:
            events = list(reversed(_fitting(iter(reversed(backward(stream, span, limit, place))), limit)))
        first, last = _ends(events, stream, place, onward=onward)
        return {
            "events": [_output(event) for event in events],
            "nextForwardToken": f"f/{last:056d}",
            "nextBackwardToken": f"b/{first:056d}",
        }

    def _filter(self, call: Call) -> JsonObject:
        given = call.arguments
        streams = _chosen(call, self._existing(call)[1])
        try:
            matches = matcher(given.get("filterPattern", ""))
        except PatternError as error:
            raise RefusedError(_INVALID, str(error)) from None
        merged = self._after(call, heapq.merge(*(_keyed(stream, _span(call)) for stream in streams)))
        wanted = (found for found in merged if matches(found[3].text))
        shown: list[_Found] = []
        limit, size = given.get("limit", _MOST_EVENTS), 0
        answer: dict[str, Any] = {"searchedLogStreams": []}
        for found in wanted:
            if len(shown) == limit or (shown and size + found[3].size > _MOST_BYTES):
                moment, name, offset, _ = shown[-1]
                answer["nextToken"] = f"{moment}/{offset}/{name}"
                break
            shown.append(found)
            size += found[3].size
        answer["events"] = [_filtered(name, event) for _, name, _, event in shown]
        return answer

    def _after(self, call: Call, found: Iterator[_Found]) -> Iterator[_Found]:
        """What comes after the page that ended with the token."""
        token = call.arguments.get("nextToken")
        match = _POSITION.fullmatch(token) if token else None
        if token and match is None:
            raise RefusedError(_INVALID, "The specified nextToken is invalid.")
        last = (int(match[1]), match[3], int(match[2])) if match else (-1, "", -1)
        return (each for each in found if each[:3] > last)

    def _stream(self, call: Call) -> Stream:
        name = call.arguments["logStreamName"]
        for stream in self._existing(call)[1]:
            if stream.name == name:
                return stream
        raise RefusedError("ResourceNotFoundException", "The specified log stream does not exist.")

    def _existing(self, call: Call) -> tuple[str, list[Stream]]:
        """The group that the call names, with its streams.

        Raises:
            RefusedError: it names none, or there is no such group.
        """
        name, identifier = (call.arguments.get(key) for key in ("logGroupName", "logGroupIdentifier"))
        if (name is None) == (identifier is None):
            message = "Exactly one of logGroupName and logGroupIdentifier must be given."
            raise RefusedError(_INVALID, message)
        group = str(name or identifier).rpartition(":log-group:")[2].removesuffix(":*")
        streams = self._streams.of(group)
        if not streams:
            raise RefusedError("ResourceNotFoundException", "The specified log group does not exist.")
        return group, streams


def _span(call: Call) -> Span:
    return Span(call.arguments.get("startTime", 0), call.arguments.get("endTime", Span().end))


def _fitting(events: Iterator[Event], limit: int) -> list[Event]:
    """The first events, as many as an answer holds; one at least."""
    found: list[Event] = []
    size = 0
    for event in events:
        size += event.size
        if len(found) == limit or (found and size > _MOST_BYTES):
            break
        found.append(event)
    return found


def _ends(events: Sequence[Event], stream: Stream, place: int | None, *, onward: bool) -> tuple[int, int]:
    """Where to go on backward and forward; at the end the same place as before, which tells the client that it is there."""
    if events:
        return events[0].offset, events[-1].following
    here = stream.begin if place is None and onward else place
    if here is None:
        return stream.begin, stream.begin
    return here, here


def _chosen(call: Call, streams: list[Stream]) -> list[Stream]:
    names, prefix = call.arguments.get("logStreamNames"), call.arguments.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        message = "logStreamNames and logStreamNamePrefix are mutually exclusive parameters."
        raise RefusedError(_INVALID, message)
    known = {stream.name for stream in streams}
    if any(name not in known for name in names or ()):
        raise RefusedError("ResourceNotFoundException", "The specified log stream does not exist.")
    return [
        stream
        for stream in streams
        if (names is None or stream.name in names) and stream.name.startswith(prefix or "")
    ]


def _keyed(stream: Stream, span: Span) -> Iterator[_Found]:
    for event in forward(stream, span):
        yield event.moment, stream.name, event.offset, event


def _by_name(stream: Stream) -> str:
    return stream.name


def _by_time(stream: Stream) -> str:
    return f"{last_moment(stream) or stream.created:020d}/{stream.name}"


def _paged(
    call: Call, items: Any, key: Callable[[Any], str], *, descending: bool = False
) -> tuple[list[Any], str | None]:
    given = call.arguments
    try:
        return page(
            items, given.get("limit", _MOST_LISTED), given.get("nextToken"), key, descending=descending
        )
    except BadTokenError:
        raise RefusedError(_INVALID, "The specified nextToken is invalid.") from None


def _described(stream: Stream, arn: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "arn": arn,
        "storedBytes": 0,
    }
    last = last_moment(stream)
    if last is None:
        return described
    return {
        **described,
        "firstEventTimestamp": stream.stamps.at(stream.begin),
        "lastEventTimestamp": last,
        "lastIngestionTime": last,
    }


def _output(event: Event) -> dict[str, Any]:
    return {"timestamp": event.moment, "message": event.text, "ingestionTime": event.moment}


def _filtered(stream: str, event: Event) -> dict[str, Any]:
    identity = f"{event.moment:016d}{event.offset:020d}{zlib.crc32(stream.encode()):010d}"
    return {"logStreamName": stream, **_output(event), "eventId": identity}
