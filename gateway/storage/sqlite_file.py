"""Opens one SQLite file for one process, and brings its tables to the version of this gateway.

The lock is SQLite's own, on the file itself, so there is no lock file that somebody could tidy
away, and it ends with the process however that ends. On POSIX it also ends when this process
opens and closes the file by other means than SQLite: nothing here may do that.
Source: https://www.sqlite.org/pragma.html#pragma_locking_mode and https://www.sqlite.org/wal.html,
SQLite 3.40.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gateway.storage import StoreInUse, StoreRefused

PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS needs it, or a commit only reaches the drive's own cache
    "foreign_keys = ON",
)
_SERIAL = "CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL)"


@dataclass(frozen=True, slots=True)
class Part:
    """The tables of one user of the file. `steps[n]` takes them from version n to n + 1."""

    name: str
    steps: tuple[tuple[str, ...], ...]


def opened(path: Path) -> sqlite3.Connection:
    """The file, made if need be, owned by this process until it is closed.

    Raises `StoreInUse` and `StoreRefused`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
        database = sqlite3.connect(path, isolation_level=None, timeout=0)
    except (OSError, sqlite3.Error) as trouble:
        raise _not_writable(path, trouble) from trouble
    try:
        _claim(database)
    except sqlite3.Error as trouble:
        database.close()
        raise _refusal(path, trouble) from trouble
    return database


def _claim(database: sqlite3.Connection) -> None:
    for pragma in PRAGMAS:
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN IMMEDIATE")  # from the first write on, the lock is held
    database.execute(_SERIAL)
    database.execute("COMMIT")


def install(database: sqlite3.Connection, part: Part) -> None:
    """Bring the part's tables to the last version, within the transaction that is open.

    Raises `StoreRefused` where they are newer.
    """
    row = database.execute("SELECT version FROM parts WHERE name = ?", (part.name,)).fetchone()
    version = row[0] if row else 0
    if version > len(part.steps):
        raise StoreRefused(
            f"The data folder was written by a newer version of the gateway ({part.name} "
            f"{version}, this one knows {len(part.steps)}). Start that version again, or set "
            "GATEWAY_DATA_DIR to another folder."
        )
    for step in part.steps[version:]:
        for statement in step:
            database.execute(statement)
    database.execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (part.name, len(part.steps)))


def _refusal(path: Path, trouble: sqlite3.Error) -> StoreRefused:
    match getattr(trouble, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreInUse(
                f"{path} is in use by another process, and one process owns it. Stop the other "
                "one, set GATEWAY_DATA_DIR to another folder, or let both share a Redis with "
                "GATEWAY_REDIS_URL."
            )
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return StoreRefused(
                f"{path} is damaged or no SQLite file ({trouble}). Restore it from a backup, or "
                "move it away to begin a new log."
            )
        case _:
            return _not_writable(path, trouble)


def _not_writable(path: Path, trouble: Exception) -> StoreRefused:
    return StoreRefused(
        f"{path} cannot be opened for writing ({trouble}). Let this user write to its folder, or "
        "set GATEWAY_DATA_DIR to a folder where it can."
    )
