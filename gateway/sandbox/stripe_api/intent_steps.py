"""Confirming and settling a PaymentIntent: what a test payment method makes of it.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.sandbox.stripe_api import edits, payment_methods
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.calls import Call
from gateway.sandbox.stripe_api.errors import StripeError
from gateway.sandbox.stripe_api.rendering import render
from schema import records

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def check_confirmable(account: Account, intent: records.PaymentIntent) -> None:
    """Raises `StripeError` for an intent that is past its confirmation."""
    if intent.status not in CONFIRMABLE:
        raise StripeError(
            f"You cannot confirm this PaymentIntent because it has a status of {intent.status}. "
            f"Only a PaymentIntent with one of the following statuses may be confirmed: "
            f"{', '.join(CONFIRMABLE)}.",
            code="payment_intent_unexpected_state",
            details={"payment_intent": render(account, intent)},
        )


def settle_with(
    account: Account, intent: records.PaymentIntent, payment_method: str, call: Call
) -> records.PaymentIntent:
    """Confirm the intent with this method. Raises `StripeError` 402 where it is declined."""
    outcome = payment_methods.outcome_of(payment_method)
    check_confirmable(account, intent)
    if outcome.kind == payment_methods.DECLINES:
        error = payment_methods.last_payment_error(outcome, payment_method, intent)
        account.keep(
            intent.id, {"payment_method": None, "last_payment_error": error, "next_action": None}
        )
        failed = edits.fail_attempt(account.twin, intent.id, call.request)
        raise payment_methods.declined(outcome, render(account, failed))
    kept: dict[str, Any] = {
        "payment_method": payment_method,
        "last_payment_error": None,
        "next_action": None,
    }
    if outcome.kind == payment_methods.ASKS:
        kept["next_action"] = _next_action()
        account.keep(intent.id, kept)
        if intent.status == "requires_action":
            return intent
        return account.twin.progress(intent.id, "requires_action", request=call.request)
    account.keep(intent.id, kept)
    if outcome.kind == payment_methods.PROCESSES:
        return account.twin.progress(intent.id, "processing", request=call.request)
    return arrive(account, intent.id, call)


def arrive(account: Account, intent_id: str, call: Call) -> records.PaymentIntent:
    """The money is there: taken at once, or held for a capture."""
    manual = account.kept(intent_id, "capture_method") == "manual"
    status = "requires_capture" if manual else "succeeded"
    return account.twin.progress(intent_id, status, request=call.request)


def _next_action() -> dict[str, Any]:
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
