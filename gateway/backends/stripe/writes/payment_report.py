"""A payment that was made elsewhere, in Stripe's words for reporting it.

Source: https://docs.stripe.com/api/payment-record/report-payment, 2026-10-28.endive.
"""

from __future__ import annotations

from gateway.backends.stripe.writes.account import Params
from schema.ports import GATEWAY_KEY, METADATA_ENTRIES_MAX, OutOfBandPayment


def report_params(facts: OutOfBandPayment, customer_id: str | None, key: str) -> Params:
    """Made from the command and the invoice's customer alone, so that a repeat looks the same."""
    metadata = dict(facts.metadata)
    if is_marked(facts):
        metadata[GATEWAY_KEY] = key
    params: Params = {
        "amount_requested": {"currency": facts.currency, "value": facts.amount},
        "initiated_at": facts.paid_at,
        "payment_method_details": {
            "type": "custom",
            "custom": {"display_name": "Paid outside Stripe"},
        },
        "outcome": "guaranteed",
        "guaranteed": {"guaranteed_at": facts.paid_at},
        "metadata": metadata,
    }
    if customer_id is not None:
        params["customer_details"] = {"customer": customer_id}
    if facts.reference:
        params["description"] = facts.reference
        reference = {"payment_reference": facts.reference}
        params["processor_details"] = {"type": "custom", "custom": reference}
    return params


def is_marked(facts: OutOfBandPayment | None) -> bool:
    """Whether the record carries our key: not where the caller's metadata fill it."""
    return facts is not None and len(dict(facts.metadata)) < METADATA_ENTRIES_MAX
