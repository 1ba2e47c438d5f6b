"""Objects that the analysis configuration names by their S3 URI."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from ml_contract import JobError

from clarify.connection import Connection, Reply


def fetch(uri: str, key: str) -> list[Path]:
    """The object at `uri`, or all objects below it, as files in their order; `key` is for messages.

    Raises:
        JobError: it is no S3 URI, or there is no such object.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise JobError(f"{key} must be an S3 URI (s3://bucket/key), not {uri!r}")
    connection = Connection("s3")
    try:
        names = _chosen(list(_keys(connection, bucket, prefix, key)), prefix)
        if not names:
            raise JobError(f"{key}: there is no object {uri}, nor one below it")
        folder = Path(tempfile.mkdtemp(prefix="clarify-"))
        return [
            _saved(connection, bucket, name, folder / f"{i:06}-{Path(name).name}", key)
            for i, name in enumerate(names)
        ]
    finally:
        connection.close()


def _chosen(keys: list[str], prefix: str) -> list[str]:
    """The one object of that name, else what lies in the folder of that name."""
    if prefix in keys:
        return [prefix]
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    return [key for key in keys if key.startswith(folder) and not key.endswith("/")]


def _keys(connection: Connection, bucket: str, prefix: str, key: str) -> Iterator[str]:
    token = ""
    while True:
        query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
        reply = _answered(connection.request("GET", f"/{bucket}?{urlencode(query)}"), f"s3://{bucket}", key)
        page = {tag.rpartition("}")[2]: text for tag, text in _texts(reply)}
        yield from (text for tag, text in _texts(reply) if tag.rpartition("}")[2] == "Key")
        token = page.get("NextContinuationToken", "")
        if not token:
            return


def _texts(reply: Reply) -> list[tuple[str, str]]:
    return [(element.tag, element.text or "") for element in ElementTree.fromstring(reply.body).iter()]


def _saved(connection: Connection, bucket: str, name: str, path: Path, key: str) -> Path:
    reply = _answered(connection.request("GET", f"/{bucket}/{quote(name)}"), f"s3://{bucket}/{name}", key)
    path.write_bytes(reply.body)
    return path


def _answered(reply: Reply, uri: str, key: str) -> Reply:
    if reply.status != 200:
        raise JobError(f"{key}: {uri} cannot be read: {reply.body[:300].decode('utf-8', 'replace')}")
    return reply
