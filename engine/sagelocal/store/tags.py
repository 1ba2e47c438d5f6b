"""The tags of everything that has an ARN."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from sagelocal.database import explained, transaction
from sagelocal.errors import UsageError

MOST: Final = 50
"""Tags that one resource may have (botocore: TagList)."""


class Tags:
    """Tags by ARN, whatever the ARN names, in the state file that `sagelocal.database.open_database` opens.

    Raises:
        MachineError: from every method, when the file cannot be read or written.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags, over those of the same keys; all of them or none.

        Raises:
            UsageError: there would be more than 50.
        """
        if len({**self.of(arn), **tags}) > MOST:
            message = f"{arn} would have more than {MOST} tags: delete some of them first."
            raise UsageError(message)
        with transaction(self._connection) as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)",
                [(arn, key, value) for key, value in tags.items()],
            )

    def of(self, arn: str) -> dict[str, str]:
        """The tags of a resource, in the order of their keys."""
        with explained("state.db"):
            rows = self._connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", (arn,))
            return dict(rows.fetchall())

    def remove(self, arn: str, keys: Iterable[str]) -> None:
        """Delete the tags with these keys, as far as there are any."""
        with transaction(self._connection) as connection:
            connection.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])

    def forget(self, arn: str) -> None:
        """Delete all tags of a resource that is gone."""
        with transaction(self._connection) as connection:
            connection.execute("DELETE FROM tags WHERE arn = ?", (arn,))
