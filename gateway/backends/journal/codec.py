"""Write records as text for a durable journal: the one place, for all of them."""

from __future__ import annotations

from gateway.backends.journal.records import WriteRecord
from gateway.storage.codec import RecordCodec
from schema.ports import (
    Attached,
    AttachPayment,
    CreateCreditNote,
    CreditNoteCreated,
    CreditNoteDraft,
    Detached,
    DetachPayment,
    OutOfBandPayment,
)

_CODEC = RecordCodec(
    version=1,
    kinds=[
        WriteRecord,
        AttachPayment,
        OutOfBandPayment,
        DetachPayment,
        CreateCreditNote,
        CreditNoteDraft,
        Attached,
        Detached,
        CreditNoteCreated,
    ],
)


def encoded_record(record: WriteRecord) -> str:
    return _CODEC.encoded(record)


def decoded_record(text: str | bytes) -> WriteRecord:
    """The record behind the text. Raises `RecordUnreadable`."""
    record: WriteRecord = _CODEC.decoded(text)
    return record


def is_unfinished(record: WriteRecord) -> bool:
    """What a store keeps apart, so that unfinished writes are found at once."""
    return record.is_unfinished
