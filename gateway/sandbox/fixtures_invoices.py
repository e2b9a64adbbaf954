"""Invoices of a fixtures file and their lines, from Stripe's objects to records.

An invoice's amounts depend on its payments and credit notes, so these are read before it. What
Stripe's own amounts mean stands in the ledger; here only what follows from what is stated.
Source: https://docs.stripe.com/api/invoices/object, 2026-09-30.preview.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.ledger.decimals import exact_decimal
from gateway.sandbox.fixtures_fields import StripeObject, shown
from schema import records

STATUSES = ("draft", "open", "paid", "uncollectible", "void")
COLLECTION_METHODS = ("charge_automatically", "send_invoice")
DISCOUNTS = ("discounts", "discount_amounts", "total_discount_amounts")

Lines = tuple[records.InvoiceLineItem, ...]


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What an invoice asks for and has, in its currency's smallest unit."""

    subtotal: int
    total: int
    starting: int
    ending: int | None
    due: int
    paid: int
    remaining: int
    overpaid: int
    pre_payment_notes: int
    post_payment_notes: int


def read_invoice(
    one: StripeObject,
    payments: Sequence[records.InvoicePayment],
    notes: Sequence[records.CreditNote],
) -> tuple[records.Invoice, Lines]:
    """The invoice with its lines, given its payments and credit notes."""
    currency = one.needed_currency()
    lines = tuple(_line(part, one.name, currency) for part in one.parts("lines"))
    amounts = _amounts(one, lines, payments, notes)
    status = one.choice("status", STATUSES) or _status(amounts, payments)
    _check_embedded_payments(one, payments)
    return _with_instants(one, _invoice(one, currency, status, amounts)), lines


def _invoice(one: StripeObject, currency: str, status: str, amounts: _Amounts) -> records.Invoice:
    return records.Invoice(
        id=one.name,
        created=one.created,
        currency=currency,
        customer_id=_customer_id(one),
        status=status,
        livemode=one.flag("livemode"),
        number=one.text("number"),
        collection_method=one.choice("collection_method", COLLECTION_METHODS)
        or "charge_automatically",
        description=one.text("description"),
        customer_name=one.text("customer_name"),
        customer_email=one.text("customer_email"),
        subscription_id=_subscription(one),
        subtotal=amounts.subtotal,
        total=amounts.total,
        starting_balance=amounts.starting,
        ending_balance=amounts.ending if status != "draft" else None,
        amount_due=amounts.due,
        amount_paid=amounts.paid,
        amount_remaining=amounts.remaining,
        amount_overpaid=amounts.overpaid,
        pre_payment_credit_notes_amount=amounts.pre_payment_notes,
        post_payment_credit_notes_amount=amounts.post_payment_notes,
        hosted_invoice_url=one.text("hosted_invoice_url"),
        invoice_pdf=one.text("invoice_pdf"),
        metadata=one.metadata(),
    )


def _customer_id(one: StripeObject) -> str | None:
    """None for who is billed as a `customer_account`, as Stripe has it then."""
    if one.text("customer_account"):
        return one.reference("customer", "cus")
    return one.needed_reference("customer", "cus")


def _with_instants(one: StripeObject, invoice: records.Invoice) -> records.Invoice:
    """When it is due, and when it reached each status that it is in or must have been in."""

    def reached(transition: str, implied: bool) -> int | None:
        return one.instant_of(f"status_transitions.{transition}", implied=implied)

    status = invoice.status
    return replace(
        invoice,
        due_date=one.instant("due_date"),
        finalized_at=reached("finalized_at", status != "draft"),
        paid_at=reached("paid_at", status == "paid"),
        voided_at=reached("voided_at", status == "void"),
        marked_uncollectible_at=reached("marked_uncollectible_at", status == "uncollectible"),
    )


def _subscription(one: StripeObject) -> str | None:
    """Where it stands now, or where it stood before 2025-03-31.basil."""
    now = one.reference("parent.subscription_details.subscription", "sub")
    return now or one.reference("subscription", "sub")


def _status(amounts: _Amounts, payments: Sequence[records.InvoicePayment]) -> str:
    if not payments and not amounts.paid:
        return "draft"
    return "open" if amounts.remaining else "paid"


def _amounts(
    one: StripeObject,
    lines: Lines,
    payments: Sequence[records.InvoicePayment],
    notes: Sequence[records.CreditNote],
) -> _Amounts:
    standing = [note for note in notes if note.status == "issued"]
    credited = sum(payment.amount_paid or 0 for payment in payments if payment.status == "paid")
    pre = _stated(
        one, "pre_payment_credit_notes_amount", sum(note.pre_payment_amount for note in standing)
    )
    post = _stated(
        one, "post_payment_credit_notes_amount", sum(note.post_payment_amount for note in standing)
    )
    total = _total(one, lines, pre)
    starting, ending, due = _balances(one, total, pre)
    paid = _stated(one, "amount_paid", min(credited, due))
    return _Amounts(
        subtotal=_subtotal(one, lines, total),
        total=total,
        starting=starting,
        ending=ending,
        due=due,
        paid=paid,
        remaining=_stated(one, "amount_remaining", due - paid),
        overpaid=_stated(one, "amount_overpaid", max(0, credited - due)),
        pre_payment_notes=pre,
        post_payment_notes=post,
    )


def _balances(one: StripeObject, total: int, pre_payment_notes: int) -> tuple[int, int, int]:
    """The customer's balance before and after finalization, and what is due: each follows from
    the others. Nothing stated: the balance met it with just the difference to the total."""
    starting, ending, due = (
        one.whole(name, least=None) for name in ("starting_balance", "ending_balance", "amount_due")
    )
    if starting is None:
        left = min(0, total) if ending is None else ending
        starting = 0 if due is None else due + pre_payment_notes - total + left
    if due is None:
        left = min(0, total + starting) if ending is None else ending
        due = max(0, total + starting - left - pre_payment_notes)
    implied = total + starting - due - pre_payment_notes
    if ending is not None and ending != implied:
        one.problem(
            "ending_balance",
            f"must be {implied}: total and starting_balance less amount_due and "
            f"pre_payment_credit_notes_amount, got {ending}",
        )
    return starting, implied, due


def _stated(one: StripeObject, path: str, otherwise: int) -> int:
    """An amount as it stands; that it must not be below zero is the ledger's to say."""
    amount = one.whole(path, least=None)
    return otherwise if amount is None else amount


def _total(one: StripeObject, lines: Lines, pre_payment_notes: int) -> int:
    total, due = one.whole("total", least=None), one.whole("amount_due", least=None)
    if total is not None:
        return total
    if lines:
        return sum(line.amount for line in lines)
    if due is not None:
        return due + pre_payment_notes
    if one.value("total") is None and one.value("amount_due") is None:
        one.problem("total", "is missing: state total or amount_due, or lines with their amounts")
    return 0


def _subtotal(one: StripeObject, lines: Lines, total: int) -> int:
    """What the lines add up to, before tax: the total, if it is not stated.

    Checked where the file has all lines and none is discounted: a line's amount is before its
    discounts, and the subtotal after them.
    """
    subtotal, of_lines = one.whole("subtotal", least=None), sum(line.amount for line in lines)
    if lines and of_lines != (total if subtotal is None else subtotal) and _all_plain(one):
        if subtotal is None:
            reason = (
                f"must be stated where the lines add up to {of_lines}, not to the total {total}"
            )
        else:
            reason = f"must be {of_lines}, the sum of the lines, got {subtotal}"
        one.problem("subtotal", reason)
    return total if subtotal is None else subtotal


def _all_plain(one: StripeObject) -> bool:
    """Whether every line is here, and none discounted."""
    if isinstance(one.raw["lines"], Mapping) and one.value("lines.has_more"):
        return False
    return not any(part.value(name) for part in (one, *one.parts("lines")) for name in DISCOUNTS)


def _line(part: StripeObject, invoice_id: str, currency: str) -> records.InvoiceLineItem:
    """A line without an id gets one from its invoice's and its place, counted from 1."""
    stated = part.currency()
    if stated and stated != currency:
        part.problem("currency", f"must be the invoice's {currency}, got {stated}")
    return records.InvoiceLineItem(
        id=part.reference("id", "il") or f"il_{invoice_id.removeprefix('in_')}_{part.position + 1}",
        invoice_id=invoice_id,
        amount=part.needed_whole("amount", least=None),
        currency=currency,
        description=part.text("description"),
        quantity=_quantity(part),
        period_start=part.instant("period.start"),
        period_end=part.instant("period.end"),
    )


def _quantity(part: StripeObject) -> str | None:
    """Either of Stripe's two fields; the decimal one where both are there, as it is exact."""
    decimal, whole = part.text("quantity_decimal"), part.whole("quantity", form="a whole number")
    if decimal is None:
        return None if whole is None else str(whole)
    exact = exact_decimal(decimal)
    if exact is None:
        part.problem("quantity_decimal", f'must be a decimal such as "0.25", got {shown(decimal)}')
    return exact


def _check_embedded_payments(one: StripeObject, payments: Sequence[records.InvoicePayment]) -> None:
    """Payments that only an expanded invoice shows would be lost in silence."""
    listed = {payment.id for payment in payments}
    for part in one.parts("payments"):
        if part.value("id") not in listed:
            part.problem("id", "must be in invoice_payments too, with this invoice")
