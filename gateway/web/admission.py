"""How many operations one process carries at once over HTTP, in all and for one caller.

Beyond that a request is told at once to come again, which costs less than to let it wait with all
the others until its client has given up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.web.concurrency_limits import Places
from gateway.web.http_errors import HttpRefusal
from schema.ports import ErrorCode

_RETRY = {"Retry-After": "1"}
_EVERYBODY = ""


class Admission:
    """One per process."""

    def __init__(self, *, operations_max: int, per_caller_max: int) -> None:
        self._all = Places(per_key_max=operations_max)
        self._callers = Places(per_key_max=per_caller_max)

    @contextmanager
    def admitted(self, caller: str) -> Iterator[None]:
        """Be counted while inside. Refuses with 503 when the process is full, and with 429 when
        it is only this caller's share that is used up."""
        with self._callers.place(caller) as has_share, self._all.place(_EVERYBODY) as has_room:
            if not has_share:
                message = "Too many of your operations are under way; try again."
                raise HttpRefusal(429, ErrorCode.RATE_LIMITED, message, _RETRY)
            if not has_room:
                message = "The gateway is busy; try again."
                raise HttpRefusal(503, ErrorCode.RATE_LIMITED, message, _RETRY)
            yield
