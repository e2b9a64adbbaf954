"""The operations on PaymentIntents.

Source: https://docs.stripe.com/api/payment_intents, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.backends.memory.tables import Query
from gateway.sandbox.stripe_api import edits, payment_methods
from gateway.sandbox.stripe_api.account import Account, merged
from gateway.sandbox.stripe_api.calls import Call, Listed, Operation
from gateway.sandbox.stripe_api.errors import StripeError, check_charge, invalid, missing
from gateway.sandbox.stripe_api.intent_steps import check_confirmable, settle_with
from gateway.sandbox.stripe_api.lists import page_of, query_of
from gateway.sandbox.stripe_api.parameters import (
    Parameter,
    Table,
    amount,
    anything,
    boolean,
    clearable,
    currency,
    hash_of,
    list_of,
    metadata,
    one_of,
    preview,
    refused,
    required,
    table,
    text,
    window,
)
from schema import records

KEPT = (
    "allowed_payment_method_types",
    "automatic_payment_methods",
    "capture_method",
    "confirmation_method",
    "excluded_payment_method_types",
    "payment_method",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
CAPTURE_METHOD = one_of("automatic", "automatic_async", "manual")

SHARED: Table = table(
    allowed_payment_method_types=list_of(text),
    amount_details=anything,
    application_fee_amount=refused,
    capture_method=CAPTURE_METHOD,
    excluded_payment_method_types=list_of(text),
    fx_quote=preview(refused),
    hooks=refused,
    mandate_data=anything,
    payment_details=anything,
    payment_method=text,
    payment_method_data=refused,
    payment_method_options=anything,
    receipt_email=clearable,
    setup_future_usage=one_of("off_session", "on_session"),
    shipping=anything,
)
"""Taken by create, update and confirm alike."""

DESCRIBED: Table = table(
    customer=text,
    customer_account=refused,
    description=clearable,
    metadata=metadata,
    payment_method_configuration=refused,
    statement_descriptor=clearable,
    statement_descriptor_suffix=clearable,
    transfer_data=refused,
    transfer_group=text,
)
CONFIRMING: Table = table(
    confirmation_token=refused,
    error_on_requires_action=boolean,
    mandate=anything,
    off_session=anything,
    radar_options=anything,
    return_url=text,
    use_stripe_sdk=boolean,
)
CREATED: Table = {
    **SHARED,
    **DESCRIBED,
    **CONFIRMING,
    **table(
        amount=required(amount),
        automatic_payment_methods=hash_of(
            enabled=required(boolean), allow_redirects=one_of("always", "never")
        ),
        confirm=boolean,
        confirmation_method=one_of("automatic", "manual"),
        currency=required(currency),
        on_behalf_of=refused,
        secret_key_confirmation=preview(refused),
    ),
}
UPDATED: Table = {
    **SHARED,
    **DESCRIBED,
    "amount": Parameter(amount),
    "currency": Parameter(currency),
    "mandate_data": preview(anything),
}
CONFIRMED: Table = {
    **SHARED,
    **CONFIRMING,
    "amount_to_confirm": Parameter(amount),
    "application_fee_amount": preview(refused),
}
CANCELED: Table = table(
    cancellation_reason=one_of("abandoned", "duplicate", "fraudulent", "requested_by_customer")
)
CAPTURED: Table = table(
    amount_details=anything,
    amount_to_capture=amount,
    application_fee_amount=refused,
    final_capture=boolean,
    hooks=refused,
    metadata=metadata,
    payment_details=anything,
    statement_descriptor=text,
    statement_descriptor_suffix=text,
    transfer_data=refused,
)


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
    account.keep(intent.id, call.picked(*KEPT))
    twin.create_intent(intent, request=call.request)
    if given.get("confirm") and method is not None:
        return settle_with(account, intent, method, call)
    return intent


def retrieve(account: Account, call: Call) -> records.PaymentIntent:
    found: records.PaymentIntent = account.get("payment_intent", call.id)
    return found


def list_all(account: Account, call: Call) -> Listed:
    customer_id = call.params.get("customer")
    if customer_id is not None:
        account.referred("customer", customer_id, "customer")
    query: Query[records.PaymentIntent] = query_of(call, None, customer_id=customer_id)
    return page_of(call, "payment_intent", account.twin.payment_intents, query)


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
    account.keep(intent.id, call.picked(*KEPT))
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
    kept = call.picked(*(name for name in KEPT if name != "payment_method"))
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
    Operation(
        "GET",
        "/v1/payment_intents",
        KIND,
        list_all,
        table(created=window, customer=text, customer_account=refused),
        is_list=True,
    ),
    Operation("POST", "/v1/payment_intents", KIND, create, CREATED),
    Operation("GET", ONE, KIND, retrieve, table(client_secret=text)),
    Operation("POST", ONE, KIND, update, UPDATED),
    Operation("POST", f"{ONE}/confirm", KIND, confirm, CONFIRMED),
    Operation("POST", f"{ONE}/cancel", KIND, cancel, CANCELED),
    Operation("POST", f"{ONE}/capture", KIND, capture, CAPTURED),
)
