"""S3's requests and answers as XML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeAlias
from xml.etree import ElementTree

Content: TypeAlias = "str | int | bool | Iterable[tuple[str, Content]]"
"""A text, or the named children in order."""

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_LARGEST = 16 << 20  # bytes; DeleteObjects with 1,000 keys of 1,024 escaped bytes fits
_UNSAID = re.compile(r"[\x00-\x08\x0b-\x1f]")  # ElementTree writes them as they are; S3 as references


class MalformedError(Exception):
    """The body is no XML that we read."""


def document(name: str, content: Content, *, namespace: bool = True) -> bytes:
    """An XML document with this root."""
    root = _element(name, content)
    if namespace:
        root.set("xmlns", _NAMESPACE)
    text = ElementTree.tostring(root, encoding="unicode")
    text = _UNSAID.sub(lambda match: f"&#x{ord(match.group()):X};", text)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()


def parse(body: bytes) -> ElementTree.Element:
    """The root of a request's body, with tags as bare names.

    Raises:
        MalformedError: no XML in UTF-8, larger than any request of S3, or with a document type (entity bombs).
    """
    if len(body) > _LARGEST:
        raise MalformedError("the XML is too large")
    try:
        # As text, so that expat cannot be talked into an encoding in which the check for a DTD would be blind.
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise MalformedError("document types are refused")
        root = ElementTree.fromstring(text)  # noqa: S314 - what makes it unsafe was refused above
    except (UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
        message = f"the XML cannot be read: {error}"
        raise MalformedError(message) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def moment(seconds: float) -> str:
    """A moment as S3 writes it in XML."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _element(name: str, content: Content) -> ElementTree.Element:
    element = ElementTree.Element(name)
    match content:
        case bool():
            element.text = str(content).lower()
        case str() | int():
            element.text = str(content)
        case _:
            element.extend(_element(*child) for child in content)
    return element
