"""Inputs on their way from S3 into a container (semantics 08 §8.1, §8.2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sagelocal.cloud.objects import Objects
from sagelocal.errors import UsageError
from sagelocal.names import S3Uri
from sagelocal.nearest import nearest
from sagelocal_executors.containers import Access, Mount
from sagelocal_executors.faults import JobError, UnsupportedError, client_error
from sagelocal_executors.trees import Tree

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Source:
    """One input of a job.

    Attributes:
        label: for texts: ``input 'train'`` or ``channel 'train'``.
        uri: what S3Uri says.
        target: the container's folder where the objects go.
        manifest: whether `uri` is a ManifestFile that lists the objects, instead of their prefix.
        sharded: whether each host gets its share of the objects (ShardedByS3Key) instead of all.
        mergeable: whether something else is written below `target` too, so that the files must be ours.
    """

    label: str
    uri: str
    target: str
    manifest: bool = False
    sharded: bool = False
    mergeable: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One object, and where it goes below the target."""

    uri: str
    relative: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects that one source names; `folder` when they are exactly what lies below that URI."""

    items: tuple[Item, ...]
    folder: str | None = None

    def share(self, number: int, hosts: int) -> Selection:
        """The objects of host `number` of `hosts`, counting from 0: every n-th in the order of the keys."""
        return self if hosts == 1 else Selection(self.items[number::hosts])

    def __str__(self) -> str:
        return f"{len(self.items)} object{'s'[: len(self.items) != 1]}, {size_text(self.items)}"


def size_text(items: Iterable[Item]) -> str:
    """The size of the objects together, for a person."""
    return bytes_text(sum(item.size for item in items))


def bytes_text(size: float) -> str:
    """A number of bytes, for a person."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


async def select(objects: Objects, source: Source) -> Selection:
    """Find the objects that a source names.

    Raises:
        JobError: there are none, or the manifest cannot be read.
    """
    if source.manifest:
        return await _manifest(objects, source)
    found = [item for item in await objects.list(source.uri) if not item.uri.key.endswith("/")]
    if not found:
        raise await _nothing_there(objects, source)
    uri = S3Uri.parse(source.uri)
    exact = next((info for info in found if info.uri.key == uri.key), None)
    if exact is not None:
        return Selection((Item(str(exact.uri), PurePosixPath(uri.key).name, exact.size),))
    items = tuple(Item(str(info.uri), _relative(info.uri.key, uri.key), info.size) for info in found)
    below = f"{uri.key.rstrip('/')}/" if uri.key else ""
    whole = all(info.uri.key.startswith(below) for info in found)
    return Selection(items, source.uri.rstrip("/") if whole else None)


def _relative(key: str, prefix: str) -> str:
    """Where an object goes: its key below the folder that `prefix` names, or in whose middle it ends."""
    below = f"{prefix.rstrip('/')}/" if prefix else ""
    if key.startswith(below):
        return key[len(below) :]
    return key[prefix.rfind("/") + 1 :]


async def _manifest(objects: Objects, source: Source) -> Selection:
    """A ManifestFile: ``[{"prefix": "s3://bucket/folder/"}, "a.csv", "sub/b.csv"]``."""
    text = await objects.read(source.uri)
    if text.text is None:
        raise await _nothing_there(objects, source)
    items = []
    for relative, uri in _manifest_entries(source, text.text):
        info = next((info for info in await objects.list(uri) if str(info.uri) == uri), None)
        if info is None:
            raise client_error(
                f"Data download failed: the manifest {source.uri} lists {uri}, which does not exist"
            )
        items.append(Item(uri, relative, info.size))
    return Selection(tuple(sorted(items, key=lambda item: item.uri)))


def _manifest_entries(source: Source, text: str) -> list[tuple[str, str]]:
    try:
        match json.loads(text):
            case [{"prefix": str(prefix)}, *names] if all(isinstance(name, str) for name in names):
                return [(name, str(S3Uri.parse(prefix + name))) for name in names]
    except (ValueError, UsageError):
        pass
    raise client_error(
        f'{source.label}: {source.uri} is not a ManifestFile: it must read [{{"prefix": "s3://bucket/folder/"}}, "name", …]'
    )


async def _nothing_there(objects: Objects, source: Source) -> JobError:
    uri = S3Uri.parse(source.uri)
    near = await _nearest_existing(objects, uri)
    hint = (
        f'; the nearest that exists is "{near}"'
        if near
        else f'; bucket "{uri.bucket}" is empty or does not exist'
    )
    what = "manifest" if source.manifest else "S3 objects"
    return client_error(
        f'Data download failed: no {what} found under "{source.uri}" ({source.label}){hint}. '
        "Put data there with the table [s3] of sagelocal.toml, as a file below s3/ in the state folder, "
        "or by any S3 client through the endpoint"
    )


async def _nearest_existing(objects: Objects, uri: S3Uri) -> str:
    """The most similar key or folder beside the longest part of `uri` that exists; empty when there is none."""
    parts = uri.key.rstrip("/").split("/")
    for depth in range(len(parts) - 1, -1, -1):
        parent = "".join(f"{part}/" for part in parts[:depth])
        found = await objects.list(str(S3Uri(uri.bucket, parent)))
        if found:
            names = {_child(info.uri.key[len(parent) :]) for info in found} - {""}
            near = nearest(parts[depth], sorted(names))
            return str(S3Uri(uri.bucket, parent + (near or "")))
    return ""


def _child(relative: str) -> str:
    head, slash, _ = relative.partition("/")
    return head + slash


async def stage(objects: Objects, source: Source, selection: Selection, tree: Tree) -> Mount:
    """Bring the objects to the container's folder: without copying where the store is a folder of this machine.

    Raises:
        JobError: an object cannot be laid down under its name.
    """
    if selection.folder is not None and not source.mergeable:
        folder = await objects.folder(selection.folder)
        if folder is not None:
            tree.folder(source.target)
            return Mount(folder, str(PurePosixPath(source.target)), Access.OVERLAY)
    mount = tree.mount(source.target)
    await fetch_all(objects, source, selection.items, Tree(mount.source))
    return mount


async def fetch_all(objects: Objects, source: Source, items: Sequence[Item], into: Tree) -> None:
    """Bring each object to its place below the root of `into`."""
    try:
        for start in range(0, len(items), _AT_ONCE):
            await asyncio.gather(*(_fetch(objects, item, into) for item in items[start : start + _AT_ONCE]))
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise client_error(
            f"Data download failed: {source.label}: below {source.uri} one key is both an object and a folder: {error}"
        ) from None


async def _fetch(objects: Objects, item: Item, into: Tree) -> None:
    destination = into.path(f"/{item.relative}")
    destination.parent.mkdir(parents=True, exist_ok=True)
    await objects.fetch(item.uri, destination)


def overlaps(target: str, others: Iterable[str]) -> bool:
    """Whether a container's folder is one of the others, or lies inside one."""
    path = PurePosixPath(target)
    return any(path.is_relative_to(other) for other in others)


def unsupported(label: str, member: str) -> UnsupportedError:
    """A kind of input that this machine cannot bring."""
    return UnsupportedError(
        f"{label}: {member} is not supported locally; give the data as S3Prefix, or stub the step"
    )
