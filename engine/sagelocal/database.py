"""The SQLite file of the state folder, opened with its tables up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sagelocal.errors import MachineError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE pipelines (
        name TEXT PRIMARY KEY, arn TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
    ) STRICT;
    CREATE TABLE pipeline_versions (
        pipeline TEXT NOT NULL REFERENCES pipelines (name), version INTEGER NOT NULL, created REAL NOT NULL,
        definition TEXT NOT NULL, PRIMARY KEY (pipeline, version)
    ) STRICT;
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, version INTEGER NOT NULL,
        created REAL NOT NULL, start TEXT NOT NULL
    ) STRICT;
    CREATE INDEX executions_by_time ON executions (created);
    CREATE TABLE events (
        execution INTEGER NOT NULL REFERENCES executions (number), seq INTEGER NOT NULL, at REAL NOT NULL,
        kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (execution, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE entities (
        kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL,
        describe TEXT NOT NULL, PRIMARY KEY (kind, name, version)
    ) STRICT;
    """,
    """
    CREATE TABLE queues (
        name TEXT PRIMARY KEY, created REAL NOT NULL, modified REAL NOT NULL, implicit INTEGER NOT NULL,
        attributes TEXT NOT NULL, tags TEXT NOT NULL, purged REAL
    ) STRICT;
    CREATE TABLE queue_messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL REFERENCES queues (name) ON DELETE CASCADE,
        id TEXT NOT NULL, body TEXT NOT NULL, attributes TEXT NOT NULL, trace TEXT, sender_group TEXT,
        deduplication TEXT, source TEXT, sent REAL NOT NULL, visible REAL NOT NULL, receipt TEXT,
        received INTEGER NOT NULL DEFAULT 0, first_received REAL
    ) STRICT;
    CREATE UNIQUE INDEX queue_messages_by_id ON queue_messages (queue, id);
    CREATE INDEX queue_messages_by_visibility ON queue_messages (queue, visible, seq);
    CREATE INDEX queue_messages_by_age ON queue_messages (queue, sent);
    CREATE INDEX queue_messages_by_group ON queue_messages (queue, sender_group, seq);
    CREATE TABLE queue_deduplications (
        queue TEXT NOT NULL REFERENCES queues (name) ON DELETE CASCADE, scope TEXT NOT NULL, id TEXT NOT NULL,
        message TEXT NOT NULL, seq INTEGER NOT NULL, sent REAL NOT NULL, PRIMARY KEY (queue, scope, id)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE pipelines ADD COLUMN role TEXT;
    ALTER TABLE pipelines ADD COLUMN display_name TEXT;
    ALTER TABLE pipelines ADD COLUMN description TEXT;
    ALTER TABLE pipelines ADD COLUMN max_parallel INTEGER;
    ALTER TABLE pipeline_versions ADD COLUMN display_name TEXT;
    ALTER TABLE pipeline_versions ADD COLUMN description TEXT;
    CREATE TABLE pipeline_aliases (
        pipeline TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (pipeline, alias),
        FOREIGN KEY (pipeline, version) REFERENCES pipeline_versions (pipeline, version) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE executions ADD COLUMN display_name TEXT;
    ALTER TABLE executions ADD COLUMN description TEXT;
    ALTER TABLE executions ADD COLUMN modified REAL;
    ALTER TABLE executions ADD COLUMN end_status TEXT;
    ALTER TABLE executions ADD COLUMN end_event INTEGER;
    CREATE INDEX executions_by_pipeline ON executions (pipeline, created);
    CREATE TABLE tags (
        arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE request_tokens (
        operation TEXT NOT NULL, token TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (operation, token)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX request_tokens_by_age ON request_tokens (at);
    """,
)
"""Each applied once, in order; ``PRAGMA user_version`` counts them. Never change one that has been released."""


def open_database(path: Path | str) -> sqlite3.Connection:
    """Open the file, making or migrating its tables; ``":memory:"`` works too.

    The connection commits by itself (autocommit); use `transaction` for several writes. It may be handed from thread to
    thread, but not be used by two at once.

    Raises:
        MachineError: the file cannot be read or written, or comes from a newer sagelocal.
    """
    with explained(path):
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode NORMAL loses nothing when a process dies; only a power cut may cost the last moments.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        # A checkpoint waits for the disk: one for every 16 MiB of log instead of SQLite's 4.
        connection.execute("PRAGMA wal_autocheckpoint = 4096")
        _migrate(connection, path)
    return connection


def _migrate(connection: sqlite3.Connection, path: Path | str) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        message = f"{path}: written by a newer sagelocal (schema {version}, this one knows {len(MIGRATIONS)}); upgrade sagelocal or use another state folder (--home)"
        raise MachineError(message)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing; inside another transaction, part of that one.

    Raises:
        MachineError: the disk is full or the file cannot be written; nothing was.
    """
    if connection.in_transaction:
        yield connection
        return
    with explained("state.db"):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn what SQLite and the disk say into a sentence with a way out."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError, OSError) as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        message = f"{path}: the state cannot be kept: {error}; {_way_out(str(error))}"
        raise MachineError(message) from error


def _way_out(text: str) -> str:
    for part, hint in _HINTS.items():
        if part in text.lower():
            return hint
    return "check the state folder, or use another one (--home or SAGELOCAL_HOME)"


_HINTS = {
    "full": "free some disk space; nothing recorded before is lost",
    "no space": "free some disk space; nothing recorded before is lost",
    "readonly": "make the folder writable, or use another one (--home or SAGELOCAL_HOME)",
    "read-only": "make the folder writable, or use another one (--home or SAGELOCAL_HOME)",
    "permission": "make the folder writable, or use another one (--home or SAGELOCAL_HOME)",
    "unable to open": "make the folder writable, or use another one (--home or SAGELOCAL_HOME)",
    "locked": "another sagelocal is writing there; wait for it, or use another state folder (--home)",
    "not a database": "the file is damaged; move it away, or use another state folder (--home)",
    "malformed": "the file is damaged; move it away, or use another state folder (--home)",
}
