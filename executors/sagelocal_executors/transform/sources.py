"""The input objects as files of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sagelocal.cloud.objects import Objects
from sagelocal.errors import NotFoundError
from sagelocal_executors.channels import Item
from sagelocal_executors.transform.faults import FileError


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the objects are read.

    Attributes:
        folder: the store's own folder of exactly these objects; None when each has to be fetched.
        scratch: where one that is fetched lies as long as it is read.
    """

    objects: Objects
    folder: Path | None
    scratch: Path
    _numbers: count[int] = field(default_factory=count)

    @asynccontextmanager
    async def file(self, item: Item) -> AsyncIterator[Path]:
        """The object's file, for reading.

        Raises:
            FileError: the object has gone since it was listed.
        """
        if self.folder is not None:
            yield self.folder / item.relative
            return
        path = self.scratch / str(next(self._numbers))
        try:
            await self.objects.fetch(item.uri, path)
            yield path
        except NotFoundError:
            raise FileError("there is no such object any more") from None
        finally:
            path.unlink(missing_ok=True)
