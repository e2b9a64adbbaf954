"""The operations on PaymentIntents.

Source: https://docs.stripe.com/api/payment_intents, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.sandbox.stripe_api import edits, payment_methods
from gateway.sandbox.stripe_api.account import KEPT, Account, merged
from gateway.sandbox.stripe_api.errors import StripeError, check_charge, invalid, missing
from gateway.sandbox.stripe_api.operations import (
    Call,
    Operation,
    listing,
    reading,
)
from gateway.sandbox.stripe_api.payment_methods import check_confirmable, settle_with
from schema import records


def create(account: Account, call: Call) -> records.PaymentIntent:
    given, twin = call.params, account.twin
    method = given.get("payment_method")
    if "customer" in given:
        account.referred("customer", given["customer"], "customer")
    if method is not None:
        payment_methods.outcome_of(method)
    elif given.get("confirm"):
        raise missing("payment_method")
    if "off_session" in given and not given.get("confirm"):
        raise invalid("off_session can only be given together with confirm=true.", "off_session")
    check_charge(given["amount"], given["currency"], "amount")
    intent = records.PaymentIntent(
        id=twin.new_id("pi"),
        created=twin.now(),
        currency=given["currency"],
        status="requires_payment_method" if method is None else "requires_confirmation",
        amount=given["amount"],
        customer_id=given.get("customer"),
        description=given.get("description"),
        livemode=twin.livemode,
        metadata=merged((), given.get("metadata")),
    )
    account.keep(intent.id, call.picked(*KEPT["payment_intent"]))
    twin.create_intent(intent, request=call.request)
    if given.get("confirm") and method is not None:
        return settle_with(account, intent, method, call)
    return intent


def update(account: Account, call: Call) -> records.PaymentIntent:
    intent = account.get("payment_intent", call.id)
    fields: dict[str, Any] = call.picked("amount", "currency", "description")
    if "customer" in call.params:
        fields["customer_id"] = account.referred("customer", call.params["customer"], "customer").id
    if "metadata" in call.params:
        fields["metadata"] = merged(intent.metadata, call.params["metadata"])
    method = call.params.get("payment_method")
    if method is not None:
        payment_methods.outcome_of(method)
    if "amount" in fields or "currency" in fields:
        currency = fields.get("currency", intent.currency)
        check_charge(fields.get("amount", intent.amount), currency, "amount")
    changed = edits.change_intent(account.twin, intent, call.request, **fields)
    account.keep(intent.id, call.picked(*KEPT["payment_intent"]))
    if method is not None and changed.status == "requires_payment_method":
        return account.twin.progress(intent.id, "requires_confirmation", request=call.request)
    return changed


def confirm(account: Account, call: Call) -> records.PaymentIntent:
    intent = account.get("payment_intent", call.id)
    method = call.params.get("payment_method") or account.kept(intent.id, "payment_method")
    if method is None:
        raise StripeError(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    payment_methods.outcome_of(method)
    check_confirmable(account, intent)
    kept = call.picked(*(name for name in KEPT["payment_intent"] if name != "payment_method"))
    account.keep(intent.id, kept)
    return settle_with(account, intent, method, call)


def cancel(account: Account, call: Call) -> records.PaymentIntent:
    intent = account.get("payment_intent", call.id)
    reason = call.params.get("cancellation_reason")
    return account.twin.progress(
        intent.id, "canceled", cancellation_reason=reason, request=call.request
    )


def capture(account: Account, call: Call) -> records.PaymentIntent:
    intent = account.get("payment_intent", call.id)
    if intent.status != "requires_capture":
        raise StripeError(
            f"This PaymentIntent could not be captured because it has a status of {intent.status}. "
            "Only a PaymentIntent with one of the following statuses may be captured: "
            "requires_capture.",
            code="payment_intent_unexpected_state",
        )
    received = call.params.get("amount_to_capture", intent.amount)
    if received > intent.amount:
        raise StripeError(
            f"The amount to capture ({received}) is more than the amount_capturable "
            f"({intent.amount}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    check_charge(received, intent.currency, "amount_to_capture")
    return account.twin.progress(
        intent.id, "succeeded", amount_received=received, request=call.request
    )


ONE = "/v1/payment_intents/{intent}"
KIND = "payment_intent"

OPERATIONS = (
    listing(KIND, "/v1/payment_intents", indexed={"customer": "customer_id"}, known=("customer",)),
    Operation("POST", "/v1/payment_intents", KIND, create),
    reading(KIND, ONE),
    Operation("POST", ONE, KIND, update),
    Operation("POST", f"{ONE}/confirm", KIND, confirm),
    Operation("POST", f"{ONE}/cancel", KIND, cancel),
    Operation("POST", f"{ONE}/capture", KIND, capture),
)
