"""Stripe's test payment methods, and what becomes of an intent that is confirmed with one.

Source: https://docs.stripe.com/testing and
https://docs.stripe.com/payments/paymentintents/lifecycle, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api import edits
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.errors import StripeError, doc_url, no_such_reference
from gateway.sandbox.stripe_api.operations import Call
from gateway.sandbox.stripe_api.parameters import ADDRESS
from gateway.sandbox.stripe_api.rendering import render
from schema import records

SUCCEEDS = "succeeds"
PROCESSES = "processing"
ASKS = "requires_action"
DECLINES = "declines"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test payment method leads to; codes where it is declined."""

    kind: str
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None


def _declined(code: str, decline_code: str | None, message: str) -> Outcome:
    return Outcome(DECLINES, code, decline_code, message)


_CARD_DECLINED = "Your card was declined."
_BRANDS = (
    "visa visa_debit visa_chargeCustomerFail mastercard mastercard_debit mastercard_prepaid amex "
    "discover diners jcb unionpay cartesBancaires us"
)

OUTCOMES: Mapping[str, Outcome] = {
    **{f"pm_card_{brand}": Outcome(SUCCEEDS) for brand in _BRANDS.split()},
    "pm_usBankAccount": Outcome(PROCESSES),
    "pm_usBankAccount_success": Outcome(PROCESSES),
    "pm_card_authenticationRequired": Outcome(ASKS),
    "pm_card_threeDSecure2Required": Outcome(ASKS),
    "pm_card_threeDSecureRequired": Outcome(ASKS),
    "pm_card_visa_chargeDeclined": _declined("card_declined", "generic_decline", _CARD_DECLINED),
    "pm_card_chargeDeclined": _declined("card_declined", "generic_decline", _CARD_DECLINED),
    "pm_card_chargeDeclinedFraudulent": _declined("card_declined", "fraudulent", _CARD_DECLINED),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _declined(
        "card_declined", "insufficient_funds", "Your card has insufficient funds."
    ),
    "pm_card_chargeDeclinedInsufficientFunds": _declined(
        "card_declined", "insufficient_funds", "Your card has insufficient funds."
    ),
    "pm_card_visa_chargeDeclinedLostCard": _declined("card_declined", "lost_card", _CARD_DECLINED),
    "pm_card_visa_chargeDeclinedStolenCard": _declined(
        "card_declined", "stolen_card", _CARD_DECLINED
    ),
    "pm_card_chargeDeclinedExpiredCard": _declined("expired_card", None, "Your card has expired."),
    "pm_card_chargeDeclinedIncorrectCvc": _declined(
        "incorrect_cvc", None, "Your card's security code is incorrect."
    ),
    "pm_card_chargeDeclinedProcessingError": _declined(
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}


def outcome_of(payment_method: str, param: str = "payment_method") -> Outcome:
    """What this method leads to. Raises `StripeError` for one that is not among Stripe's."""
    outcome = OUTCOMES.get(payment_method)
    if outcome is None:
        raise no_such_reference("PaymentMethod", payment_method, param)
    return outcome


def last_payment_error(
    outcome: Outcome, payment_method: str, intent: records.PaymentIntent
) -> dict[str, Any]:
    """What an intent remembers of the decline."""
    error = {
        "code": outcome.code,
        "doc_url": doc_url(outcome.code or ""),
        "message": outcome.message,
        "payment_method": _payment_method(payment_method, intent),
        "type": "card_error",
    }
    decline = {"decline_code": outcome.decline_code} if outcome.decline_code else {}
    return {**error, **decline}


def declined(outcome: Outcome, intent: dict[str, Any]) -> StripeError:
    """The 402 for a decline; the intent as it is now comes with it."""
    decline = {"decline_code": outcome.decline_code} if outcome.decline_code else {}
    return StripeError(
        outcome.message or _CARD_DECLINED,
        status=402,
        kind="card_error",
        code=outcome.code,
        details={**decline, "payment_intent": intent},
    )


def _payment_method(payment_method: str, intent: records.PaymentIntent) -> dict[str, Any]:
    nowhere = dict.fromkeys(ADDRESS)
    return {
        "id": payment_method,
        "object": "payment_method",
        "billing_details": {
            "address": nowhere,
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "created": intent.created,
        "customer": None,
        "customer_account": None,
        "livemode": intent.livemode,
        "metadata": {},
        "type": "card",
    }


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
    outcome = outcome_of(payment_method)
    check_confirmable(account, intent)
    if outcome.kind == DECLINES:
        error = last_payment_error(outcome, payment_method, intent)
        account.keep(
            intent.id, {"payment_method": None, "last_payment_error": error, "next_action": None}
        )
        failed = edits.fail_attempt(account.twin, intent.id, call.request)
        raise declined(outcome, render(account, failed))
    kept: dict[str, Any] = {
        "payment_method": payment_method,
        "last_payment_error": None,
        "next_action": None,
    }
    if outcome.kind == ASKS:
        kept["next_action"] = _next_action()
        account.keep(intent.id, kept)
        if intent.status == "requires_action":
            return intent
        return account.twin.progress(intent.id, "requires_action", request=call.request)
    account.keep(intent.id, kept)
    if outcome.kind == PROCESSES:
        return account.twin.progress(intent.id, "processing", request=call.request)
    return arrive(account, intent.id, call.request)


def arrive(account: Account, intent_id: str, request: Request) -> records.PaymentIntent:
    """The money is there: taken at once, or held for a capture."""
    manual = account.kept(intent_id, "capture_method") == "manual"
    status = "requires_capture" if manual else "succeeded"
    return account.twin.progress(intent_id, status, request=request)


def _next_action() -> dict[str, Any]:
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
