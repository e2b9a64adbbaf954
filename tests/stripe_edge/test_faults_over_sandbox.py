"""Every write under every fault, over the sandbox: repeated with its key it is done exactly once.

The journal stands in front, as it does in service, since it decides which key a repeat carries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.backends.journal.backend import JournaledBackend
from gateway.backends.journal.records import MemoryJournalStore
from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from schema.ports import (
    AttachPayment,
    CreateCreditNote,
    CreditNoteDraft,
    DetachPayment,
    InvoiceBackend,
    OutOfBandPayment,
    Refused,
    Viewer,
)
from tests.support.stage import Stage
from tests.support.upstream import stripe_through_sandbox

REPEATS_MAX = 6
"""More than any fault of these lasts."""


@dataclass(frozen=True)
class Trial:
    """One write on a stage: how it is called, and what its having been done once looks like."""

    write: Callable[[InvoiceBackend, Viewer], Awaitable[Any]]
    once: Callable[[Any], tuple[object, ...]]
    wanted: tuple[object, ...]


def attach(stage: Stage) -> Trial:
    invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
    command = AttachPayment(invoice_id, "key-1", payment_intent_id=intent_id)
    return Trial(
        write=lambda backend, viewer: backend.attach_payment(viewer, command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            [one.id == done.invoice_payment_id for one in paid(stage, invoice_id)],
        ),
        wanted=(400, [True]),
    )


def attach_share(stage: Stage) -> Trial:
    invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
    command = AttachPayment(invoice_id, "key-1", payment_intent_id=intent_id, amount_requested=250)
    return Trial(
        write=lambda backend, viewer: backend.attach_payment(viewer, command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            [one.id == done.invoice_payment_id for one in paid(stage, invoice_id)],
        ),
        wanted=(250, [True]),
    )


def report(stage: Stage) -> Trial:
    invoice_id = stage.open_invoice(400)
    facts = OutOfBandPayment(400, "usd", stage.clock.now(), reference="transfer 7")
    command = AttachPayment(invoice_id, "key-1", out_of_band=facts)
    return Trial(
        write=lambda backend, viewer: backend.attach_payment(viewer, command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            [one.id == done.invoice_payment_id for one in paid(stage, invoice_id)],
            len(stage.twin.payment_records),
        ),
        wanted=(400, [True], 1),
    )


def detach(stage: Stage) -> Trial:
    invoice_id, (_, second) = stage.paid_by(700, 300)
    (link,) = stage.twin.invoice_payments.matching("source_id", second)
    command = DetachPayment(invoice_id, second, "key-1", if_amount_paid=1000)
    return Trial(
        write=lambda backend, viewer: backend.detach_payment(viewer, command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            done.invoice_payment_id == link.id,
            stage.twin.book(invoice_id).open_default is not None
            and stage.twin.book(invoice_id).open_default.id == done.new_default_payment_id,
        ),
        wanted=(700, True, True),
    )


def credit(stage: Stage) -> Trial:
    invoice_id, _ = stage.paid_by(1000)
    command = CreateCreditNote(CreditNoteDraft(invoice_id, 250, credit=250), "key-1")
    return Trial(
        write=lambda backend, viewer: backend.create_credit_note(viewer, command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).post_payment_credit_notes_amount,
            [
                note.id == done.credit_note_id
                for note in stage.twin.credit_notes.matching("invoice_id", invoice_id)
            ],
        ),
        wanted=(250, [True]),
    )


def paid(stage: Stage, invoice_id: str) -> list[Any]:
    payments = stage.twin.invoice_payments.matching("invoice_id", invoice_id)
    return [one for one in payments if one.status == "paid"]


TRIALS = [attach, attach_share, report, detach, credit]

FAULTS = {
    "rate_limited": Fault(FaultKind.RATE_LIMITED),
    "lock_timeout": Fault(FaultKind.LOCK_TIMEOUT),
    "failure": Fault(FaultKind.SERVER_ERROR),
    "failure_after_applying": Fault(FaultKind.SERVER_ERROR, applied=True),
    "reset_before": Fault(FaultKind.RESET_BEFORE),
    "reset_after": Fault(FaultKind.RESET_AFTER),
    "cut_body": Fault(FaultKind.CUT_BODY),
    "invalid_json": Fault(FaultKind.INVALID_JSON),
    "hang": Fault(FaultKind.HANG),
    "hang_after_applying": Fault(FaultKind.HANG, applied=True),
}


@pytest.mark.parametrize("trial", TRIALS, ids=[one.__name__ for one in TRIALS])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("times", [1, 3, 7], ids=["once", "one_call_long", "two_calls_long"])
async def test_write_is_done_exactly_once(
    trial: Callable[[Stage], Trial], fault: Fault, times: int
) -> None:
    """A caller who repeats a retryable refusal with the same key neither loses nor doubles it."""
    stage = Stage.empty()
    given = trial(stage)
    async with stripe_through_sandbox(stage.twin, attempt_seconds=0.05) as (inner, sandbox):
        sandbox.faults.add(fault, method="POST", times=times)
        store = MemoryJournalStore(stage.clock.now)
        backend = JournaledBackend(inner, store, told_to_nobody, stage.clock.now)

        done = await repeated(lambda: given.write(backend, Viewer("operator")))
        again = await given.write(backend, Viewer("operator"))

    assert given.once(done) == given.wanted
    assert again.replayed is True
    assert given.once(again) == given.wanted


async def repeated(write: Callable[[], Awaitable[Any]]) -> Any:
    """What a good client does: the same call with the same key, while it is told to."""
    for _ in range(REPEATS_MAX):
        try:
            return await write()
        except Refused as refused:
            if not refused.retryable:
                raise
    raise AssertionError("the write never came to an end")


async def told_to_nobody(announced: object) -> None:
    """The journal's announcements, where no log is under test."""
