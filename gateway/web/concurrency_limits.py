"""How much one process and one caller may have open at once: operations, sockets, streams.

Beyond a limit a request is told at once to come again, which costs less than to let it wait with
all the others until its client has given up. The counts are of this process only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.web.http_errors import HttpRefusal
from schema.ports import ErrorCode


class ConcurrencyLimit:
    """A number of slots for each key. It holds no key that has none taken."""

    def __init__(self, *, per_key_max: int) -> None:
        self._per_key_max = per_key_max
        self._taken: Counter[str] = Counter()

    @contextmanager
    def slot(self, key: str) -> Iterator[bool]:
        """Hold a slot of `key` while inside; false when there was none left."""
        free = self._taken[key] < self._per_key_max
        self._taken[key] += free
        try:
            yield free
        finally:
            self._taken[key] -= free
            if not self._taken[key]:
                del self._taken[key]


_RETRY = {"Retry-After": "1"}
_EVERYBODY = ""


class OperationLimits:
    """Of operations over HTTP, in all and for one caller; one per process."""

    def __init__(self, *, operations_max: int, per_caller_max: int) -> None:
        self._all = ConcurrencyLimit(per_key_max=operations_max)
        self._callers = ConcurrencyLimit(per_key_max=per_caller_max)

    @contextmanager
    def admitted(self, caller: str) -> Iterator[None]:
        """Be counted while inside. Refuses with 503 when the process is full, and with 429 when
        it is only this caller's share that is used up."""
        with self._callers.slot(caller) as has_share, self._all.slot(_EVERYBODY) as has_room:
            if not has_share:
                message = "Too many of your operations are under way; try again."
                raise HttpRefusal(429, ErrorCode.RATE_LIMITED, message, _RETRY)
            if not has_room:
                message = "The gateway is busy; try again."
                raise HttpRefusal(503, ErrorCode.RATE_LIMITED, message, _RETRY)
            yield
