"""Credit notes that are to be, in Stripe's words.

Source: https://docs.stripe.com/api/credit_notes/create, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

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
