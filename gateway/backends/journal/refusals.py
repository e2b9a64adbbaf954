"""What the journal tells a caller whose write it cannot let through, or cannot vouch for."""

from __future__ import annotations

from gateway.backends.journal.records import WriteRecord
from schema.ports import RefusalCode, Refused


def in_progress() -> Refused:
    return Refused(
        RefusalCode.IDEMPOTENCY_IN_PROGRESS,
        "idempotency_key_in_use",
        "a call with this idempotencyKey is under way: wait for its answer, then repeat it",
        path=("idempotencyKey",),
    )


def not_recorded() -> Refused:
    """Before anything went out: a record without its owner's word is never sent."""
    return Refused(
        RefusalCode.UPSTREAM_UNAVAILABLE,
        "write_not_recorded",
        "the write could not be recorded, so it was not sent: repeat it with the same key",
        retryable=True,
    )


def still_in_doubt(record: WriteRecord, refused: Refused) -> Refused:
    """A try that could not end what an earlier one has left open; nothing is known to have been
    refused, so the refusal is told as a part of the sentence only."""
    return Refused(
        RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
        "upstream_outcome_unknown",
        "an earlier try with this idempotencyKey may have been done, and this one could not find "
        f"out ({refused.message}): repeat it with the same idempotencyKey, which cannot do it "
        "twice",
        invoice_id=record.command.invoice_id,
        stripe_code=refused.stripe_code,
        stripe_request_id=refused.stripe_request_id,
        doc_url=refused.doc_url,
        retryable=True,
        retry_after_seconds=refused.retry_after_seconds or 1,
    )


def half_done(record: WriteRecord, refused: Refused) -> Refused:
    """A write of several steps that is between two of them, or in doubt about one. It is brought to
    an end by whoever settles, and sooner by a repeat."""
    is_unknown = refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN
    is_for_a_person = is_unknown and not refused.retryable
    hope = "repeat it with the same idempotencyKey, which cannot do it twice"
    if is_for_a_person:
        hope = "it goes on by itself once a person has decided that"
    return Refused(
        RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
        refused.rule if is_unknown else "upstream_half_done",
        f"the payment is on its way between two invoices ({refused.message}): {hope}",
        invoice_id=record.command.invoice_id,
        stripe_code=refused.stripe_code,
        stripe_request_id=refused.stripe_request_id,
        doc_url=refused.doc_url,
        retryable=not is_for_a_person,
        retry_after_seconds=None if is_for_a_person else refused.retry_after_seconds or 1,
    )


def never_went_out() -> Refused:
    """What nobody waits for any more is not begun."""
    return Refused(
        RefusalCode.UPSTREAM_UNAVAILABLE,
        "never_went_out",
        "nothing went out before this was broken off, and nothing was changed: repeat it",
        retryable=True,
        settles=True,
    )


def unrecorded_refusal(record: WriteRecord, refused: Refused) -> Refused:
    """Refused, but the record still says that it is out and would be sent again."""
    told = still_in_doubt(record, refused)
    told.message = (
        f"the write was refused ({refused.message}), which could not be recorded, so it may be "
        "sent once more: repeat it with the same idempotencyKey, which cannot do it twice"
    )
    return told


def undecidable(record: WriteRecord) -> Refused:
    """The end of doubt for a machine: what to look at is said, as no repeat will help."""
    invoice_id = record.command.invoice_id
    where = record.command.told_by.removeprefix("invoice_").replace("_", " ")
    return Refused(
        RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
        "upstream_outcome_undecidable",
        "whether this was done cannot be found out with this idempotencyKey any more: look at the "
        f"{where} of {invoice_id}; where it was not done, write again with a new idempotencyKey. "
        f"Operators find it with invoice-gateway writes show {record.stripe_key}",
        invoice_id=invoice_id,
    )
