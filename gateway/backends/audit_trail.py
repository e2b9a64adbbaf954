"""The audit trail: a line for each write that a caller asked for, whatever came of it.

Who, what, under which key, with which outcome and under which of Stripe's request ids. References
and metadata are left out, as they may hold personal data.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from schema.ports import Command, CreateCreditNote, Outcome, Refused

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
    whole = command.draft if isinstance(command, CreateCreditNote) else command
    return _without_personal(dataclasses.asdict(whole))


def _without_personal(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_personal(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None and name not in _PERSONAL
    }


def _ended(ended: Outcome | BaseException) -> dict[str, Any]:
    if isinstance(ended, Refused):
        return {"outcome": ended.code.value, "rule": ended.rule}
    if isinstance(ended, Exception):
        return {"outcome": "FAILED", "rule": type(ended).__name__}
    if isinstance(ended, BaseException):
        # Whoever waited was ended; the write goes on, and the journal knows how.
        return {"outcome": "UNKNOWN", "rule": type(ended).__name__}
    values = {one.name: getattr(ended, one.name) for one in dataclasses.fields(ended)}
    told = "REPLAYED" if values.pop("replayed") else "DONE"
    del values["known"]
    result = {name: value for name, value in values.items() if value is not None}
    return {"outcome": told, "result": result}
