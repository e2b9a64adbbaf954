"""Credit notes in Stripe's words, and from its JSON to records.

It is the part of the edge that older versions bend most: before 2025-05-28.basil a note was either
pre- or post-payment and had at most one refund. It fetches nothing and knows no rule.
Source: https://docs.stripe.com/api/credit_notes/object, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.backends.stripe.fields import Fields, fields_of
from schema import records
from schema.ports import CreditNoteDraft


def note_params(draft: CreditNoteDraft) -> dict[str, Any]:
    """A note that is to be, in Stripe's words; what was left out is not sent."""
    stated = {
        "invoice": draft.invoice_id,
        "amount": draft.amount,
        "reason": draft.reason,
        "memo": draft.memo,
        "refund_amount": draft.refund,
        "credit_amount": draft.credit,
        "out_of_band_amount": draft.out_of_band,
    }
    return {name: value for name, value in stated.items() if value is not None}


def credit_note_record(raw: object) -> records.CreditNote:
    """The credit note; its two parts are worked out from type and amount in older versions.

    Stripe shows no credited amount: it is what is given back and neither refunded nor out of band.
    """
    one = fields_of(raw, "credit_note")
    amount = one.needed_amount("amount")
    pre, post = _split(one, amount)
    out_of_band = one.amount("out_of_band_amount")
    refunds = _refunds(one, post - (out_of_band or 0))
    rest = post - sum(refund.amount_refunded for refund in refunds) - (out_of_band or 0)
    return records.CreditNote(
        id=one.id,
        created=one.needed_instant("created"),
        currency=one.currency(),
        invoice_id=one.needed_reference("invoice"),
        customer_id=one.reference("customer"),
        amount=amount,
        pre_payment_amount=pre,
        post_payment_amount=post,
        type=one.text("type") or _type_of(pre, post),
        status=one.text("status") or "issued",
        number=one.text("number"),
        reason=one.text("reason"),
        memo=one.text("memo"),
        credit_amount=max(0, rest),
        out_of_band_amount=out_of_band,
        refunds=refunds,
        voided_at=one.instant("voided_at"),
        livemode=one.flag("livemode"),
    )


def _split(one: Fields, amount: int) -> tuple[int, int]:
    """The parts before and after payment; one that is missing is the rest of the amount."""
    pre, post = one.amount("pre_payment_amount"), one.amount("post_payment_amount")
    if pre is None and post is None:
        pre = 0 if one.text("type") == "post_payment" else amount
    if pre is None:
        pre = max(0, amount - (post or 0))
    return pre, max(0, amount - pre) if post is None else post


def _type_of(pre: int, post: int) -> str:
    if pre and post:
        return "mixed"
    return "post_payment" if post else "pre_payment"


def _refunds(one: Fields, given_back: int) -> tuple[records.CreditNoteRefund, ...]:
    """The refunds; before 2025-05-28.basil there was one, without its amount, in `refund`."""
    stated = one.value("refunds")
    if isinstance(stated, list):
        return tuple(
            _refund(one, part, f"refunds[{at}]")
            for at, part in enumerate(stated)
            if isinstance(part, Mapping)
        )
    only = one.reference("refund")
    if only is None or given_back <= 0 or one.value("customer_balance_transaction") is not None:
        return ()
    return (records.CreditNoteRefund(amount_refunded=given_back, refund_id=only),)


def _refund(note: Fields, part: Mapping[str, Any], place: str) -> records.CreditNoteRefund:
    one = Fields(part, f"credit_note's {place} of", note.id)
    return records.CreditNoteRefund(
        amount_refunded=one.needed_amount("amount_refunded"),
        refund_id=one.reference("refund"),
        payment_record_id=one.reference("payment_record_refund.payment_record"),
    )
