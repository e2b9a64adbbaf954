"""Credit notes of a fixtures file, from Stripe's objects to records.

Stripe shows how a note was settled as refunds, an out of band amount and a balance transaction;
`credit_amount`, a parameter of its creation, is understood here too and is otherwise the rest.
Source: https://docs.stripe.com/api/credit_notes/object, 2026-09-30.preview.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.sandbox.fixtures_fields import StripeObject
from schema import records

TYPES = ("pre_payment", "post_payment", "mixed")
STATUSES = ("issued", "void")


def read_credit_note(one: StripeObject, invoices: Mapping[str, StripeObject]) -> records.CreditNote:
    """The note; it has its invoice's currency and customer where it states none."""
    invoice_id = one.needed_reference("invoice", "in")
    invoice = invoices.get(invoice_id, one)
    amount = one.needed_whole("amount", least=1)
    kind = one.choice("type", TYPES)
    pre, post = _split(one, amount, kind)
    status = one.choice("status", STATUSES) or "issued"
    refunds = tuple(_refund(part) for part in one.parts("refunds"))
    out_of_band = one.whole("out_of_band_amount")
    rest = post - sum(part.amount_refunded for part in refunds) - (out_of_band or 0)
    credited = one.whole("credit_amount")
    return records.CreditNote(
        id=one.name,
        created=one.created,
        currency=one.currency() or invoice.currency() or "",
        invoice_id=invoice_id,
        customer_id=one.reference("customer", "cus") or invoice.reference("customer", "cus"),
        amount=amount,
        pre_payment_amount=pre,
        post_payment_amount=post,
        type=kind or type_of(pre, post),
        status=status,
        number=one.text("number"),
        reason=one.text("reason"),
        memo=one.text("memo"),
        credit_amount=max(0, rest) if credited is None else credited,
        out_of_band_amount=out_of_band,
        refunds=refunds,
        voided_at=one.instant_of("voided_at", implied=status == "void"),
        livemode=one.flag("livemode"),
    )


def type_of(pre: int, post: int) -> str:
    if pre and post:
        return "mixed"
    return "post_payment" if post else "pre_payment"


def _split(one: StripeObject, amount: int, kind: str | None) -> tuple[int, int]:
    """The part before and after payment; the one that is missing is the rest of the amount."""
    pre, post = one.whole("pre_payment_amount"), one.whole("post_payment_amount")
    if pre is None and post is None:
        pre = 0 if kind == "post_payment" else amount
    if pre is None:
        pre = max(0, amount - (post or 0))
    return pre, max(0, amount - pre) if post is None else post


def _refund(part: StripeObject) -> records.CreditNoteRefund:
    return records.CreditNoteRefund(
        amount_refunded=part.needed_whole("amount_refunded"),
        refund_id=part.reference("refund", "re", "pyr"),
        payment_record_id=part.reference("payment_record_refund.payment_record", "pr"),
    )
