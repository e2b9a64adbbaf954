"""The SQLite store: group commit, failures that stay alone, bounded queues, and a clean end."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from gateway.storage import StoreUnavailable
from gateway.storage.sqlite_store import GROUP_MAX, Part, SqliteStore
from tests.storage.durable import sqlite_store

WORDS = Part("words", steps=(("CREATE TABLE words (word TEXT PRIMARY KEY)",),))


def add(database: sqlite3.Connection, word: str) -> str:
    database.execute("INSERT INTO words VALUES (?)", (word,))
    return word


def words(database: sqlite3.Connection) -> set[str]:
    return {word for (word,) in database.execute("SELECT word FROM words")}


@asynccontextmanager
async def held(store: SqliteStore) -> AsyncIterator[None]:
    """The store's thread is busy within the block, so that what is asked of it waits."""
    loop, entered, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def wait(database: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(entered.set)
        gate.wait()

    waiting = asyncio.ensure_future(store.read(wait))
    await entered.wait()
    try:
        yield
    finally:
        gate.set()
        await waiting


async def handed_in(store: SqliteStore, *wanted: str) -> list[asyncio.Task[str]]:
    """Writes that stand in the queue."""
    writes = [asyncio.ensure_future(store.write(partial(add, word=word))) for word in wanted]
    await asyncio.sleep(0)
    return writes


async def test_writes_that_wait_together_are_synced_once(store: SqliteStore) -> None:
    """A sync costs milliseconds: a burst of webhooks must not pay it for each of them."""
    await store.install(WORDS)
    before = store.commit_count

    async with held(store):
        writes = await handed_in(store, *(f"word {n}" for n in range(100)))
    await asyncio.gather(*writes)

    assert store.commit_count == before + 1
    assert len(await store.read(words)) == 100


async def test_a_group_is_bounded(store: SqliteStore) -> None:
    """The first of a flood waits for its group only, and not for the whole of the flood."""
    await store.install(WORDS)
    before = store.commit_count

    async with held(store):
        writes = await handed_in(store, *(f"word {n}" for n in range(GROUP_MAX + 1)))
    await asyncio.gather(*writes)

    assert store.commit_count == before + 2


async def test_a_read_sees_what_was_acknowledged(store: SqliteStore) -> None:
    """Whoever was told a position can read it."""
    await store.install(WORDS)

    for n in range(20):
        added = await store.write(partial(add, word=f"word {n}"))
        assert added in await store.read(words)


async def test_a_write_that_fails_leaves_the_others_of_its_group(store: SqliteStore) -> None:
    """One bad entry must not lose its neighbours, nor leave half of itself."""
    await store.install(WORDS)

    def half(database: sqlite3.Connection) -> None:
        add(database, "half")
        raise LookupError("the other half")

    async with held(store):
        writes = await handed_in(store, "before")
        failing = asyncio.ensure_future(store.write(half))
        writes += await handed_in(store, "before", "after")
    answers = await asyncio.gather(*writes, failing, return_exceptions=True)

    assert [type(one) for one in answers] == [str, StoreUnavailable, str, LookupError]
    assert await store.read(words) == {"before", "after"}


async def test_a_full_disk_refuses_and_loses_nothing(store: SqliteStore) -> None:
    """Refused means not done, so that Stripe's retry can bring it when there is room again."""
    await store.install(WORDS)
    big = partial(add, word="x" * 100_000)
    await store.write(partial(add, word="small"))
    await store.write(lambda database: database.execute("PRAGMA max_page_count = 20"))

    with pytest.raises(OSError, match="full"):
        await store.write(big)

    assert await store.read(words) == {"small"}
    await store.write(lambda database: database.execute("PRAGMA max_page_count = 2000"))
    await store.write(big)
    assert len(await store.read(words)) == 2


async def test_what_cannot_wait_is_refused(tmp_path: Path) -> None:
    """The queue has an end: whoever comes beyond it is told at once, and the rest is done."""
    async with sqlite_store(tmp_path, pending_max=2) as store:
        await store.install(WORDS)
        async with held(store):
            writes = await handed_in(store, "first", "second", "third")
        answers = await asyncio.gather(*writes, return_exceptions=True)

        assert answers[:2] == ["first", "second"]
        assert isinstance(answers[2], StoreUnavailable)
        assert await store.read(words) == {"first", "second"}


async def test_a_write_that_is_given_up_before_its_turn_is_left_out(store: SqliteStore) -> None:
    """Nothing is half done: neither it nor its answer is wanted any more."""
    await store.install(WORDS)

    async with held(store):
        kept, given_up = await handed_in(store, "kept", "given up")
        given_up.cancel()
        await asyncio.sleep(0)
    await kept

    assert await store.read(words) == {"kept"}


async def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    """A process that is told to end has acknowledged nothing that is lost."""
    async with sqlite_store(tmp_path) as store:
        await store.install(WORDS)
        async with held(store):
            writes = await handed_in(store, *(f"word {n}" for n in range(GROUP_MAX + 1)))
            closing = asyncio.ensure_future(store.close())
            await asyncio.sleep(0)
        await closing

    assert all(write.done() for write in writes)
    async with sqlite_store(tmp_path) as store:
        assert len(await store.read(words)) == GROUP_MAX + 1


async def test_a_closed_store_is_not_to_be_had(store: SqliteStore) -> None:
    """A late webhook is answered 503 and comes again; closing twice is harmless."""
    await store.close()
    await store.close()

    with pytest.raises(OSError, match="closed"):
        await store.read(words)
