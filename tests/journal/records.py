"""Records as the tests need them: one caller's detach, and only what matters said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import Command, WriteRecord
from schema.ports import (
    Attached,
    AttachPayment,
    CreateCreditNote,
    CreditNoteCreated,
    CreditNoteDraft,
    CreditNoteVoided,
    Detached,
    DetachPayment,
    Outcome,
    OutOfBandPayment,
    Placed,
    Reallocated,
    ReallocatePayment,
    VoidCreditNote,
    Why,
)
from tests.support.time_and_ids import START

DETACH = DetachPayment("in_1", "pi_1", "key-1")
DETACHED = Detached("in_1", "inpay_1", "cus_1", "pi_1")
FACTS = OutOfBandPayment(400, "jpy", START, reference="transfer ☃", metadata=(("a", "1"),))
WHY = Why("INVOICE_NOT_OPEN", "invoice_not_open", "in_2 is paid ☃", "in_2", doc_url="https://x")
COMMANDS: dict[str, Command] = {
    "attach of an intent": AttachPayment("in_1", "key-1", payment_intent_id="pi_1"),
    "attach of a share": AttachPayment(
        "in_1", "key-1", payment_record_id="pr_1", amount_requested=10**12
    ),
    "attach of facts": AttachPayment("in_1", "key-1", out_of_band=FACTS),
    "void": VoidCreditNote("in_1", "cn_1", "key-1"),
    "reallocation": ReallocatePayment("pi_1", "in_1", "in_2", "key-1", 10**12, 0),
    "detach": DetachPayment("in_1", "pi_1", "key-1", if_amount_paid=0),
    "credit note": CreateCreditNote(
        CreditNoteDraft("in_1", 300, reason="duplicate", memo="ü", refund=100, credit=200), "key-1"
    ),
}
OUTCOMES: dict[str, Outcome] = {
    "attached": Attached("in_1", "inpay_1", "cus_1", "pi_1"),
    "attached outside": Attached("in_1", "inpay_1", None, None),
    "detached": Detached("in_1", "inpay_1", "cus_1", "pi_1", new_default_payment_id="inpay_2"),
    "credit note": CreditNoteCreated("in_1", "cn_1", None),
    "moved": Reallocated("in_1", "in_2", "inpay_1", "cus_1", "pi_1", Placed.DONE, "inpay_2"),
    "put back": Reallocated(
        "in_1", "in_2", "inpay_1", None, "pi_1", Placed.PUT_BACK, "inpay_2", WHY
    ),
    "left free": Reallocated("in_1", "in_2", "inpay_1", None, "pi_1", Placed.FREE, why=WHY),
    "voided": CreditNoteVoided("in_1", "cn_1", "cus_1"),
}


def record(key: str = "key-1", **fields: Any) -> WriteRecord:
    """A write that has been recorded and not ended."""
    given: dict[str, Any] = {
        "tenant": "operator",
        "operation": "detach",
        "input_hash": "hash-1",
        "command": DETACH,
        "recorded_at": START,
    }
    return WriteRecord(key=key, **{**given, **fields})


async def put(store: JournalStore, wanted: WriteRecord) -> None:
    """The record in the store, whatever its state: begun, then moved there."""
    begun = replace(wanted, version=wanted.version - 1)
    assert await store.begin(begun) is None
    assert await store.swap(wanted, version=begun.version) is None
