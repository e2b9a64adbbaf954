"""What is open for a caller longer than one request, so that it can be ended with its rights.

It knows who holds what; how a socket or a stream ends is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.callers.registry import Caller, Standing
from gateway.web.authentication import Grant

End = Callable[[Standing], None]
"""Ends a session at once; must not raise."""


class Sessions:
    """The sockets and streams of this process."""

    def __init__(self, standing: Callable[[Caller], Standing]) -> None:
        self._standing = standing
        self._open: dict[object, tuple[Caller, End]] = {}

    @contextmanager
    def joined(self, grant: Grant, end: End) -> Iterator[None]:
        """Be ended, while inside, when the caller's rights are changed or gone."""
        if grant.caller is None:
            yield
            return
        place = object()
        self._open[place] = (grant.caller, end)
        try:
            self._look(grant.caller, end)  # The rights may have gone since they were read.
            yield
        finally:
            del self._open[place]

    def review(self) -> None:
        """Look at every session again; for when the callers have changed."""
        for caller, end in list(self._open.values()):
            self._look(caller, end)

    def _look(self, caller: Caller, end: End) -> None:
        standing = self._standing(caller)
        if standing is not Standing.KEPT:
            end(standing)


def everybody_stays(caller: Caller) -> Standing:
    """For a gateway whose callers never change."""
    return Standing.KEPT
