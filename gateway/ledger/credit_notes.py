"""Credit notes: first they lower what is asked for, the rest is given back.

Source: https://docs.stripe.com/api/credit_notes and the 2025-05-28.basil changelog, which split a
note into its pre-payment and post-payment amounts.
"""

from __future__ import annotations

from functools import partial

from gateway.ledger.amounts import step_refusal
from gateway.ledger.book import Book, Moment, balance_taken, credit_customer, settled
from schema.changing import changed
from schema.ports import CreditNoteDraft, RefusalCode, Refused
from schema.records import CreditNote, CreditNotePreview, CreditNoteRefund


def issue(
    book: Book, draft: CreditNoteDraft, at: Moment, *, number: str
) -> tuple[Book, CreditNote]:
    """The book after the note was issued, and the note. Raises `Refused`."""
    split = preview(book, draft)
    invoice, refunds = book.invoice, []
    if draft.refund:
        refunds = [CreditNoteRefund(amount_refunded=draft.refund, refund_id=at.new_id("re"))]
    note = CreditNote(
        id=at.new_id("cn"),
        created=at.now,
        currency=invoice.currency,
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        amount=draft.amount,
        pre_payment_amount=split.pre_payment_amount,
        post_payment_amount=split.post_payment_amount,
        type=split.type,
        number=number,
        reason=draft.reason,
        memo=draft.memo,
        credit_amount=draft.credit or 0,
        out_of_band_amount=draft.out_of_band,
        refunds=tuple(refunds),
        livemode=invoice.livemode,
    )
    book = _lowered(book, split.pre_payment_amount, split.post_payment_amount, at)
    return credit_customer(book, note.credit_amount), note


def _lowered(book: Book, pre: int, post: int, at: Moment) -> Book:
    """The book after notes have lowered what is due by `pre`, and have given back `post`."""
    invoice = changed(
        book.invoice,
        amount_due=book.invoice.amount_due - pre,
        pre_payment_credit_notes_amount=book.invoice.pre_payment_credit_notes_amount + pre,
        post_payment_credit_notes_amount=book.invoice.post_payment_credit_notes_amount + post,
    )
    return settled(changed(book, invoice=invoice), book.credited, at)


def void(book: Book, note: CreditNote, at: Moment) -> tuple[Book, CreditNote]:
    """The book after the note was taken back, which lowered what an open invoice asks for; what
    was given back cannot be taken back. Raises `Refused`.

    Source: https://docs.stripe.com/api/credit_notes/void, 2026-10-28.endive.
    """
    check_voidable(book, note)
    voided = changed(note, status="void", voided_at=at.now)
    return _lowered(book, -note.pre_payment_amount, 0, at), voided


def check_voidable(book: Book, note: CreditNote) -> None:
    """Raises `Refused`."""
    invoice = book.invoice
    if note.status != "issued" or invoice.status != "open" or note.post_payment_amount:
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "credit_note_not_voidable",
            f"{note.id} is {note.status} and its invoice {invoice.status}: only issued notes that "
            "lowered what an open invoice asks for can be voided",
            invoice_id=invoice.id,
        )


def preview(book: Book, draft: CreditNoteDraft) -> CreditNotePreview:
    """How the note would split. Raises `Refused`, in the order of precedence."""
    _check_invoice(book)
    _check_amounts(draft, book.invoice.currency)
    pre = min(draft.amount, book.invoice.amount_remaining)
    post = draft.amount - pre
    # What remains is asked for by a PaymentIntent, which has to move in the same steps.
    refusal = step_refusal(pre, book.invoice.currency, ("creditNote", "amountMinorUnits"))
    if refusal is not None:
        raise refusal
    _check_settlement(book, draft, post)
    return CreditNotePreview(
        type=type_of(pre, post),
        currency=book.invoice.currency,
        amount=draft.amount,
        pre_payment_amount=pre,
        post_payment_amount=post,
        amount_remaining_after=book.invoice.amount_remaining - pre,
    )


def type_of(pre: int, post: int) -> str:
    """Stripe's word for a note of these two parts."""
    if pre and post:
        return "mixed"
    return "post_payment" if post else "pre_payment"


def split_of(amount: int, kind: str | None, pre: int | None, post: int | None) -> tuple[int, int]:
    """The parts before and after payment; one that is not stated is the rest of the amount."""
    if pre is None and post is None:
        pre = 0 if kind == "post_payment" else amount
    if pre is None:
        pre = max(0, amount - (post or 0))
    return pre, max(0, amount - pre) if post is None else post


def _check_invoice(book: Book) -> None:
    invoice = book.invoice
    refused = partial(Refused, path=("creditNote", "invoiceId"), invoice_id=invoice.id)
    if invoice.status == "draft":
        raise refused(
            RefusalCode.INVOICE_NOT_FINALIZED,
            "invoice_not_finalized",
            f"{invoice.id} is a draft: change the draft instead of crediting it",
        )
    if invoice.status not in ("open", "paid"):
        raise refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "invoice_not_open_or_paid",
            f"{invoice.id} is {invoice.status}: only open and paid invoices can be credited",
        )


def _check_amounts(draft: CreditNoteDraft, currency: str) -> None:
    """Credit on the balance needs no step of the currency: no money moves for it."""
    if draft.amount <= 0:
        raise _invalid(f"the amount must be above zero, got {draft.amount}", "amountMinorUnits")
    for name, part in (
        ("refundMinorUnits", draft.refund),
        ("creditMinorUnits", draft.credit),
        ("outOfBandMinorUnits", draft.out_of_band),
    ):
        if part is not None and part < 0:
            raise _invalid(f"{name} must not be below zero, got {part}", name)
        refusal = step_refusal(part or 0, currency, ("creditNote", name))
        if refusal is not None and name != "creditMinorUnits":
            raise refusal


def _check_settlement(book: Book, draft: CreditNoteDraft, post: int) -> None:
    """The parts must add up to what is given back, and no more is given back than was paid."""
    parts = (draft.refund or 0) + (draft.credit or 0) + (draft.out_of_band or 0)
    if parts != post:
        raise _invalid(
            f"refund, credit and out of band add up to {parts} and must add up to {post}: the part "
            f"of {draft.amount} beyond the {book.invoice.amount_remaining} that remain",
            "amountMinorUnits",
        )
    # A debit that the invoice took over is none of its own lines, and cannot be credited;
    # `amount_due` already went down with the notes before payment.
    invoice, too_large = book.invoice, partial(Refused, RefusalCode.AMOUNT_TOO_LARGE)
    creditable = invoice.amount_due + balance_taken(invoice)
    left = max(0, creditable - invoice.post_payment_credit_notes_amount)
    if draft.amount > left:
        raise too_large(
            "credit_exceeds_paid",
            f"only {left} of {invoice.id} can still be credited, got {draft.amount}: what "
            "remains, and what money and balance have paid of its total and was not given back",
            path=("creditNote", "amountMinorUnits"),
            invoice_id=invoice.id,
        )
    refundable = max(0, invoice.amount_paid - book.refunded)
    if (draft.refund or 0) > refundable:
        raise too_large(
            "refund_exceeds_paid",
            f"only {refundable} was paid and not refunded yet, got {draft.refund}: give back what "
            "the balance covered as creditMinorUnits or outOfBandMinorUnits",
            path=("creditNote", "refundMinorUnits"),
            invoice_id=invoice.id,
        )


def _invalid(message: str, field: str) -> Refused:
    return Refused(
        RefusalCode.AMOUNT_INVALID, "amount_invalid", message, path=("creditNote", field)
    )
