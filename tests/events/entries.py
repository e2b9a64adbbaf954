"""Entries as the tests need them: one Acme invoice, and only what matters said."""

from __future__ import annotations

from typing import Any

from gateway.events.log import LogEntry, decode_position
from schema.ports import StreamCheckpoint, StreamGap, StreamItem
from tests.support.stage import ACME
from tests.support.time_and_ids import START

ORDINARY: dict[str, Any] = {
    "type": "INVOICE_CHANGED",
    "raw_type": "invoice.updated",
    "origin": "WEBHOOK",
    "occurred_at": START,
    "account": "acct_1",
    "livemode": False,
    "invoice_id": "in_1",
    "customer_id": ACME,
}


def entry(*names: str, **fields: Any) -> LogEntry:
    """A fact that is known by these names; without names it is like no other."""
    return LogEntry(**{**ORDINARY, **fields}, dedupe=names)


def at(cursor: str) -> int:
    """The position behind a cursor."""
    return decode_position(cursor)[1]


def described(item: StreamItem) -> tuple[Any, ...]:
    """An item of a stream as a short tuple, so that a whole stream reads as one list."""
    match item:
        case StreamCheckpoint():
            return "live" if item.live else "checkpoint", at(item.cursor)
        case StreamGap():
            return "gap", item.reason.value, at(item.resumes_at)
        case _:
            return "event", at(item.cursor)
