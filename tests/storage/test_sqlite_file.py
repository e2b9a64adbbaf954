"""Opening the SQLite file: one owner, known tables, and a cure in every refusal."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.storage import StoreInUse, StoreRefused
from gateway.storage.sqlite_store import Part, SqliteStore
from tests.storage.durable import sqlite_store

PATIENCE_SECONDS = 60.0
"""A test that waits longer has failed."""
ONE = Part("words", steps=(("CREATE TABLE words (word TEXT)",),))
TWO = Part("words", steps=(*ONE.steps, ("ALTER TABLE words ADD COLUMN language TEXT",)))


async def other_process(directory: Path) -> tuple[int, str]:
    """Exit code and last words of another process that wants the store; one that gets it would
    append for ever."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.appender", str(directory), "1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, told = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, told.decode()


async def test_a_second_process_refuses_to_start(store: SqliteStore, tmp_path: Path) -> None:
    """Two processes with a log each would give two orders: the second says what to do instead."""
    code, told = await other_process(tmp_path)

    assert code == 1
    assert "in use by another process" in told
    assert "GATEWAY_DATA_DIR" in told
    assert "Traceback" not in told


async def test_a_second_store_of_one_process_is_refused_and_harmless(
    store: SqliteStore, tmp_path: Path
) -> None:
    """The lock of the first must survive it: the locks of POSIX are lost by closing any handle."""
    with pytest.raises(StoreInUse):
        await SqliteStore.open(tmp_path / "gateway.sqlite")

    code, told = await other_process(tmp_path)
    assert (code, "in use" in told) == (1, True)


async def test_a_closed_store_can_be_opened_by_the_next(tmp_path: Path) -> None:
    """A restart needs no tidying up."""
    for _ in range(2):
        async with sqlite_store(tmp_path) as store:
            await store.install(ONE)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("text", ["text", "backup"], id="no SQLite file"),
        pytest.param("text/below/a/file", ["GATEWAY_DATA_DIR"], id="no folder"),
        pytest.param("folder", ["GATEWAY_DATA_DIR"], id="a folder"),
    ],
)
async def test_a_place_that_cannot_be_used_is_refused_with_a_cure(
    tmp_path: Path, path: str, words: list[str]
) -> None:
    """What is wrong, and what to do; never a traceback, never a file overwritten."""
    (tmp_path / "text").write_text("dear diary, " * 1000)
    (tmp_path / "folder").mkdir()

    with pytest.raises(StoreRefused) as refused:
        await SqliteStore.open(tmp_path / path)

    assert all(word in str(refused.value) for word in words), str(refused.value)
    assert (tmp_path / "text").read_text().startswith("dear diary")


async def test_older_tables_are_brought_up_to_date(tmp_path: Path) -> None:
    """An update of the gateway keeps what the last version wrote."""
    async with sqlite_store(tmp_path) as store:
        await store.install(ONE)
        await store.write(lambda database: database.execute("INSERT INTO words VALUES ('old')"))

    async with sqlite_store(tmp_path) as store:
        await store.install(TWO)
        await store.install(TWO)
        rows = await store.read(lambda database: database.execute("SELECT * FROM words").fetchall())
    assert rows == [("old", None)]


async def test_newer_tables_are_refused(tmp_path: Path) -> None:
    """A downgrade would misread them: say so before anything is written."""
    async with sqlite_store(tmp_path) as store:
        await store.install(TWO)

    async with sqlite_store(tmp_path) as store:
        with pytest.raises(StoreRefused, match="newer version"):
            await store.install(ONE)


async def test_every_commit_is_synced_and_the_file_is_private(
    store: SqliteStore, tmp_path: Path
) -> None:
    """Durable at each commit (FULL is 2), in WAL, and nobody else's to read."""
    names = ("journal_mode", "synchronous", "locking_mode", "foreign_keys")

    def pragmas(database: sqlite3.Connection) -> list[object]:
        return [database.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await store.read(pragmas) == ["wal", 2, "exclusive", 1]
    assert (tmp_path / "gateway.sqlite").stat().st_mode & 0o077 == 0


async def test_a_store_leaves_one_ordinary_file(tmp_path: Path) -> None:
    """A stopped gateway can be backed up by copying one file, and read by any SQLite."""
    async with sqlite_store(tmp_path) as store:
        await store.install(ONE)

    assert os.listdir(tmp_path) == ["gateway.sqlite"]
    with closing(sqlite3.connect(tmp_path / "gateway.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
