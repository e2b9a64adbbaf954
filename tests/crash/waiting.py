"""Waiting for other processes: short looks with an end, as nothing in here can await them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

LOOK_SECONDS = 0.02
WAIT_SECONDS_MAX = 120.0
"""What is owed and has not come by then is lost: longer than the gateway's own timer of 30 s."""


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Returns once the condition holds; fails the test when it does not in time."""
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                if await condition():
                    return
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"not in {WAIT_SECONDS_MAX:g} s: {what}") from None


async def until_true(condition: Callable[[], bool], what: str) -> None:
    """The same for what needs no call to find out."""

    async def look() -> bool:
        return condition()

    await until(look, what)
