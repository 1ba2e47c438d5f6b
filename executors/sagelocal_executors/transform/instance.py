"""One instance of a job: its files through its model, several at once, in bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, TypeVar, cast

from sagelocal.cloud import disk
from sagelocal_executors.channels import Item
from sagelocal_executors.containers.waiting import unbroken
from sagelocal_executors.transform.asking import Asking, Body
from sagelocal_executors.transform.assembling import Assembly
from sagelocal_executors.transform.batches import MEGABYTE, Batch, Cutting
from sagelocal_executors.transform.faults import FileError
from sagelocal_executors.transform.side_by_side import side_by_side
from sagelocal_executors.transform.sources import Sources
from sagelocal_executors.transform.tally import Tally, object_name

T = TypeVar("T")

AHEAD = 2
"""How many batches are in memory for each request at once: answered ones wait for those before them in their file."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What transforms files.

    Attributes:
        concurrent: MaxConcurrentTransforms.
        streamed: whether files go to the model as they are, in HTTP chunks.
        gzipped: CompressionType Gzip.
        folder: where the outputs go.
        places: one for each batch in memory.
    """

    asking: Asking
    cutting: Cutting
    assembly: Assembly
    sources: Sources
    tally: Tally
    concurrent: int
    streamed: bool
    gzipped: bool
    folder: Path
    places: asyncio.Semaphore

    async def transform(self, items: Sequence[Item]) -> None:
        """Transform the files, as many side by side as there may be requests.

        Raises:
            JobError: the model's container has ended.
        """
        queue = iter(items)
        await side_by_side(self._work(queue) for _ in range(min(self.concurrent, len(items))))

    async def _work(self, queue: Iterator[Item]) -> None:
        for item in queue:
            output = self.folder / str(self.tally.number())
            try:
                await self._transform(item, output)
            except FileError as error:
                output.unlink(missing_ok=True)
                self.tally.failed(item, error)
            else:
                self.tally.transformed(item, output)

    async def _transform(self, item: Item, output: Path) -> None:
        async with self.sources.file(item) as source:
            with disk.faults(output), output.open("wb") as out:
                if self.streamed and item.size:
                    whole = Batch(1, 1, b"", whole=True)
                    await self._write(out, await self._answer(item, whole, lambda: self._chunks(source)))
                elif not self.streamed:
                    with self._open(source) as file:
                        await self._flow(item, self.cutting.batches(file), out)

    async def _flow(self, item: Item, batches: Iterator[Batch], out: IO[bytes]) -> None:
        """Read ahead as far as there are places, write in order.

        A file that holds places always has its first batch on the way, so that some file gets on whatever waits.
        """
        window: deque[asyncio.Task[bytes]] = deque()
        more = True
        try:
            while more or window:
                if more and not (window and self.places.locked()):
                    batch = await self._read(batches)
                    more = batch is not None
                    if batch is not None:
                        window.append(asyncio.create_task(self._answer(item, batch, batch.sent)))
                while window and (window[0].done() or self.places.locked() or not more):
                    await self._write(out, await window[0])
                    window.popleft()
                    self.places.release()
        finally:
            for task in window:
                task.cancel()
            await asyncio.gather(*window, return_exceptions=True)
            for _ in window:
                self.places.release()

    async def _read(self, batches: Iterator[Batch]) -> Batch | None:
        """The next batch, when there is a place for it, which it keeps; None after the last."""
        await self.places.acquire()
        batch = None
        try:
            batch = await unbroken(asyncio.to_thread(_next, batches))
        finally:
            if batch is None:
                self.places.release()
        return batch

    async def _answer(self, item: Item, batch: Batch, body: Callable[[], Body]) -> bytes:
        answer = await self.asking.ask(object_name(item), str(batch), body)
        return await asyncio.to_thread(self.assembly.output, item, batch, answer)

    async def _write(self, out: IO[bytes], data: bytes) -> None:
        await unbroken(asyncio.to_thread(out.write, data))

    def _open(self, source: Path) -> BinaryIO:
        try:
            return cast("BinaryIO", gzip.open(source)) if self.gzipped else source.open("rb")
        except FileNotFoundError:
            raise FileError("there is no such object any more") from None

    async def _chunks(self, source: Path) -> AsyncIterator[bytes]:
        with self._open(source) as file:
            chunks = iter(lambda: file.read(MEGABYTE), b"")
            while chunk := await unbroken(asyncio.to_thread(_next, chunks)):
                yield chunk


def _next(parts: Iterator[T]) -> T | None:
    """The next part of a file; None after the last."""
    try:
        return next(parts, None)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"it cannot be decompressed, although CompressionType is Gzip: {error}") from None
