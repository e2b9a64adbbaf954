"""Write records as text for a durable journal: the one place, for all of them.

Version 2 has states. What version 1 left behind is read as what it is worth: a write without an
end may have been done, as nobody noted then whether it had gone out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import get_args

import orjson

from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.states import State
from gateway.backends.supplier import Found
from gateway.storage import RecordUnreadable
from gateway.storage.record_codec import RecordCodec
from schema.ports import Command, CreditNoteDraft, Outcome, OutOfBandPayment

log = logging.getLogger(__name__)

_CODEC = RecordCodec(
    version=2,
    kinds=[
        WriteRecord,
        Found,
        *get_args(Command),
        OutOfBandPayment,
        CreditNoteDraft,
        *get_args(Outcome),
    ],
)


def encoded_record(record: WriteRecord) -> str:
    return _CODEC.encoded(record)


def decoded_record(text: str | bytes) -> WriteRecord:
    """The record behind the text. Raises `RecordUnreadable`."""
    whole = text.encode() if isinstance(text, str) else text
    record: WriteRecord = _CODEC.decoded(_upgraded(whole))
    return record


def readable(texts: Iterable[str | bytes]) -> list[WriteRecord]:
    """The records that this release can read: one that a newer release has written, or that is
    damaged, is told and left to whoever can."""
    found = []
    for text in texts:
        try:
            found.append(decoded_record(text))
        except RecordUnreadable as unreadable:
            log.warning("an open write is passed over: %s", unreadable)
    return found


def _upgraded(text: bytes) -> bytes:
    """Our own texts begin with their version."""
    if not text.startswith(b'{"v":1,'):
        return text
    try:
        plain = orjson.loads(text)
    except ValueError:
        return text  # The codec has the words for it.
    refused, announced = plain.pop("refused", False), plain.pop("announced", False)
    if refused:
        state = State.REFUSED
    elif plain.get("outcome") is None:
        state = State.IN_DOUBT
    else:
        state = State.ANNOUNCED if announced else State.DONE
    sent_at = plain.get("recorded_at")
    return orjson.dumps({**plain, "v": 2, "state": state, "sent_at": sent_at, "tried_at": sent_at})
