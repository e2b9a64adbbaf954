"""What tests of several folders share because it is slow to make."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.storage.redis_server import end_shared_servers
from tests.support.browser import LEFT_OUT, NOT_BUILT
from tests.support.long_form import examples
from tests.support.workers import made_once, run_folder

pytest_plugins = ["tests.support.leak_net"]

IN_MEMORY = Path("/dev/shm")
ROOM_BYTES_MIN = 1 << 31
"""The whole check leaves less than an eighth of it."""


def pytest_configure() -> None:
    """Cycles are looked for a tenth as often: it took a fifth of the time. And a generated case may
    take as long as a busy machine makes it."""
    gc.set_threshold(10_000)
    if has_room(IN_MEMORY):
        for name in ("PYTEST_DEBUG_TEMPROOT", "TMPDIR"):
            os.environ.setdefault(name, str(IN_MEMORY))
    settings.register_profile(
        "check",
        deadline=None,
        max_examples=examples(100),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("check")


def has_room(folder: Path) -> bool:
    """Whether tests can keep their files there, in memory: a disk that others use takes tens of
    milliseconds for each commit and for each file that goes, and no test pulls a plug."""
    if not os.access(folder, os.W_OK):
        return False
    held = os.statvfs(folder)
    is_executable = not held.f_flag & os.ST_NOEXEC
    return is_executable and held.f_bavail * held.f_frsize >= ROOM_BYTES_MIN


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end, and are not looked through again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a machine cannot test is said in words, and not by a letter among thousands."""
    skipped = terminalreporter.stats.get("skipped", ())
    for sentence in (LEFT_OUT, NOT_BUILT):
        if any(sentence in str(one.longrepr) for one in skipped):
            terminalreporter.write_line(sentence)


@pytest.fixture(scope="session")
def npm_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suites in JavaScript with their clients from npm installed, once for all workers."""
    from tests.support.npm import install_clients

    return made_once(run_folder(tmp_path_factory.getbasetemp()) / "npm", install_clients)


@pytest.fixture(scope="session", autouse=True)
def shared_redis_ends() -> Iterator[None]:
    """No server is left when the tests are over."""
    yield
    end_shared_servers()
