"""Objects are plain files, whatever their keys."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagelocal.cloud import disk
from sagelocal.cloud.s3 import ObjectStore
from sagelocal.errors import MachineError, UsageError
from sagelocal.names import S3Uri

BUCKET = S3Uri("bucket", "")
SEGMENTS = st.one_of(
    st.sampled_from(
        ["", ".", "..", "a", "a.b", "%~", "%+a", "%=a", "%7E", "x" * 300, "é" * 130, "\\", "\x00"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6).filter(lambda text: "/" not in text),
)
KEYS = (
    st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join).filter(lambda key: 0 < len(key.encode()) <= 1024)
)


def at(key: str) -> S3Uri:
    return S3Uri("bucket", key)


def names_in(folder: Path | str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.uri.key for info in store.list(at(prefix))]


@settings(max_examples=150, deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=6))
def test_any_keys_live_side_by_side_inside_the_folder(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ObjectStore(Path(folder) / "root")
        for name in names:
            store.put_bytes(at(name), name.encode())
        assert keys(store) == sorted(set(names))
        assert names_in(folder) == ["root"]
        assert set(names_in(store.root)) <= {"bucket", ".sagelocal-s3"}
        for name in names:
            file = store.file(at(name))
            assert file is not None
            assert file.read_bytes() == name.encode()
            assert file.is_relative_to(store.root / "bucket")
        for name in set(names):
            store.delete(at(name))
        assert names_in(store.root / "bucket") == []


@settings(max_examples=80, deadline=None)
@given(st.sets(KEYS, min_size=1, max_size=6), KEYS, KEYS)
def test_a_walk_gives_what_a_sorted_list_of_keys_would(names: set[str], after: str, prefix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ObjectStore(Path(folder))
        for name in names:
            store.put_bytes(at(name), b"")
        for start in ("", prefix[:2], prefix):
            chosen = sorted(name for name in names if name.startswith(start) and name > after)
            assert [entry.key for entry in store.walk(at(start), after)] == chosen


def test_an_object_is_a_file_at_its_key(store: ObjectStore) -> None:
    store.put_bytes(at("data/train.csv"), b"1,2")
    assert (store.root / "bucket/data/train.csv").read_bytes() == b"1,2"


def test_a_file_dropped_by_hand_is_an_object(store: ObjectStore) -> None:
    store.create_bucket("bucket")
    (store.root / "bucket/by hand.txt").write_text("hello")
    info = store.head(at("by hand.txt"))
    assert info is not None
    assert (info.size, info.etag) == (5, hashlib.md5(b"hello").hexdigest())
    assert keys(store) == ["by hand.txt"]


def test_a_key_and_the_folder_of_its_name_both_exist_in_either_order(store: ObjectStore) -> None:
    for first, second in (("a", "a/b"), ("c/d", "c")):
        store.put_bytes(at(first), first.encode())
        store.put_bytes(at(second), second.encode())
    assert keys(store) == ["a", "a/b", "c", "c/d"]
    store.delete(at("a/b"))
    file = store.file(at("a"))
    assert file is not None
    assert file.read_bytes() == b"a"
    store.put_bytes(at("a"), b"new")
    assert names_in(store.root / "bucket") == ["%=c", "a", "c"]


def test_what_a_client_said_about_an_object_goes_when_its_file_changes(store: ObjectStore) -> None:
    store.put_bytes(at("a"), b"1", content_type="text/csv", metadata={"Colour": "red"})
    before = store.head(at("a"))
    (store.root / "bucket/a").write_bytes(b"22")
    after = store.head(at("a"))
    assert before is not None
    assert after is not None
    assert (before.content_type, before.metadata) == ("text/csv", {"colour": "red"})
    assert (after.content_type, after.metadata) == ("binary/octet-stream", {})
    assert after.etag == hashlib.md5(b"22").hexdigest()


def test_a_link_that_leaves_the_store_is_no_object(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    store.put_bytes(at("in"), b"")
    (store.root / "bucket/out").symlink_to(tmp_path / "outside")
    (store.root / "bucket/secret").symlink_to(tmp_path / "outside/secret")
    assert keys(store) == ["in"]
    assert store.file(at("out/secret")) is None
    assert store.file(at("secret")) is None
    assert store.folder(at("out")) is None
    with pytest.raises(UsageError, match="symbolic link"):
        store.put_bytes(at("out/new"), b"")
    assert names_in(tmp_path / "outside") == ["secret"]


@pytest.mark.parametrize("bucket", ["..", ".sagelocal-s3", "a/b", "", "a..b", "_a"])
def test_a_bucket_that_cannot_be_a_folder_of_ours_is_refused(store: ObjectStore, bucket: str) -> None:
    with pytest.raises(UsageError, match="bucket"):
        store.put_bytes(S3Uri(bucket, "key"), b"")


def test_deleting_the_last_object_removes_its_folders_but_not_the_bucket(store: ObjectStore) -> None:
    store.put_bytes(at("a/b/c"), b"")
    store.delete(at("a/b/c"))
    assert names_in(store.root / "bucket") == []
    assert store.has_bucket("bucket")


def test_adopting_a_tree_moves_the_very_files(store: ObjectStore, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub/model.bin").write_bytes(b"model")
    (tree / "link").symlink_to("/etc/passwd")
    inode = (tree / "sub/model.bin").stat().st_ino
    store.put_bytes(at("out/sub/old"), b"")
    assert store.adopt(tree, at("out/")) == 1
    assert (store.root / "bucket/out/sub/model.bin").stat().st_ino == inode
    assert keys(store) == ["out/sub/model.bin", "out/sub/old"]


def test_adopting_a_file_with_a_second_name_copies_it(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").write_bytes(b"1")
    (tmp_path / "other").hardlink_to(tmp_path / "tree/a")
    store.adopt(tmp_path / "tree", BUCKET)
    (tmp_path / "other").write_bytes(b"changed")
    assert (store.root / "bucket/a").read_bytes() == b"1"


def test_adopting_across_file_systems_copies(store: ObjectStore, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        (Path(folder) / "a").write_bytes(b"1")
        assert store.adopt(Path(folder), at("out")) == 1
        assert names_in(folder) == []
    assert (store.root / "bucket/out/a").read_bytes() == b"1"


def test_a_folder_is_given_only_when_its_paths_are_the_keys(store: ObjectStore) -> None:
    store.put_bytes(at("data/a/b"), b"")
    assert store.folder(at("data")) == store.root / "bucket/data"
    assert store.folder(at("data/")) == store.root / "bucket/data"
    assert store.folder(at("nothing")) is None
    store.put_bytes(at("data/"), b"")
    assert store.folder(at("data")) is None


def test_concurrent_writers_leave_one_whole_object(store: ObjectStore) -> None:
    def write(letter: str) -> None:
        for _ in range(40):
            store.put_bytes(at("deep/down/key"), letter.encode() * 5000, content_type=letter)
            store.put_bytes(at(f"deep/{letter}"), b"")
            store.delete(at(f"deep/{letter}"))

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if file := store.file(at("deep/down/key")):
            assert len(set(file.read_bytes())) == 1
    info, file = store.head(at("deep/down/key")), store.file(at("deep/down/key"))
    assert info is not None
    assert file is not None
    assert info.size == 5000
    assert file.read_bytes() == info.content_type.encode() * 5000
    assert keys(store) == ["deep/down/key"]
    assert names_in(store.hidden / "spool") == []


def test_a_large_file_is_not_read_to_tell_its_etag(store: ObjectStore) -> None:
    store.create_bucket("bucket")
    with (store.root / "bucket/huge").open("wb") as file:
        file.truncate(1 << 40)  # a hole: hashing it would take an hour
    info = store.head(at("huge"))
    assert info is not None
    assert info.etag.endswith("-1")
    assert info == store.head(at("huge"))


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "SAGELOCAL_HOME")]
)
def test_a_disk_that_refuses_is_the_machines_fault(number: int, advice: str, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=advice), disk.faults(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_full_disk_leaves_the_old_object_and_no_rest(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    store.put_bytes(at("a"), b"old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MachineError, match="free some space"):
        store.put_bytes(at("a"), b"new")
    assert (store.root / "bucket/a").read_bytes() == b"old"
    assert names_in(store.hidden / "spool") == []
