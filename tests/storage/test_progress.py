"""How far catch-up has come is there after a restart, also as the release before has noted it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.events.catch_up_progress import (
    Covered,
    PassedOver,
    Progress,
    RedisProgress,
    SqliteProgress,
)
from tests.events.door import hint
from tests.storage.durable import redis_store, sqlite_store
from tests.storage.redis_server import KINDS, prefix_of, shared_server
from tests.support.time_and_ids import START

STORES = ["sqlite", *KINDS]
COVERED = Covered(START, (PassedOver(hint("evt_1", invoice_id="in_1"), 3),))


@asynccontextmanager
async def opened(
    store: str, directory: Path, *, before: int | None = None, of_thin: bool = False
) -> AsyncIterator[Progress]:
    """The progress in this directory; `before` is what the release before has noted in it."""
    if store == "sqlite":
        async with sqlite_store(directory) as file:
            progress = await SqliteProgress.open(file, of_thin=of_thin)
            if before is not None:
                await file.write(
                    lambda database: database.execute(
                        "INSERT INTO catch_up (id, until) VALUES (1, ?)", (before,)
                    )
                )
            yield progress
        return
    async with redis_store(shared_server(store).url, prefix=prefix_of(directory)) as redis:
        if before is not None:
            await redis.command("SET", redis.key("catch_up"), before)
        yield RedisProgress(redis, of_thin=of_thin)


@pytest.mark.parametrize("store", STORES)
async def test_nothing_is_noted_at_first(store: str, tmp_path: Path) -> None:
    """None, and not the beginning of time: the first run of all has missed nothing."""
    async with opened(store, tmp_path) as progress:
        assert await progress.load() is None


@pytest.mark.parametrize("store", STORES)
async def test_what_was_noted_is_there_after_a_restart(store: str, tmp_path: Path) -> None:
    """Events that were passed over too: nobody else remembers them."""
    async with opened(store, tmp_path) as progress:
        await progress.save(Covered(START - 1))
        await progress.save(COVERED)

    async with opened(store, tmp_path) as progress:
        assert await progress.load() == COVERED


@pytest.mark.parametrize("store", STORES)
async def test_what_the_release_before_has_noted_is_read(store: str, tmp_path: Path) -> None:
    """It noted the time alone."""
    async with opened(store, tmp_path, before=START) as progress:
        assert await progress.load() == Covered(START)
        await progress.save(COVERED)

        assert await progress.load() == COVERED


@pytest.mark.parametrize("store", STORES)
async def test_each_list_has_a_place_of_its_own(store: str, tmp_path: Path) -> None:
    """What the release before has noted is of snapshot events, and is no beginning of the other."""
    async with opened(store, tmp_path, before=START):
        """The release before has run here."""

    async with opened(store, tmp_path, of_thin=True) as thin:
        first = await thin.load()
        await thin.save(COVERED)
    async with opened(store, tmp_path) as progress:
        kept = await progress.load()
    async with opened(store, tmp_path, of_thin=True) as thin:
        assert (first, kept, await thin.load()) == (None, Covered(START), COVERED)
