"""A coroutine that was begun by hand, to be gone on with by another task than the one it began in.

Nothing in it may have asked for its task by then, as `asyncio.timeout` does.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def going_on(work: Coroutine[Any, Any, T], awaited: Any) -> T:
    """The rest of the work, which has stopped to wait for this."""
    return await _rest(work, awaited)


@coroutine
def _rest(work: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    try:
        while True:
            try:
                answer = yield awaited
            except BaseException as thrown:  # noqa: BLE001 - whatever it is, it is for the work
                awaited = work.throw(thrown)
            else:
                awaited = work.send(answer)
    except StopIteration as over:
        value: T = over.value
        return value
