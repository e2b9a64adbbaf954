"""Every kind of write on a stage, and what its having been done exactly once looks like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from schema.ports import (
    AttachPayment,
    Command,
    CreateCreditNote,
    CreditNoteDraft,
    DetachPayment,
    Meter,
    OutOfBandPayment,
    ReallocatePayment,
    Viewer,
    VoidCreditNote,
    Writes,
)
from tests.support.stage import Stage


@dataclass(frozen=True)
class Trial:
    """One write on a stage: how it is called, and what its having been done once looks like.

    `looks` is how often it reads before it sends, `path` which of its requests is to go wrong, and
    `steps_after` how many follow that one. `entries` is how many events tell of it.
    """

    write: Callable[[Writes, Viewer], Awaitable[Any]]
    once: Callable[[Any], tuple[object, ...]]
    wanted: tuple[object, ...]
    looks: int = 0
    path: str = "*"
    steps_after: int = 0
    entries: int = 1


def sending(command: Command) -> Callable[[Writes, Viewer], Awaitable[Any]]:
    return lambda writes, viewer: writes.write(viewer, command, Meter(viewer.tenant))


def attach(stage: Stage) -> Trial:
    invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
    command = AttachPayment(invoice_id, "key-1", payment_intent_id=intent_id)
    return Trial(
        write=sending(command),
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
        write=sending(command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            [one.id == done.invoice_payment_id for one in paid(stage, invoice_id)],
        ),
        wanted=(250, [True]),
    )


def attach_record(stage: Stage) -> Trial:
    invoice_id, record_id = stage.open_invoice(1000), stage.payment_record(400)
    command = AttachPayment(invoice_id, "key-1", payment_record_id=record_id)
    return Trial(
        write=sending(command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            [one.id == done.invoice_payment_id for one in paid(stage, invoice_id)],
        ),
        wanted=(400, [True]),
    )


def report(stage: Stage) -> Trial:
    invoice_id = stage.open_invoice(400)
    facts = OutOfBandPayment(400, "usd", stage.clock.now(), reference="transfer 7")
    command = AttachPayment(invoice_id, "key-1", out_of_band=facts)
    return Trial(
        write=sending(command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            [one.id == done.invoice_payment_id for one in paid(stage, invoice_id)],
            len(stage.twin.payment_records),
        ),
        wanted=(400, [True], 1),
        looks=1,
        path="*/report_payment",
        steps_after=1,
    )


def attach_reported(stage: Stage) -> Trial:
    """The same, where the second of its two steps is the one to go wrong."""
    return replace(report(stage), path="*/attach_payment", steps_after=0)


def detach(stage: Stage) -> Trial:
    invoice_id, (_, second) = stage.paid_by(700, 300)
    (link,) = stage.twin.invoice_payments.matching("source_id", second)
    command = DetachPayment(invoice_id, second, "key-1", if_amount_paid=1000)
    return Trial(
        write=sending(command),
        once=lambda done: (
            stage.twin.invoice(invoice_id).amount_paid,
            done.invoice_payment_id == link.id,
            stage.twin.book(invoice_id).open_default is not None
            and stage.twin.book(invoice_id).open_default.id == done.new_default_payment_id,
        ),
        wanted=(700, True, True),
        looks=1,
    )


def credit(stage: Stage) -> Trial:
    invoice_id, _ = stage.paid_by(1000)
    command = CreateCreditNote(CreditNoteDraft(invoice_id, 250, credit=250), "key-1")
    return Trial(
        write=sending(command),
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


def void_note(stage: Stage) -> Trial:
    invoice_id = stage.open_invoice(1000)
    note = stage.twin.credit(CreditNoteDraft(invoice_id, 250))
    return Trial(
        write=sending(VoidCreditNote(invoice_id, note.id, "key-1")),
        once=lambda done: (
            done.credit_note_id == note.id,
            stage.twin.credit_note(note.id).status,
            stage.twin.invoice(invoice_id).amount_remaining,
        ),
        wanted=(True, "void", 1000),
        looks=1,
    )


def leave(stage: Stage) -> Trial:
    """Move a payment, where the first of the two steps is the one to go wrong."""
    source, (first, second) = stage.paid_by(700, 300)
    target = stage.open_invoice(1000)
    (kept,) = stage.twin.invoice_payments.matching("source_id", first)
    (link,) = stage.twin.invoice_payments.matching("source_id", second)
    return Trial(
        write=sending(ReallocatePayment(second, source, target, "key-1", if_from_amount_paid=1000)),
        once=lambda done: (
            done.placed,
            done.detached_payment_id == link.id,
            [one == kept for one in paid(stage, source)],
            [one.id == done.invoice_payment_id for one in paid(stage, target)],
            stage.twin.invoice(source).amount_paid,
            stage.twin.invoice(target).amount_paid,
        ),
        wanted=("DONE", True, [True], [True], 700, 300),
        looks=2,
        path="*/detach_payment",
        steps_after=1,
        entries=2,
    )


def arrive(stage: Stage) -> Trial:
    """The same, where it is the second."""
    return replace(leave(stage), path="*/attach_payment", steps_after=0)


MOVES = [leave, arrive]
TRIALS = [
    attach,
    attach_share,
    attach_record,
    report,
    attach_reported,
    detach,
    credit,
    void_note,
]
