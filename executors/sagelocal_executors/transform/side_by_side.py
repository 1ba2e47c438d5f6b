"""Several pieces of work at once, as though they were one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable


async def side_by_side(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Run them all; the first failure stops the others, and is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as failed:
        error: BaseException = failed
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
