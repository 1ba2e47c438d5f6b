"""AWS's query protocol: a form in, XML out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.etree import ElementTree

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sagelocal.clock import iso
from sagelocal.cloud.protocols.requests import access_key_of, body_of, responding
from sagelocal.cloud.protocols.service import RefusedError, Service, input_shape
from sagelocal.shapes import Shape, operation_traits, operations, response_shape

_MEDIA_TYPE: Final = "text/xml"
_MOST_FIELDS: Final = 10_000
_DEEPEST: Final = 20  # parts of a field's name; the models need six

_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_Tree: TypeAlias = "str | dict[str, _Tree]"


def query_app(service: Service, namespace: str) -> ASGIApp:
    """The service at any path, as the form's field ``Action`` says; `namespace` is that of its answers."""
    return responding(lambda request: _respond(request, service, namespace))


async def _respond(request: Request, service: Service, namespace: str) -> Response:
    identity = str(uuid4())
    try:
        fields = _fields(request, await body_of(request))
        operation = fields.get("Action", "")
        known = operation in operations(service.model)
        given = _read(input_shape(service.model, operation), _grown(fields)) if known else {}
        found = await service.answer(operation, given, access_key_of(request.headers))
    except RefusedError as refusal:
        return _response(_refused(refusal, namespace, identity), refusal.status, identity)
    return _response(_answered(service.model, operation, found, namespace, identity), 200, identity)


def _fields(request: Request, body: bytes) -> dict[str, str]:
    texts = (request.url.query, body.decode("utf-8", errors="replace"))
    try:
        return {
            name: value
            for text in texts
            for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        }
    except ValueError as error:
        raise RefusedError("MalformedQueryString", f"The form cannot be read: {error}") from None


def _grown(fields: Mapping[str, str]) -> dict[str, _Tree]:
    """The fields ``A.member.1.B=…`` as a tree of their names."""
    tree: dict[str, _Tree] = {}
    for name, value in fields.items():
        *path, last = name.split(".", _DEEPEST)
        branch = tree
        for part in path:
            inner = branch.setdefault(part, {})
            if isinstance(inner, str):
                inner = branch[part] = {}
            branch = inner
        branch.setdefault(last, value)
    return tree


def _read(shape: Shape, tree: _Tree) -> Any:
    """The tree as the shape has it; what does not fit stays as it is, and then breaks the model."""
    match shape.type:
        case "structure" if isinstance(tree, dict):
            return {name: _read(shape.member(name), tree[name]) for name in shape.members if name in tree}
        case "list":
            return [_read(shape.element, each) for each in _numbered(tree)]
        case "integer" | "long" if isinstance(tree, str):
            digits = tree.removeprefix("-")
            return int(tree) if digits.isdecimal() and len(digits) < 19 else tree
        case "boolean":
            return {"true": True, "false": False}.get(str(tree).lower(), tree)
    return tree


def _numbered(tree: _Tree) -> list[_Tree]:
    """The elements of ``Name.member.<number>``, by number; an empty list is written ``Name=``."""
    members = tree.get("member") if isinstance(tree, dict) else None
    if not isinstance(members, dict):
        return []
    return [members[key] for key in sorted((key for key in members if key.isdecimal()), key=int)]


def _answered(
    model: str, operation: str, found: Mapping[str, Any], namespace: str, identity: str
) -> ElementTree.Element:
    root = ElementTree.Element(f"{operation}Response", xmlns=namespace)
    if "output" in operation_traits(operation, model):
        _write(ElementTree.SubElement(root, f"{operation}Result"), response_shape(operation, model), found)
    metadata = ElementTree.SubElement(root, "ResponseMetadata")
    ElementTree.SubElement(metadata, "RequestId").text = identity
    return root


def _write(parent: ElementTree.Element, shape: Shape, value: Any) -> None:
    match shape.type:
        case "structure":
            for name in shape.members:
                if value.get(name) is not None:
                    _write(ElementTree.SubElement(parent, name), shape.member(name), value[name])
        case "list":
            for each in value:
                _write(ElementTree.SubElement(parent, "member"), shape.element, each)
        case "timestamp":
            parent.text = iso(value)
        case "boolean":
            parent.text = str(value).lower()
        case _:
            parent.text = str(value)


def _refused(refusal: RefusedError, namespace: str, identity: str) -> ElementTree.Element:
    root = ElementTree.Element("ErrorResponse", xmlns=namespace)
    error = ElementTree.SubElement(root, "Error")
    texts = {
        "Type": "Sender" if refusal.status < 500 else "Receiver",
        "Code": refusal.code,
        "Message": str(refusal),
    }
    for name, text in texts.items():
        ElementTree.SubElement(error, name).text = text
    ElementTree.SubElement(root, "RequestId").text = identity
    return root


def _response(root: ElementTree.Element, status: int, identity: str) -> Response:
    # A bare carriage return would be read as a line feed.
    text = _NO_XML.sub("\ufffd", ElementTree.tostring(root, encoding="unicode")).replace("\r", "&#xD;")
    content = b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode()
    return Response(content, status, {"x-amzn-RequestId": identity}, _MEDIA_TYPE)
