"""Channels in Pipe mode: FIFOs that give the objects one after the other, once per epoch (semantics 08 §8.2)."""

from __future__ import annotations

import asyncio
import gzip
import os
import select
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CHUNK = 1 << 16
_PATIENCE = (
    0.05  # seconds between two looks at whether the container has opened the FIFO, or the job has ended
)
_RECORD_IO_MAGIC = 0xCED7230A


@dataclass(slots=True)
class Pipe:
    """Feeds one channel on one host.

    Attributes:
        base: the FIFO of epoch 0 is ``<base>_0``.
        files: the objects, already on this machine.
        gunzip: whether they are gzipped (CompressionType Gzip).
        record_io: whether each becomes one RecordIO record (RecordWrapperType RecordIO).
    """

    base: Path
    files: Sequence[Path]
    gunzip: bool = False
    record_io: bool = False
    _over: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        """Make the FIFO of the first epoch, so that it exists before the container does."""
        self._make(0)

    async def run(self) -> None:
        """Feed epoch after epoch, until cancelled."""
        feeding = asyncio.ensure_future(asyncio.to_thread(self._feed))
        try:
            await asyncio.shield(feeding)
        finally:
            self._over.set()
            await feeding

    def _feed(self) -> None:
        epoch = 0
        while not self._over.is_set():
            descriptor = self._reader(self.path(epoch))
            if descriptor is None:
                return
            self._make(epoch + 1)
            try:
                for chunk in self._content():
                    self._write(descriptor, chunk)
            except BrokenPipeError:
                pass  # the container has read enough of this epoch
            finally:
                os.close(descriptor)
            epoch += 1

    def path(self, epoch: int) -> Path:
        return self.base.with_name(f"{self.base.name}_{epoch}")

    def _make(self, epoch: int) -> None:
        os.mkfifo(self.path(epoch))
        self.path(epoch).chmod(0o666)

    def _reader(self, path: Path) -> int | None:
        """The FIFO, open for writing, as soon as somebody reads it; None when the job is over."""
        while not self._over.is_set():
            try:
                return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # ENXIO: nobody reads yet
                self._over.wait(_PATIENCE)
        return None

    def _write(self, descriptor: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._over.is_set():
            if select.select([], [descriptor], [], _PATIENCE)[1]:
                rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]

    def _content(self) -> Iterator[bytes]:
        for path in self.files:
            chunks = self._chunks(path)
            yield from [_record(b"".join(chunks))] if self.record_io else chunks

    def _chunks(self, path: Path) -> Iterator[bytes]:
        with gzip.open(path) if self.gunzip else path.open("rb") as file:
            try:
                while chunk := file.read(_CHUNK):
                    yield chunk
            except (gzip.BadGzipFile, EOFError, zlib.error):
                return  # the container sees its data end, as it would with a broken object


def _record(data: bytes) -> bytes:
    """One RecordIO record: magic number, length, content padded to four bytes."""
    return struct.pack("<II", _RECORD_IO_MAGIC, len(data)) + data + b"\0" * (-len(data) % 4)
