"""Attach and detach: what may pay an invoice, what may be taken off it, and what follows.

Refusals come in the order of `schema.ports.PRECEDENCE`. Error codes of Stripe's own attach and
detach are not documented, so a refusal is named by our rule.
Source: https://docs.stripe.com/api/invoices/attach_payment (2026-10-28.endive) and
https://docs.stripe.com/api/invoices/detach_payment (2026-01-28.preview).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gateway.ledger.amounts import step_refusal
from gateway.ledger.book import (
    PREVIEW,
    Book,
    Moment,
    Source,
    balance_taken,
    is_live,
    open_payment,
    settled,
)
from schema.changing import changed
from schema.ports import OutOfBandPayment, RefusalCode, Refused
from schema.records import (
    Charge,
    DetachPreview,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    PaymentRecord,
)


def attach(
    book: Book,
    source: Source,
    at: Moment,
    *,
    amount_requested: int | None,
    claimed_elsewhere: int,
) -> Book:
    """The book with the payment attached; it counts at once if the source has succeeded.

    `claimed_elsewhere` is what other invoices' payments take of the same source. Raises `Refused`.
    """
    for refusal in attach_refusals(book, source, amount_requested, claimed_elsewhere):
        raise refusal
    requested = whole(source) if amount_requested is None else amount_requested
    payment = open_payment(book.invoice, source, requested, at)
    book = book.with_payment(payment)
    if isinstance(source, PaymentIntent):
        book = book.with_intent(source)
    return pay(book, payment, requested, at) if has_money(source) else book


def whole(source: Source | Charge) -> int:
    """All of a source: what has come in once it succeeded, else what it is meant to collect."""
    if isinstance(source, PaymentIntent) and source.status == "succeeded":
        return source.amount_received
    return source.amount


def has_money(source: Source | Charge) -> bool:
    return not isinstance(source, PaymentIntent) or source.status == "succeeded"


def to_be_reported(facts: OutOfBandPayment, invoice: Invoice) -> PaymentRecord:
    """The payment record of these facts before there is one: its id stands in sentences only."""
    return PaymentRecord(
        id="the payment",
        created=facts.paid_at,
        currency=facts.currency,
        amount=facts.amount,
        customer_id=invoice.customer_id,
        reference=facts.reference,
        description=facts.reference,
        metadata=facts.metadata,
    )


def attach_refusals(
    book: Book, source: Source, amount_requested: int | None, claimed_elsewhere: int
) -> Iterator[Refused]:
    """Every rule that stands against attaching, in order of precedence."""
    invoice, path = book.invoice, _source_path(source)
    yield from _not_payable(invoice, "attached to")
    if source.currency != invoice.currency:
        yield Refused(
            RefusalCode.CURRENCY_MISMATCH,
            "currency_mismatch",
            f"{source.id} is in {source.currency.upper()}, but {invoice.id} is in "
            f"{invoice.currency.upper()}: attach a payment in {invoice.currency.upper()}",
            path=path,
        )
    # A payment record need not say who paid; a PaymentIntent must have the invoice's customer.
    is_anybodys = isinstance(source, PaymentRecord) and source.customer_id is None
    if not is_anybodys and source.customer_id != invoice.customer_id:
        yield Refused(
            RefusalCode.CUSTOMER_MISMATCH,
            "customer_mismatch",
            f"{source.id} belongs to {source.customer_id or 'no customer'}, but {invoice.id} bills "
            f"{invoice.customer_id or 'no customer'}: attach a payment of the same",
            path=path,
        )
    # Once per invoice; and as a whole only while no other invoice claims a part of it.
    refused = partial(Refused, path=path, invoice_id=invoice.id)
    attached, rule = RefusalCode.PAYMENT_ALREADY_ATTACHED, "payment_already_attached"
    if book.live_payment_by(source.id) is not None:
        yield refused(attached, rule, f"{source.id} is attached to {invoice.id} already")
    elif claimed_elsewhere and amount_requested is None:
        yield refused(
            attached,
            rule,
            f"{source.id} is attached to another invoice: detach it there first, or give "
            "amountRequestedMinorUnits to apply a share of it",
        )
    if isinstance(source, PaymentIntent) and source.status == "canceled":
        yield refused(
            RefusalCode.PAYMENT_INTENT_WRONG_STATE,
            "payment_intent_canceled",
            f"{source.id} is canceled and will never collect anything: attach another",
        )
    yield from _wrong_amount(book, source, amount_requested, claimed_elsewhere)


def _not_payable(invoice: Invoice, verb: str) -> Iterator[Refused]:
    """Drafts and closed invoices. Uncollectible ones can still be paid, and so attached to."""
    refused = partial(Refused, path=("invoiceId",), invoice_id=invoice.id)
    if invoice.status == "draft":
        yield refused(
            RefusalCode.INVOICE_NOT_FINALIZED,
            "invoice_not_finalized",
            f"{invoice.id} is a draft: finalize it before a payment is {verb} it",
        )
    elif invoice.status not in ("open", "uncollectible"):
        yield refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "invoice_not_open",
            f"{invoice.id} is {invoice.status}: a payment can be {verb} open and uncollectible "
            "invoices only",
        )
    elif invoice.subscription_id and invoice.collection_method == "charge_automatically":
        yield refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "subscription_invoice_charged_automatically",
            f"{invoice.id} belongs to a subscription that charges automatically: partial payments "
            "need collection_method send_invoice",
        )


def _wrong_amount(
    book: Book, source: Source, amount_requested: int | None, claimed_elsewhere: int
) -> Iterator[Refused]:
    requested = whole(source) if amount_requested is None else amount_requested
    path = _source_path(source) if amount_requested is None else ("amountRequestedMinorUnits",)
    if requested <= 0:
        yield Refused(
            RefusalCode.AMOUNT_INVALID,
            "amount_not_positive",
            f"the amount to apply must be above zero, got {requested}",
            path=path,
        )
    refusal = step_refusal(requested, book.invoice.currency, path)
    if refusal is not None:
        yield refusal
    free, remaining = whole(source) - claimed_elsewhere, book.invoice.amount_remaining
    for rule, ceiling, what in (
        ("amount_exceeds_payment", free, f"is free of {source.id}"),
        ("amount_exceeds_remaining", remaining, f"remains on {book.invoice.id}"),
    ):
        if requested > ceiling:
            yield Refused(
                RefusalCode.AMOUNT_TOO_LARGE,
                rule,
                f"the amount to apply is {requested}, but only {ceiling} {what}",
                path=path,
                invoice_id=book.invoice.id,
            )


def _source_path(source: Source) -> tuple[str, ...]:
    field = "paymentIntentId" if isinstance(source, PaymentIntent) else "paymentRecordId"
    return ("payment", field)


def pay(book: Book, payment: InvoicePayment, amount: int, at: Moment) -> Book:
    """The book after an open payment has turned paid with this amount."""
    paid = changed(payment, status="paid", amount_paid=amount, paid_at=at.now)
    return settled(book.with_payment(paid), book.credited + amount, at)


def detach(
    book: Book, intent: PaymentIntent, at: Moment, *, if_amount_paid: int | None = None
) -> tuple[Book, InvoicePayment]:
    """The book without the payment, and the payment; a paid invoice reopens if a balance comes
    back. The payment leaves the list altogether, and the intent is free. Raises `Refused`."""
    for refusal in detach_refusals(book, intent, if_amount_paid):
        raise refusal
    payment = book.live_payment_by(intent.id)
    assert payment is not None
    credited = book.credited - (payment.amount_paid or 0)
    kept = tuple(one for one in book.payments if one.id != payment.id)
    return settled(changed(book, payments=kept), credited, at), payment


def detach_refusals(
    book: Book, intent: PaymentIntent, if_amount_paid: int | None = None
) -> Iterator[Refused]:
    """Every rule that stands against detaching, in order of precedence."""
    invoice, payment = book.invoice, book.live_payment_by(intent.id)
    refused = partial(Refused, invoice_id=invoice.id)
    path = ("paymentIntentId",)
    if if_amount_paid is not None and if_amount_paid != invoice.amount_paid:
        yield refused(
            RefusalCode.STALE_PRECONDITION,
            "amount_paid_moved_on",
            f"{invoice.id} has {invoice.amount_paid} paid, not {if_amount_paid}: read it again and "
            "decide anew",
            path=("ifAmountPaidMinorUnits",),
        )
    if invoice.status == "draft":
        yield from _not_payable(invoice, "detached from")
    elif invoice.status == "void":
        yield refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "invoice_not_open",
            f"{invoice.id} is void and keeps its payments as they are",
            path=("invoiceId",),
        )
    if payment is None:
        yield refused(
            RefusalCode.PAYMENT_NOT_ATTACHED,
            "payment_not_attached",
            f"{intent.id} is not attached to {invoice.id}",
            path=path,
        )
        return
    if payment.is_default and payment.status == "open":
        yield refused(
            RefusalCode.PAYMENT_IS_DEFAULT,
            "payment_is_default",
            f"{intent.id} is the open default payment, which Stripe keeps in step with what "
            "remains; it goes by itself when the invoice is paid or voided",
            path=path,
        )
    if _already_given_back(book, payment):
        yield refused(
            RefusalCode.PAYMENT_INTENT_WRONG_STATE,
            "payment_credited_back",
            f"part of what {intent.id} paid was given back by credit notes, so it cannot pay "
            "another invoice as a whole",
            path=path,
        )


def _already_given_back(book: Book, payment: InvoicePayment) -> bool:
    """Whether credit notes have given back money that only this payment covers; what the balance
    covered can be given back as well, but not refunded.

    Stripe does not document a detach after a credit note. Freeing the intent would let money
    that was refunded pay a second time, so it is refused.
    """
    left = book.credited - (payment.amount_paid or 0)
    covered = max(0, balance_taken(book.invoice))
    given_back = book.invoice.post_payment_credit_notes_amount
    return given_back > left + covered or book.refunded > left


def detach_preview(book: Book, payment: InvoicePayment) -> DetachPreview:
    """What `detach` would answer now: the same function is run, and its result thrown away."""
    if payment.source_type != "payment_intent":
        # Stripe's detach takes a PaymentIntent only (2026-09-30.preview).
        return _blocked(book, RefusalCode.UNSUPPORTED_BY_BACKEND)
    # A canceled payment is judged alone: its intent may have another payment in the book.
    intent = book.intents[payment.source_id]
    judged = book if is_live(payment) else changed(book, payments=(payment,))
    codes = [refusal.code for refusal in detach_refusals(judged, intent)]
    if codes:
        return _blocked(book, *codes)
    after, _ = detach(book, intent, PREVIEW)
    known = {one.id for one in book.payments}
    fresh = any(one.is_default and one.id not in known for one in after.payments)
    left = after.invoice
    return DetachPreview(True, (), left.currency, left.status, left.amount_remaining, fresh)


def _blocked(book: Book, *codes: RefusalCode) -> DetachPreview:
    names = tuple(dict.fromkeys(code.value for code in codes))
    return DetachPreview(False, names, book.invoice.currency, None, None, False)


def attachable(book: Book, intent: PaymentIntent, claimed: int) -> bool:
    """Whether attaching the whole intent would be accepted now."""
    return next(attach_refusals(book, intent, None, claimed), None) is None
