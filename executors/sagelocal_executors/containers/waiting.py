"""How a running container is waited for, stopped at its limit, or stopped because nobody wants it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from sagelocal_executors.containers import Limits

T = TypeVar("T")
P = ParamSpec("P")

_MOST_THREADS = 1024


async def unbroken(awaitable: Awaitable[T]) -> T:
    """Wait to the end even if cancelled meanwhile; the cancellation passes afterwards."""
    future = asyncio.ensure_future(awaitable)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return future.result()
    if not future.cancelled():
        future.exception()  # seen: the cancellation is what passes
    raise cancelled


class Threads:
    """Threads of our own: following a container blocks one, and the default pool must stay free for short calls."""

    def __init__(self, name: str) -> None:
        # Threads start on demand and are reused; the bound is only there to be one.
        self._pool = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix=name)

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **kwargs))

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short function that must not be left half done."""
        return await unbroken(self.start(function, *args, **kwargs))

    def close(self) -> None:
        self._pool.shutdown(wait=False)


async def supervise(
    ended: asyncio.Future[None],
    limits: Limits,
    terminate: Callable[[], Awaitable[None]],
    kill: Callable[[], Awaitable[None]],
) -> bool:
    """Wait for the end of a container; True when its time limit ended it.

    When cancelled: `terminate`, grace, `kill`, then the cancellation passes. A second cancellation ends the grace.
    """
    try:
        done, _ = await asyncio.wait({ended}, timeout=limits.seconds)
    except asyncio.CancelledError:
        await _stop(ended, limits.grace, terminate, kill)
        raise
    if not done:
        await _stop(ended, limits.grace, terminate, kill)
    return not done


async def _stop(
    ended: asyncio.Future[None],
    grace: float,
    terminate: Callable[[], Awaitable[None]],
    kill: Callable[[], Awaitable[None]],
) -> None:
    try:
        await terminate()
        await asyncio.wait({ended}, timeout=grace)
    finally:
        if not ended.done():
            await unbroken(kill())
            await unbroken(asyncio.wait({ended}))


async def either(ended: asyncio.Future[T], failed: asyncio.Future[None]) -> None:
    """Wait until the container has ended or our handling of its output has failed; raises nothing."""
    both: set[asyncio.Future[Any]] = {ended, failed}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
