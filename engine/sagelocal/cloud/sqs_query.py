"""SQS's older query protocol: a form in, XML out.

The names on the wire are those of the model before it became one of the JSON protocol: lists and mappings are flattened
under the name of one element (``Attribute.1.Name=…``), which follows from the names that today's model has.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from botocore.model import ListShape, MapShape, Shape, StructureShape
from starlette.requests import Request
from starlette.responses import Response

from sagelocal.cloud.sqs_faults import SqsError
from sagelocal.cloud.sqs_shapes import Arguments, input_shape, output_shape

_NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"
_TYPE = "text/xml"

_Tree: TypeAlias = "str | dict[str, _Tree]"


def operation(request: Request, body: bytes) -> str:
    return _fields(request, body).get("Action", "")


def raw(request: Request, body: bytes, name: str) -> Any:
    """The arguments as the JSON protocol would have them; the queue's URL may be the request's own."""
    fields = _fields(request, body)
    if request.url.path.strip("/"):
        fields.setdefault("QueueUrl", str(request.url.replace(query="")))
    tree: dict[str, _Tree] = {}
    for key, value in fields.items():
        _grow(tree, key.split("."), value)
    return _read(input_shape(name), tree)


def answer(name: str, result: Arguments, identity: str) -> Response:
    root = ElementTree.Element(f"{name}Response", xmlns=_NAMESPACE)
    shape = output_shape(name)
    if shape is not None:
        _write(ElementTree.SubElement(root, f"{name}Result"), shape, result)
    metadata = ElementTree.SubElement(root, "ResponseMetadata")
    ElementTree.SubElement(metadata, "RequestId").text = identity
    return Response(_document(root), headers={"x-amzn-RequestId": identity}, media_type=_TYPE)


def refusal(fault: SqsError, identity: str) -> Response:
    root = ElementTree.Element("ErrorResponse", xmlns=_NAMESPACE)
    error = ElementTree.SubElement(root, "Error")
    texts = {
        "Type": "Sender" if fault.by_sender else "Receiver",
        "Code": fault.code,
        "Message": str(fault),
        "Detail": "",
    }
    for name, text in texts.items():
        ElementTree.SubElement(error, name).text = text
    ElementTree.SubElement(root, "RequestId").text = identity
    return Response(_document(root), fault.status, {"x-amzn-RequestId": identity}, _TYPE)


def _fields(request: Request, body: bytes) -> dict[str, str]:
    text = body.decode("utf-8", errors="replace")
    return dict(
        [*parse_qsl(request.url.query, keep_blank_values=True), *parse_qsl(text, keep_blank_values=True)]
    )


def _grow(tree: dict[str, _Tree], path: list[str], value: str) -> None:
    for part in path[:-1]:
        branch = tree.setdefault(part, {})
        if isinstance(branch, str):
            branch = tree[part] = {}
        tree = branch
    tree.setdefault(path[-1], value)


def _read(shape: Shape, tree: _Tree) -> Any:
    match shape:
        case StructureShape() if isinstance(tree, dict):
            # Clients write an empty list under the member's own name: ``Entries=``.
            found = {
                name: tree.get(_wire(name, inner), tree.get(name)) for name, inner in shape.members.items()
            }
            return {
                name: _read(shape.members[name], each) for name, each in found.items() if each is not None
            }
        case ListShape():
            return [_read(shape.member, each) for each in _numbered(tree)]
        case MapShape():
            key, value = _entry(shape)
            entries = [each for each in _numbered(tree) if isinstance(each, dict)]
            return {each.get(key): _read(shape.value, each.get(value, "")) for each in entries}
    return tree


def _numbered(tree: _Tree) -> list[_Tree]:
    """The elements of a flattened list, by number; a single one needs no number, and nothing is an empty list."""
    if not tree:
        return []
    if isinstance(tree, str) or not all(key.isdecimal() for key in tree):
        return [tree]
    return [tree[key] for key in sorted(tree, key=int)]


def _write(parent: ElementTree.Element, shape: Shape, value: Any) -> None:
    match shape:
        case StructureShape():
            for name, inner in shape.members.items():
                for each in _flat(inner, value.get(name)):
                    _write(ElementTree.SubElement(parent, _wire(name, inner)), _element(inner), each)
        case MapShape():
            for name, inner, each in zip(_entry(shape), (shape.key, shape.value), value, strict=True):
                _write(ElementTree.SubElement(parent, name), inner, each)
        case _:
            parent.text = _text(value)


def _flat(shape: Shape, value: Any) -> Iterator[Any]:
    """What is written under the member's name: each element of a list, each pair of a mapping, or the value."""
    match shape:
        case ListShape():
            yield from value or ()
        case MapShape():
            yield from (value or {}).items()
        case _ if value is not None:
            yield value


def _element(shape: Shape) -> Shape:
    return shape.member if isinstance(shape, ListShape) else shape


def _wire(name: str, shape: Shape) -> str:
    if isinstance(shape, ListShape) and isinstance(shape.member, StructureShape):
        return shape.member.name
    if isinstance(shape, ListShape | MapShape):
        return (name[:1].upper() + name[1:]).removesuffix("s")
    return name


def _entry(shape: MapShape) -> tuple[str, str]:
    return ("Key", "Value") if shape.name == "TagMap" else ("Name", "Value")


def _text(value: str | bytes | bool | int) -> str:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _document(root: ElementTree.Element) -> bytes:
    # A bare carriage return would be read as a line feed.
    text = ElementTree.tostring(root, encoding="unicode").replace("\r", "&#xD;")
    return b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode()
