"""One SQLite file, one thread that owns it, and group commit: what waits together is synced once.

Work is handed in as a function of the connection. Writes that wait while a transaction is being
synced become the next one, so that a hundred of them cost one sync and not a hundred. Reads run
in the same thread between two transactions: they see all that was acknowledged, nothing else, and
never block the event loop.

The file belongs to one process. The lock is SQLite's own, on the file itself, so there is no lock
file that somebody could tidy away, and it ends with the process however that ends. On POSIX it
also ends when this process opens and closes the file by other means: nothing here may do that.
Source: https://www.sqlite.org/pragma.html#pragma_locking_mode and https://www.sqlite.org/wal.html,
SQLite 3.40.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from gateway.storage import StoreInUse, StoreRefused, StoreUnavailable

PENDING_MAX = 10_000
"""Writes, and as many reads, that may wait: seconds of work; beyond it the disk has fallen behind
and whoever asks is told so."""
GROUP_MAX = 512
"""Writes of one transaction: enough to hide the sync, few enough to keep the first from waiting."""
READS_MAX = 32
"""Reads between two transactions, so that readers of a long backlog do not hold up an append."""

T = TypeVar("T")
P = ParamSpec("P")
Work = Callable[[sqlite3.Connection], T]


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    done: Future[Any] = field(default_factory=Future)
    answer: Any = None
    error: Exception | None = None

    def run(self, database: sqlite3.Connection) -> None:
        try:
            self.answer = self.work(database)
        except Exception as error:  # noqa: BLE001 - it is raised where the work was handed in
            self.error = error

    def run_alone(self, database: sqlite3.Connection) -> None:
        """Leave nothing behind if it fails. Raises `sqlite3.Error` where the failure took the whole
        transaction with it, as a full disk does."""
        database.execute("SAVEPOINT alone")
        self.run(database)
        if isinstance(self.error, sqlite3.Error) and not database.in_transaction:
            raise self.error
        if self.error is not None:
            database.execute("ROLLBACK TO alone")
        database.execute("RELEASE alone")

    def tell(self) -> None:
        """Hand the answer, or the error, to whoever waits."""
        if isinstance(self.error, sqlite3.Error):
            unavailable = StoreUnavailable(f"SQLite: {self.error}")
            unavailable.__cause__ = self.error
            self.done.set_exception(unavailable)
        elif self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.answer)


class SqliteStore:
    """See the module. `commit_count` counts the transactions that were synced."""

    def __init__(self, path: Path, *, pending_max: int) -> None:
        self.commit_count = 0
        self._path = path
        self._pending_max = pending_max
        self._writes: deque[_Job] = deque()
        self._reads: deque[_Job] = deque()
        self._is_closing = False
        self._changed = threading.Condition()
        self._opened: Future[None] = Future()
        self._closed: Future[None] = Future()
        for mark in (self._opened, self._closed):
            mark.set_running_or_notify_cancel()  # waiting may be given up, the marks may not
        self._thread = threading.Thread(target=self._run, name="sqlite-store", daemon=True)

    @classmethod
    async def open(cls, path: Path, *, pending_max: int = PENDING_MAX) -> SqliteStore:
        """The store in this file. Raises `StoreInUse` and `StoreRefused`."""
        store = cls(path, pending_max=pending_max)
        store._thread.start()
        try:
            await asyncio.wrap_future(store._opened)
        except asyncio.CancelledError:
            store._end()
            raise
        return store

    async def install(self, part: Part) -> None:
        """Make or upgrade the tables of one user. Idempotent. Raises `StoreRefused`."""
        await self.write(install, part)

    async def write(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *given: P.args,
        **named: P.kwargs,
    ) -> T:
        """Run the work in a transaction and answer once that is on the disk.

        What the work raises undoes the work alone and is raised here. Writes run in the order in
        which they were handed in; one that is given up before its turn is left out. Raises
        `StoreUnavailable`, on a full disk to the whole group; nothing is half done then.
        """
        return await self._asked(self._writes, lambda database: work(database, *given, **named))

    async def read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *given: P.args,
        **named: P.kwargs,
    ) -> T:
        """Run work that changes nothing. Raises `StoreUnavailable`."""
        return await self._asked(self._reads, lambda database: work(database, *given, **named))

    async def close(self) -> None:
        """Finish what waits, then let go of the file. Idempotent."""
        self._end()
        await asyncio.wrap_future(self._closed)

    async def _asked(self, queue: deque[_Job], work: Work[T]) -> T:
        job = _Job(work)
        with self._changed:
            if self._is_closing:
                raise StoreUnavailable("the store is closed")
            if len(queue) >= self._pending_max:
                raise StoreUnavailable("the disk has fallen behind: too much is waiting for it")
            queue.append(job)
            self._changed.notify()
        answer: T = await asyncio.wrap_future(job.done)
        return answer

    def _end(self) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    def _run(self) -> None:
        """The thread: the only place that touches the connection."""
        try:
            database = opened(self._path)
        except Exception as refusal:  # noqa: BLE001 - raised where the store was to be opened
            self._closed.set_result(None)
            self._opened.set_exception(refusal)
            return
        self._opened.set_result(None)
        while jobs := self._next_jobs():
            writes, reads = jobs
            if writes:
                self._commit(database, writes)
            for job in reads:
                job.run(database)
                job.tell()
        database.close()
        self._closed.set_result(None)

    def _next_jobs(self) -> tuple[list[_Job], list[_Job]] | None:
        """What is to be done next; None once the store is closing and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._writes or self._reads or self._is_closing)
            writes, reads = _taken(self._writes, GROUP_MAX), _taken(self._reads, READS_MAX)
            is_over = self._is_closing and not (writes or reads or self._writes or self._reads)
        return None if is_over else (writes, reads)

    def _commit(self, database: sqlite3.Connection, jobs: list[_Job]) -> None:
        try:
            database.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run_alone(database)
            database.execute("COMMIT")
            self.commit_count += 1
        except sqlite3.Error as trouble:
            with suppress(sqlite3.Error):
                if database.in_transaction:
                    database.execute("ROLLBACK")
            for job in jobs:
                job.error = trouble
        for job in jobs:
            job.tell()


def _taken(queue: deque[_Job], limit: int) -> list[_Job]:
    """The first jobs of the queue, without those that were given up."""
    jobs = [queue.popleft() for _ in range(min(limit, len(queue)))]
    return [job for job in jobs if job.done.set_running_or_notify_cancel()]


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
