"""Guarded writes: whether a caller may write at all, now, and the trail of what it tried.

It stands before the journal, so that what is refused here leaves no record and no key behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.backends.audit_trail import AuditTrail
from schema.ports import Command, Meter, Outcome, RefusalCode, Refused, Viewer, Writes


class GuardedWrites:
    """See `schema.ports.Writes`. `is_read_only` may change its mind at any time; writes under way
    go on."""

    def __init__(self, inner: Writes, trail: AuditTrail, is_read_only: Callable[[], bool]) -> None:
        self._inner = inner
        self._trail = trail
        self._is_read_only = is_read_only

    async def write(self, viewer: Viewer, command: Command, meter: Meter) -> Outcome:
        requests_before = len(meter.stripe_request_ids)
        ended: Any = None
        try:
            self._check(viewer, command)
            ended = outcome = await self._inner.write(viewer, command, meter)
        except BaseException as failure:
            ended = failure
            raise
        finally:
            self._trail.record(
                tenant=viewer.tenant,
                caller=viewer.caller,
                command=command,
                ended=ended,
                request_id=meter.request_id,
                stripe_request_ids=meter.stripe_request_ids[requests_before:],
            )
        return outcome

    def _check(self, viewer: Viewer, command: Command) -> None:
        """Raises `Refused` FORBIDDEN, naming the scope, or READ_ONLY."""
        if not viewer.may(command.scope):
            raise Refused(
                RefusalCode.FORBIDDEN,
                "scope_missing",
                f"this needs the scope {command.scope}, which this caller lacks",
            )
        if self._is_read_only():
            raise _read_only()


def _read_only() -> Refused:
    return Refused(
        RefusalCode.READ_ONLY,
        "read_only",
        "the gateway takes no writes at the moment: repeat this with the same idempotencyKey later",
        retryable=True,
    )
