"""Archives of strangers: what is in them comes out, what wants out does not."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import stat
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sagelocal_executors.archives import write_archive
from sagelocal_executors.unpacking import ArchiveError, Unpacking, unpack

INSIDE = "/opt/ml/model"
Member = tuple[str, bytes, str]
"""Name, type as tarfile has it, and where a link leads or what a file holds."""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("of the machine")
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


@pytest.fixture(name="pack")
def _pack(tmp_path: Path) -> Callable[..., Path]:
    def pack(*members: Member) -> Path:
        path = tmp_path / "archive.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, kind, text in members:
                member = tarfile.TarInfo(name)
                member.type = kind
                data = text.encode() if kind == tarfile.REGTYPE else b""
                member.linkname, member.size = "" if data else text, len(data)
                tar.addfile(member, io.BytesIO(data))
        return path

    return pack


def file(name: str, text: str = "x") -> Member:
    return name, tarfile.REGTYPE, text


def link(name: str, target: str) -> Member:
    return name, tarfile.SYMTYPE, target


def hard(name: str, target: str) -> Member:
    return name, tarfile.LNKTYPE, target


async def test_what_training_packed_comes_out_as_it_was(tmp_path: Path, folder: Path) -> None:
    model = tmp_path / "trained"
    (model / "code" / "lib").mkdir(parents=True)
    (model / "weights.bin").write_bytes(os.urandom(3_000_000))
    (model / "code" / "run.sh").write_text("#!/bin/sh")
    (model / "code" / "run.sh").chmod(0o700)
    (model / "code" / "empty").touch()
    (model / "latest").symlink_to("weights.bin")
    (model / "code" / "lib" / "up").symlink_to("../../weights.bin")
    write_archive([model], tmp_path / "archive.tar.gz")

    await unpack(tmp_path / "archive.tar.gz", folder, INSIDE)

    def files(root: Path) -> dict[str, bytes]:
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    assert files(folder) == files(model)
    assert (folder / "latest").readlink() == Path("weights.bin")


async def test_any_user_may_change_what_came_out(folder: Path, pack: Callable[..., Path]) -> None:
    await unpack(pack(("sub", tarfile.DIRTYPE, ""), file("sub/deep/a"), file("b")), folder, INSIDE)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert modes == {"sub": 0o777, "deep": 0o777, "a": 0o666, "b": 0o666}


async def test_a_member_that_comes_again_replaces_the_first(folder: Path, pack: Callable[..., Path]) -> None:
    await unpack(pack(file("a", "1"), link("b", "a"), file("b", "2"), file("./a", "3")), folder, INSIDE)

    assert ((folder / "a").read_text(), (folder / "b").read_text()) == ("3", "2")


async def test_an_absolute_link_into_the_folder_leads_to_the_same_file(
    folder: Path, pack: Callable[..., Path]
) -> None:
    members = (file("v1/weights", "w"), link("latest", f"{INSIDE}/v1"), link("v1/up", f"{INSIDE}/v1/weights"))

    await unpack(pack(*members), folder, INSIDE)

    assert (folder / "latest" / "weights").read_text() == (folder / "v1" / "up").read_text() == "w"


async def test_a_hard_link_to_an_earlier_file_is_that_file(folder: Path, pack: Callable[..., Path]) -> None:
    await unpack(pack(file("sub/a", "1"), hard("b", "sub/a")), folder, INSIDE)

    assert (folder / "b").read_text() == "1"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([file("/etc/passwd")], "'/etc/passwd' leaves the folder"),
        ([file("../secret")], "'../secret' leaves the folder"),
        ([file("a/../../secret")], "leaves the folder"),
        ([("../d", tarfile.DIRTYPE, "")], "leaves the folder"),
        ([link("a", "../secret")], "the link 'a' leads out of the folder"),
        ([link("a", "/etc/passwd")], "the link 'a' leads out of the folder, to '/etc/passwd'"),
        ([link("a", f"{INSIDE}/../secret")], "leads out of the folder"),
        ([link("a", ".."), file("a/secret", "overwritten")], "'a' is a folder, but was something else"),
        ([link("a", "."), link("a/b", "../secret")], "'a' is a folder, but was something else"),
        ([file("d/x"), link("d/s", "."), link("t", "d/s/../../secret")], "leads out of the folder"),
        ([link("a", "b"), link("b", "a")], "leads out of the folder"),
        ([link("b", "../secret"), hard("a", "b")], "which is no file before it"),
        ([hard("a", "../secret")], "'../secret' leaves the folder"),
        ([hard("a", "/etc/passwd")], "'/etc/passwd' leaves the folder"),
        ([hard("a", "later"), file("later")], "which is no file before it"),
        ([("pipe", tarfile.FIFOTYPE, "")], "'pipe' is neither a file, a folder nor a link"),
        ([("disk", tarfile.BLKTYPE, "")], "'disk' is neither a file, a folder nor a link"),
        ([file("a"), file("a/b")], "'a' is a folder, but was something else before"),
        ([file("a/b"), file("a")], "'a' is there twice"),
        ([("a", tarfile.DIRTYPE, ""), link("a", "b")], "'a' is there twice"),
    ],
)
async def test_what_leaves_the_folder_or_is_no_file_is_refused(
    folder: Path, pack: Callable[..., Path], members: list[Member], expected: str
) -> None:
    with pytest.raises(ArchiveError, match=expected):
        await unpack(pack(*members), folder, INSIDE)

    assert (folder.parent / "secret").read_text() == "of the machine"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["archive.tar.gz", "model", "secret"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"no archive at all",
        gzip.decompress,
        lambda _: gzip.compress(b"x" * 2000),
        lambda data: data[: len(data) // 2],
        lambda data: data[:500] + bytes(200) + data[700:],
        lambda _: b"",
    ],
    ids=["text", "not packed", "no tar", "cut short", "broken inside", "empty"],
)
async def test_an_archive_that_is_none_or_is_damaged_is_refused(
    folder: Path, pack: Callable[..., Path], damage: Callable[[bytes], bytes]
) -> None:
    archive = pack(file("a", os.urandom(50_000).hex()))
    archive.write_bytes(damage(archive.read_bytes()))

    with pytest.raises(ArchiveError, match="it cannot be read"):
        await unpack(archive, folder, INSIDE)


async def test_when_cancelled_it_stops_between_two_pieces_and_writes_nothing_more(
    folder: Path, pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(*(file(str(number)) for number in range(1000)))
    begun = asyncio.Event()
    loop, write = asyncio.get_running_loop(), Unpacking._write

    def slowly(self: Unpacking, members: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        write(self, members, member)
        loop.call_soon_threadsafe(begun.set)
        time.sleep(0.01)

    monkeypatch.setattr(Unpacking, "_write", slowly)
    task = asyncio.create_task(unpack(archive, folder, INSIDE))
    await begun.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    written = len(list(folder.iterdir()))
    assert 0 < written < 1000
    await asyncio.sleep(0.05)
    assert len(list(folder.iterdir())) == written
