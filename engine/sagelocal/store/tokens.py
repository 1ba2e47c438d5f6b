"""Requests that were answered before, by the tokens with which clients repeat them."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import sqlite3
from collections.abc import Awaitable, Callable

from sagelocal.callbacks import REMEMBERED
from sagelocal.clock import Clock
from sagelocal.database import explained, transaction
from sagelocal.errors import ConflictError
from sagelocal.values import JsonObject


class Tokens:
    """The answers given within the last eight hours to requests that had a ClientRequestToken (semantics 10 §10.5).

    Raises:
        MachineError: from every method, when the state file cannot be read or written.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._under_way: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def once(
        self,
        operation: str,
        token: str | None,
        request: JsonObject,
        do: Callable[[], JsonObject | Awaitable[JsonObject]],
    ) -> JsonObject:
        """Do what a request asks for, unless it repeats an earlier one: then its answer is given again.

        What fails is not remembered. A repetition that comes while the first request is under way waits for that.

        Args:
            operation: whose token it is; another operation's tokens are others.
            token: as the client gave it; without one every request is new.
            request: all of it; the token must not be used for a different one.
            do: does it.

        Raises:
            ConflictError: the token came with another request (semantics 13, U19).
        """
        if not token:
            return await _answered(do)
        key = operation, token
        while key in self._under_way:
            await asyncio.wait({self._under_way[key]})
        digest = _digest(request)
        earlier = self._earlier(key, digest)
        if earlier is not None:
            return earlier
        over = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await _answered(do)
            self._remember(key, digest, answer)
        finally:
            del self._under_way[key]
            over.set_result(None)
        return answer

    def forget(self, arn: str) -> None:
        """Forget the answers that name a resource, or one below it: it is gone, or a new one of that name has come."""
        with transaction(self._connection) as connection:
            connection.execute(
                "DELETE FROM request_tokens WHERE instr(answer, ?) OR instr(answer, ?)",
                (f'"{arn}"', f'"{arn}/'),
            )

    def _earlier(self, key: tuple[str, str], digest: str) -> JsonObject | None:
        query = "SELECT request, answer FROM request_tokens WHERE operation = ? AND token = ? AND at >= ?"
        with explained("state.db"):
            row = self._connection.execute(query, (*key, self._clock.now() - REMEMBERED)).fetchone()
        if row is None:
            return None
        if row[0] != digest:
            message = f"ClientRequestToken {key[1]} was used for another {key[0]} request: give each request its own."
            raise ConflictError(message)
        answer: JsonObject = json.loads(row[1])
        return answer

    def _remember(self, key: tuple[str, str], digest: str, answer: JsonObject) -> None:
        now = self._clock.now()
        with transaction(self._connection) as connection:
            connection.execute("DELETE FROM request_tokens WHERE at < ?", (now - REMEMBERED,))
            connection.execute(
                "INSERT OR REPLACE INTO request_tokens VALUES (?, ?, ?, ?, ?)",
                (*key, digest, json.dumps(answer), now),
            )


async def _answered(do: Callable[[], JsonObject | Awaitable[JsonObject]]) -> JsonObject:
    answer = do()
    return await answer if inspect.isawaitable(answer) else answer


def _digest(request: JsonObject) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
