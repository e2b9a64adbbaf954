"""Moving a payment from one invoice to another: the rules of both steps, and what would follow.

It is a detach and an attach, so there are no rules of its own but that there are two invoices; and
all of them are asked before either step, as between them the money pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.ledger.book import PREVIEW, Book, claim
from gateway.ledger.payments import attach, attach_refusals, detach, detach_refusals, whole
from schema.ports import PRECEDENCE, ReallocatePayment, RefusalCode, Refused
from schema.records import InvoicePayment, PaymentIntent, ReallocationPreview, ReallocationSide

Path = tuple[str, ...]

FROM_PATHS: Mapping[Path, Path] = {
    ("invoiceId",): ("fromInvoiceId",),
    ("ifAmountPaidMinorUnits",): ("ifFromAmountPaidMinorUnits",),
}
TO_PATHS: Mapping[Path, Path] = {
    ("invoiceId",): ("toInvoiceId",),
    ("payment", "paymentIntentId"): ("paymentIntentId",),
}
"""Where the inputs of the two steps stand in the one of both."""


@dataclass(frozen=True, slots=True)
class Reallocation:
    """Both invoices as they are before, and what other invoices' payments take of the intent."""

    source: Book
    target: Book
    intent: PaymentIntent
    claimed_elsewhere: int

    @property
    def payment(self) -> InvoicePayment | None:
        """The payment that is to leave."""
        return self.source.live_payment_by(self.intent.id)

    @property
    def share(self) -> int | None:
        """How much of the intent that payment takes; None where it is the whole."""
        taken = None if self.payment is None else claim(self.payment)
        return None if taken == whole(self.intent) else taken


def reallocation_refusals(both: Reallocation, asked: ReallocatePayment) -> list[Refused]:
    """Every rule that stands against it, in order of precedence."""
    found = list(_leaving(both, asked))
    if both.source.invoice.id == both.target.invoice.id:
        found.append(_same_invoice(both))
    else:
        found += _arriving(both, asked)
    return sorted(found, key=lambda refused: PRECEDENCE.index(refused.code))


def _leaving(both: Reallocation, asked: ReallocatePayment) -> Iterator[Refused]:
    for refused in detach_refusals(both.source, both.intent, asked.if_from_amount_paid):
        yield pointing(refused, FROM_PATHS)


def _arriving(both: Reallocation, asked: ReallocatePayment) -> Iterator[Refused]:
    for refused in attach_refusals(
        both.target, both.intent, asked.amount_requested, both.claimed_elsewhere
    ):
        yield pointing(refused, TO_PATHS)


def _same_invoice(both: Reallocation) -> Refused:
    invoice_id = both.target.invoice.id
    return Refused(
        RefusalCode.PAYMENT_ALREADY_ATTACHED,
        "same_invoice",
        f"{invoice_id} is the invoice that the payment is to leave: toInvoiceId must name another",
        path=("toInvoiceId",),
        invoice_id=invoice_id,
    )


def pointing(refused: Refused, paths: Mapping[Path, Path]) -> Refused:
    """The refusal of a step with its path moved into the input of both."""
    if refused.path is not None:
        refused.path = paths.get(refused.path, refused.path)
    return refused


def reallocation_preview(both: Reallocation, asked: ReallocatePayment) -> ReallocationPreview:
    """What the write would answer now: both steps are taken, and their results thrown away."""
    codes = [refused.code.value for refused in reallocation_refusals(both, asked)]
    if codes:
        return ReallocationPreview(False, tuple(dict.fromkeys(codes)), None, None)
    left, _ = detach(both.source, both.intent, PREVIEW)
    entered = attach(
        both.target,
        both.intent,
        PREVIEW,
        amount_requested=asked.amount_requested,
        claimed_elsewhere=both.claimed_elsewhere,
    )
    return ReallocationPreview(True, (), _side(both.source, left), _side(both.target, entered))


def _side(before: Book, after: Book) -> ReallocationSide:
    invoice, default = after.invoice, before.open_default
    known = {one.id for one in before.payments}
    return ReallocationSide(
        invoice_id=invoice.id,
        currency=invoice.currency,
        status=invoice.status,
        amount_paid=invoice.amount_paid,
        amount_remaining=invoice.amount_remaining,
        amount_overpaid=invoice.amount_overpaid,
        creates_default_payment_intent=any(
            one.is_default and one.id not in known for one in after.payments
        ),
        canceled_default_payment_id=default.id if default and after.open_default is None else None,
    )
