"""BackgroundTasks are kept going: what nobody expected is told, counted, and does not end them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.composition.background import PAUSE_SECONDS_MAX, BackgroundTasks

HANG_SECONDS_MAX = 20.0
"""A task that is owed another try and gets none fails the test by this time."""


class Time:
    """Moves by what is slept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def monotonic(self) -> float:
        return self.now


class Work:
    """A task that fails so many times, and then waits to be stopped."""

    def __init__(self, time: Time, failures: int, lasts: float = 0.0) -> None:
        self.begun = 0
        self._runs = asyncio.Event()
        self.is_ended = False
        self._time = time
        self._failures = failures
        self._lasts = lasts

    async def __call__(self) -> None:
        self.begun += 1
        self._time.now += self._lasts
        if self.begun <= self._failures:
            raise RuntimeError("nobody expected this")
        self._runs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_ended = True

    async def goes_on(self) -> None:
        """It has failed as often as it was to."""
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await self._runs.wait()


async def test_a_task_that_fails_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Dead and silent, unfinished writes would lie for ever and nobody would know."""
    time = Time()
    work, background = (
        Work(time, failures=3),
        BackgroundTasks(sleep=time.sleep, monotonic=time.monotonic),
    )

    background.start("settle", work)
    await work.goes_on()

    assert (work.begun, background.failures) == (4, {"settle": 3})
    assert caplog.text.count("the background task settle failed") == 3
    assert "nobody expected this" in caplog.text
    background.stop()


async def test_one_that_fails_at_once_is_not_pressed() -> None:
    """A mistake that happens each time must not fill the log and the processor."""
    time = Time()
    work, background = (
        Work(time, failures=9),
        BackgroundTasks(sleep=time.sleep, monotonic=time.monotonic),
    )

    background.start("settle", work)
    await work.goes_on()

    assert time.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    background.stop()


async def test_one_that_went_well_for_long_begins_anew_soon() -> None:
    """The failures of last week say nothing."""
    time = Time()
    work = Work(time, failures=4, lasts=PAUSE_SECONDS_MAX + 1)
    background = BackgroundTasks(sleep=time.sleep, monotonic=time.monotonic)

    background.start("settle", work)
    await work.goes_on()

    assert time.slept == [1, 1, 1, 1]
    background.stop()


async def test_a_task_is_ended_with_the_process() -> None:
    """In its middle, and not begun anew."""
    time = Time()
    work, background = (
        Work(time, failures=0),
        BackgroundTasks(sleep=time.sleep, monotonic=time.monotonic),
    )
    background.start("settle", work)
    await work.goes_on()

    background.stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert work.is_ended
    assert (work.begun, background.failures) == (1, {"settle": 0})


async def test_one_tasks_failure_is_not_anothers() -> None:
    """Catch-up goes on while settling fails."""
    time = Time()
    background = BackgroundTasks(sleep=time.sleep, monotonic=time.monotonic)
    failing, going = Work(time, failures=1), Work(time, failures=0)

    background.start("settle", failing)
    background.start("catch_up", going)
    await failing.goes_on()
    await going.goes_on()

    assert background.failures == {"settle": 1, "catch_up": 0}
    assert going.begun == 1
    background.stop()
