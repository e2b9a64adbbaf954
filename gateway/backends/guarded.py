"""Guarded writes: whether a caller may write at all, now; and the audit trail, a line for each
write that was asked for, whatever came of it.

It stands before the journal, so that what is refused here leaves no record and no key behind. A
line says who, what, under which key, with which outcome and under which of Stripe's request ids.
References and metadata are left out, as they may hold personal data.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any, get_args

import orjson

from schema.ports import (
    Command,
    CreateCreditNote,
    CreditNoteDraft,
    Meter,
    Outcome,
    OutOfBandPayment,
    RefusalCode,
    Refused,
    Viewer,
    Why,
    Writes,
)

log = logging.getLogger("gateway.audit")

_PERSONAL = frozenset({"reference", "metadata", "memo", "idempotency_key"})
_LEFT_OUT = _PERSONAL | {"replayed", "known"}
"""Of inputs and outcomes."""

WriteLine = Callable[[str], None]
"""Keeps one line. Raises `OSError` where it cannot."""


@dataclasses.dataclass(eq=False)
class AuditTrail:
    """Without a way to write lines, the trail is part of the log, under `gateway.audit`."""

    _now: Callable[[], int]
    _write_line: WriteLine | None = None

    def record(
        self,
        *,
        tenant: str,
        caller: str,
        command: Command,
        ended: Outcome | BaseException,
        request_id: str = "",
        stripe_request_ids: Sequence[str] = (),
    ) -> None:
        """Add a line; `ended` is what the write returned or raised.

        Trouble with the file never turns a write into a failure: then the line is in the log.
        """
        line = orjson.dumps(
            {
                "at": self._now(),
                "request_id": request_id or None,
                "tenant": tenant,
                "caller": caller,
                "operation": command.operation,
                "idempotency_key": command.idempotency_key,
                "input": shown_command(command),
                **_ended(ended),
                "stripe_request_ids": stripe_request_ids,
            }
        ).decode()
        try:
            (self._write_line or log.info)(line)
        except OSError as trouble:
            log.error("the audit file takes nothing (%s): %s", trouble.strerror, line)


def shown_command(command: Command) -> dict[str, Any]:
    """The input without what is not said or may be personal."""
    return _shown(command.draft if isinstance(command, CreateCreditNote) else command)


def _shown(record: Any) -> dict[str, Any]:
    values = ((name, getattr(record, name)) for name in _SHOWN[type(record)])
    return {
        name: _shown(value) if type(value) in _SHOWN else value
        for name, value in values
        if value is not None
    }


_SHOWN: dict[type, tuple[str, ...]] = {
    kind: tuple(one.name for one in dataclasses.fields(kind) if one.name not in _LEFT_OUT)
    for kind in (*get_args(Command), *get_args(Outcome), CreditNoteDraft, OutOfBandPayment, Why)
}


def _ended(ended: Outcome | BaseException) -> dict[str, Any]:
    """Whoever waited may have been ended; then the write goes on, and the journal knows how."""
    if isinstance(ended, Refused):
        return {"outcome": ended.code.value, "rule": ended.rule}
    if isinstance(ended, BaseException):
        told = "FAILED" if isinstance(ended, Exception) else "UNKNOWN"
        return {"outcome": told, "rule": type(ended).__name__}
    return {"outcome": "REPLAYED" if ended.replayed else "DONE", "result": _shown(ended)}


@dataclasses.dataclass(eq=False)
class GuardedWrites:
    """See `schema.ports.Writes`. What says `is_read_only` may change its mind at any time; writes
    under way go on."""

    _inner: Writes
    _trail: AuditTrail
    _is_read_only: Callable[[], bool]

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
            raise Refused(
                RefusalCode.READ_ONLY,
                "read_only",
                "the gateway takes no writes at the moment: repeat this with the same "
                "idempotencyKey later",
                retryable=True,
            )
