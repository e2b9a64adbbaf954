"""Credit notes: first they lower what is asked for, the rest is given back.

Source: https://docs.stripe.com/api/credit_notes and the 2025-05-28.basil changelog, which split a
note into its pre-payment and post-payment amounts.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.ledger.amounts import step_refusal
from gateway.ledger.balance import taken
from gateway.ledger.book import Book, NewId, credit_customer, settled
from schema.ports import CreditNoteDraft, RefusalCode, Refused
from schema.records import CreditNote, CreditNotePreview, CreditNoteRefund, Invoice


def issue(
    book: Book, draft: CreditNoteDraft, *, number: str, now: int, new_id: NewId
) -> tuple[Book, CreditNote]:
    """The book after the note was issued, and the note. Raises `Refused`."""
    split = preview(book, draft)
    invoice = book.invoice
    lowered = replace(
        invoice,
        amount_due=invoice.amount_due - split.pre_payment_amount,
        pre_payment_credit_notes_amount=invoice.pre_payment_credit_notes_amount
        + split.pre_payment_amount,
        post_payment_credit_notes_amount=invoice.post_payment_credit_notes_amount
        + split.post_payment_amount,
    )
    note = _note(book, draft, split, number=number, now=now, new_id=new_id)
    book = settled(replace(book, invoice=lowered), credited=book.credited, now=now, new_id=new_id)
    return credit_customer(book, draft.credit or 0), note


def void(book: Book, note: CreditNote, *, now: int, new_id: NewId) -> tuple[Book, CreditNote]:
    """The book after the note was taken back, which lowered what an open invoice asks for; what
    was given back cannot be taken back. Raises `Refused`.

    Source: https://docs.stripe.com/api/credit_notes/void, 2026-10-28.endive.
    """
    invoice, lowered_by = book.invoice, note.pre_payment_amount
    if note.status != "issued" or invoice.status != "open" or note.post_payment_amount:
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "credit_note_not_voidable",
            f"{note.id} is {note.status} and its invoice {invoice.status}: only issued notes that "
            "lowered what an open invoice asks for can be voided",
            invoice_id=invoice.id,
        )
    raised = replace(
        invoice,
        amount_due=invoice.amount_due + lowered_by,
        pre_payment_credit_notes_amount=invoice.pre_payment_credit_notes_amount - lowered_by,
    )
    book = settled(replace(book, invoice=raised), credited=book.credited, now=now, new_id=new_id)
    return book, replace(note, status="void", voided_at=now)


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
    if invoice.status == "draft":
        raise Refused(
            RefusalCode.INVOICE_NOT_FINALIZED,
            "invoice_not_finalized",
            f"{invoice.id} is a draft: change the draft instead of crediting it",
            path=("creditNote", "invoiceId"),
            invoice_id=invoice.id,
        )
    if invoice.status not in ("open", "paid"):
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "invoice_not_open_or_paid",
            f"{invoice.id} is {invoice.status}: only open and paid invoices can be credited",
            path=("creditNote", "invoiceId"),
            invoice_id=invoice.id,
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
    left = max(0, _creditable(book.invoice))
    if draft.amount > left:
        raise _too_large(
            book,
            "credit_exceeds_paid",
            f"only {left} of {book.invoice.id} can still be credited, got {draft.amount}: what "
            "remains, and what money and balance have paid of its total and was not given back",
            "amountMinorUnits",
        )
    refundable = max(0, book.invoice.amount_paid - book.refunded)
    if (draft.refund or 0) > refundable:
        raise _too_large(
            book,
            "refund_exceeds_paid",
            f"only {refundable} was paid and not refunded yet, got {draft.refund}: give back what "
            "the balance covered as creditMinorUnits or outOfBandMinorUnits",
            "refundMinorUnits",
        )


def _creditable(invoice: Invoice) -> int:
    """What its notes leave of the total: a debit that it took over is none of its own lines.

    `amount_due` already went down with the notes before payment.
    """
    return invoice.amount_due + taken(invoice) - invoice.post_payment_credit_notes_amount


def _too_large(book: Book, rule: str, message: str, field: str) -> Refused:
    return Refused(
        RefusalCode.AMOUNT_TOO_LARGE,
        rule,
        message,
        path=("creditNote", field),
        invoice_id=book.invoice.id,
    )


def _invalid(message: str, field: str) -> Refused:
    return Refused(
        RefusalCode.AMOUNT_INVALID, "amount_invalid", message, path=("creditNote", field)
    )


def _note(
    book: Book,
    draft: CreditNoteDraft,
    split: CreditNotePreview,
    *,
    number: str,
    now: int,
    new_id: NewId,
) -> CreditNote:
    refunds = (
        (CreditNoteRefund(amount_refunded=draft.refund, refund_id=new_id("re")),)
        if draft.refund
        else ()
    )
    return CreditNote(
        id=new_id("cn"),
        created=now,
        currency=book.invoice.currency,
        invoice_id=book.invoice.id,
        customer_id=book.invoice.customer_id,
        amount=draft.amount,
        pre_payment_amount=split.pre_payment_amount,
        post_payment_amount=split.post_payment_amount,
        type=split.type,
        number=number,
        reason=draft.reason,
        memo=draft.memo,
        credit_amount=draft.credit or 0,
        out_of_band_amount=draft.out_of_band,
        refunds=refunds,
        livemode=book.invoice.livemode,
    )
