"""The audit trail: a line for each write that a caller asked for, whatever came of it.

Who, what, under which key, with which outcome and under which of Stripe's request ids. References
and metadata are left out, as they may hold personal data.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import orjson

from gateway.backends.journal.records import Command
from schema.ports import CreateCreditNote, Meter, Refused

log = logging.getLogger("gateway.audit")

_PERSONAL = frozenset({"reference", "metadata", "memo", "idempotency_key"})

WriteLine = Callable[[str], None]
"""Keeps one line. Raises `OSError` where it cannot."""


class AuditTrail:
    """`write_line` None: the trail is part of the log, under the logger `gateway.audit`."""

    def __init__(self, now: Callable[[], int], write_line: WriteLine | None = None) -> None:
        self._now = now
        self._write_line = write_line

    def record(
        self,
        *,
        tenant: str,
        caller: str,
        operation: str,
        command: Command,
        outcome: Any,
        meter: Meter,
        requests_before: int = 0,
    ) -> None:
        """Add a line; `outcome` is what the write returned or raised.

        Trouble with the file never turns a write into a failure: then the line is in the log.
        """
        line = orjson.dumps(
            {
                "at": self._now(),
                "request_id": meter.request_id or None,
                "tenant": tenant,
                "caller": caller,
                "operation": operation,
                "idempotency_key": command.idempotency_key,
                "input": shown_command(command),
                **_ended(outcome),
                "stripe_request_ids": meter.stripe_request_ids[requests_before:],
            }
        ).decode()
        try:
            (self._write_line or log.info)(line)
        except OSError as trouble:
            log.error("the audit file takes nothing (%s): %s", trouble.strerror, line)


def shown_command(command: Command) -> dict[str, Any]:
    """The input without what is not said or may be personal."""
    whole = command.draft if isinstance(command, CreateCreditNote) else command
    return _without_personal(dataclasses.asdict(whole))


def _without_personal(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_personal(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None and name not in _PERSONAL
    }


def _ended(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, Refused):
        return {"outcome": outcome.code.value, "rule": outcome.rule}
    if isinstance(outcome, Exception):
        return {"outcome": "FAILED", "rule": type(outcome).__name__}
    if isinstance(outcome, BaseException):
        # Whoever waited was ended; the write goes on, and the journal knows how.
        return {"outcome": "UNKNOWN", "rule": type(outcome).__name__}
    ids = {name: value for name, value in dataclasses.asdict(outcome).items() if value is not None}
    replayed = ids.pop("replayed")
    return {"outcome": "REPLAYED" if replayed else "DONE", "result": ids}
