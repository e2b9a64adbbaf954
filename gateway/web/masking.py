"""The one place of the web layer where an unexpected exception ends.

It turns our mistakes into an answer that tells nothing but a request id, and logs the whole story
under that id. It must not be used for expected refusals, which are data.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

from gateway.execution.operation import Answer
from gateway.web.http_errors import internal_error

_Outcome = TypeVar("_Outcome")

_log = logging.getLogger("gateway.web")


async def masked(work: Awaitable[_Outcome], *, request_id: str) -> _Outcome | Answer:
    """The outcome of `work`, or the answer for an internal error if it raised."""
    try:
        return await work
    except Exception:  # noqa: BLE001 - the one outer edge; the story goes to the log.
        _log.exception("Request %s failed unexpectedly", request_id)
        return internal_error(request_id)
