"""Readiness is told by writing: a store that is full answers every read, and takes nothing."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from gateway.backends.journal.durable import SqliteJournalStore
from gateway.composition.stores import open_stores
from gateway.settings import Settings
from gateway.storage import StoreUnavailable
from gateway.storage.redis_store import RedisStore
from gateway.storage.sqlite_store import SqliteStore
from gateway.storage.write_probe import (
    KEPT_SECONDS,
    RETRY_SECONDS,
    WriteProbe,
    redis_probe,
    sqlite_probe,
)
from tests.events.entries import entry
from tests.storage.durable import redis_store, sqlite_store
from tests.storage.redis_server import RedisServer
from tests.support.served import Served, serving
from tests.support.time_and_ids import CountingIds, ManualClock


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with sqlite_store(tmp_path) as store:
        yield store


async def fill(file: SqliteStore) -> None:
    """No page more for this file, as on a full disk."""
    await file.write(lambda database: database.execute("PRAGMA max_page_count = 1").fetchone())


async def make_room(file: SqliteStore) -> None:
    await file.write(
        lambda database: database.execute("PRAGMA max_page_count = 1073741823").fetchone()
    )


async def test_a_file_with_room_is_writable(file: SqliteStore, clock: ManualClock) -> None:
    """Also after a thousand looks, which leave one row."""
    probe = await sqlite_probe(file, clock.monotonic)

    for _ in range(1000):
        await probe.check()
        clock.advance(int(KEPT_SECONDS))

    rows = await file.read(
        lambda database: database.execute("SELECT count(*) FROM write_probe").fetchone()
    )
    assert rows == (1,)


async def test_a_file_without_room_is_not_writable(file: SqliteStore, clock: ManualClock) -> None:
    """Reads go on, and no event and no write can be recorded."""
    probe = await sqlite_probe(file, clock.monotonic)
    await fill(file)

    with pytest.raises(StoreUnavailable, match="full"):
        await probe.check()
    is_read = await file.read(lambda database: database.execute("SELECT 1").fetchone())

    assert is_read == (1,)


async def test_a_file_that_has_room_again_is_writable_again(
    file: SqliteStore, clock: ManualClock
) -> None:
    """Soon: a bad outcome is kept for two seconds, a good one for ten."""
    probe = await sqlite_probe(file, clock.monotonic)
    await fill(file)
    with pytest.raises(StoreUnavailable):
        await probe.check()
    await make_room(file)

    with pytest.raises(StoreUnavailable):
        await probe.check()
    clock.advance(int(RETRY_SECONDS))
    await probe.check()


async def test_probes_of_health_do_not_wear_the_disk(file: SqliteStore, clock: ManualClock) -> None:
    """Whatever number of probers there is."""
    probe = await sqlite_probe(file, clock.monotonic)
    before = file.commit_count

    for _ in range(100):
        await probe.check()

    assert file.commit_count == before + 1


@asynccontextmanager
async def small_redis(directory: Path) -> AsyncIterator[RedisStore]:
    """A Redis of its own that may be told to take no more."""
    server = RedisServer(directory)
    server.start()
    try:
        async with redis_store(server.url) as store:
            yield store
    finally:
        server.stop()


async def test_a_redis_without_memory_is_not_writable(tmp_path: Path, clock: ManualClock) -> None:
    """It answers, and refuses to be given more."""
    async with small_redis(tmp_path) as store:
        probe: WriteProbe = redis_probe(store, clock.monotonic)
        await probe.check()
        await store.command("CONFIG", "SET", "maxmemory", "1")
        clock.advance(int(KEPT_SECONDS))

        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await probe.check()

        assert await store.command("PING")
        await store.command("CONFIG", "SET", "maxmemory", "0")
        clock.advance(int(RETRY_SECONDS))
        await probe.check()


async def test_a_gateway_on_a_full_disk_is_not_ready(tmp_path: Path, clock: ManualClock) -> None:
    """Every write would be refused and every webhook put off: others should get the traffic."""
    settings = Settings(log="sqlite", data_dir=tmp_path)
    async with AsyncExitStack() as stack:
        stores = await open_stores(settings, clock, CountingIds(), stack)
        await stores.ping()
        assert isinstance(stores.journal, SqliteJournalStore)
        await fill(stores.journal._store)
        clock.advance(int(KEPT_SECONDS))

        with pytest.raises(StoreUnavailable, match="full"):
            await stores.ping()


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond these bytes, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def readiness(gateway: Served) -> tuple[int, str]:
    async with gateway.session.get(gateway.url / "readyz") as response:
        return response.status, (await response.json())["checks"]["log"]


async def test_readyz_tells_when_the_operating_system_gives_no_room(tmp_path: Path) -> None:
    """Not SQLite's own limit but a write that fails, as on a full disk; ready again afterwards."""
    async with serving(log="sqlite", data_dir=tmp_path) as gateway:
        before = await readiness(gateway)
        gateway.clock.advance(int(KEPT_SECONDS))
        with files_at_most((tmp_path / "gateway.sqlite3-wal").stat().st_size):
            full = await readiness(gateway)
        gateway.clock.advance(int(RETRY_SECONDS))
        after = await readiness(gateway)

    assert (before, full, after) == ((200, "ok"), (503, "failed"), (200, "ok"))


async def test_where_the_probe_has_no_room_an_event_has_none(
    tmp_path: Path, clock: ManualClock
) -> None:
    """The promise of the probe: what it finds writable takes at least one event."""
    from gateway.events.log import Retention
    from gateway.events.sqlite_log import SqliteEventLog

    async with sqlite_store(tmp_path) as file:
        log = await SqliteEventLog.open(
            file, epoch_if_new="e", now=clock.now, retention=Retention()
        )
        probe = await sqlite_probe(file, clock.monotonic)
        taken = 0
        pages = await file.read(lambda database: database.execute("PRAGMA page_count").fetchone())
        await file.write(
            lambda database: database.execute(f"PRAGMA max_page_count = {pages[0] + 60}").fetchone()
        )
        while True:
            clock.advance(int(KEPT_SECONDS))
            try:
                await probe.check()
            except StoreUnavailable:
                break
            await log.append(entry(f"event:{taken}"))
            taken += 1

    assert taken > 10
