"""The operations on PaymentIntents, and what becomes of one that is confirmed.

Source: https://docs.stripe.com/api/payment_intents, https://docs.stripe.com/testing and
https://docs.stripe.com/payments/paymentintents/lifecycle, 2026-10-28.endive.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from gateway.backends.memory.twin import Request, Twin
from gateway.ledger.book import EDITABLE, claim
from gateway.ledger.facts import Fact
from gateway.sandbox.stripe_api.account import KEPT, Account
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import (
    StripeError,
    check_charge,
    doc_url,
    invalid,
    missing,
    no_such,
    stated,
)
from gateway.sandbox.stripe_api.rendering import constants, render
from schema import records

SUCCEEDS = "succeeds"
PROCESSES = "processing"
ASKS = "requires_action"
DECLINES = "declines"
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test payment method leads to; `error` where it is declined."""

    kind: str
    error: Mapping[str, str]


def _outcomes() -> dict[str, Outcome]:
    stated = tomllib.loads(files(__package__).joinpath("payment_methods.toml").read_text())
    good = {
        method: Outcome(kind, {}) for kind in (SUCCEEDS, PROCESSES, ASKS) for method in stated[kind]
    }
    declined = {
        method: Outcome(DECLINES, {name: one[name] for name in one if name != "methods"})
        for one in stated[DECLINES]
        for method in one["methods"]
    }
    return good | declined


OUTCOMES: Mapping[str, Outcome] = _outcomes()


def outcome_of(payment_method: str) -> Outcome:
    """What this method leads to. Raises `StripeError` for one that is not among Stripe's."""
    outcome = OUTCOMES.get(payment_method)
    if outcome is None:
        raise no_such("PaymentMethod", payment_method, "payment_method")
    return outcome


def create(account: Account, call: Call) -> records.PaymentIntent:
    given, twin = call.params, account.twin
    method = given.get("payment_method")
    if "customer" in given:
        account.get("customer", given["customer"], "customer")
    if method is not None:
        outcome_of(method)
    elif given.get("confirm"):
        raise missing("payment_method")
    if "off_session" in given and not given.get("confirm"):
        raise invalid("off_session can only be given together with confirm=true.", "off_session")
    check_charge(given["amount"], given["currency"], "amount")
    intent = records.PaymentIntent(
        **account.fresh("pi", given),
        currency=given["currency"],
        status="requires_payment_method" if method is None else "requires_confirmation",
        amount=given["amount"],
        customer_id=given.get("customer"),
        description=given.get("description"),
    )
    account.keep(intent.id, call.picked(*KEPT["payment_intent"]))
    twin.create_intent(intent, request=call.request)
    if given.get("confirm") and method is not None:
        return settle_with(account, intent, method, call)
    return intent


def update(account: Account, call: Call) -> records.PaymentIntent:
    intent: records.PaymentIntent = account.get("payment_intent", call.id)
    changes = call.changes(intent.metadata, "amount", "currency", "description")
    if "customer" in call.params:
        customer = account.get("customer", call.params["customer"], "customer")
        changes["customer_id"] = customer.id
    method = call.params.get("payment_method")
    if method is not None:
        outcome_of(method)
    changed = replace(intent, **changes)
    if "amount" in changes or "currency" in changes:
        check_charge(changed.amount, changed.currency, "amount")
    if _terms(changed) != _terms(intent):
        _check_terms(account.twin, intent, changed)
    account.twin.payment_intents.put(changed)
    account.keep(intent.id, call.picked(*KEPT["payment_intent"]))
    if method is not None and changed.status == "requires_payment_method":
        return account.twin.progress(intent.id, "requires_confirmation", request=call.request)
    return changed


def _terms(intent: records.PaymentIntent) -> tuple[int, str, str | None]:
    return intent.amount, intent.currency, intent.customer_id


def _check_terms(twin: Twin, intent: records.PaymentIntent, changed: records.PaymentIntent) -> None:
    """Raises `StripeError` where money has moved, or an invoice counts on the intent as it is.

    Source: https://docs.stripe.com/invoicing/partial-payments, 2026-10-28.endive.
    """
    if intent.status not in EDITABLE:
        raise stated("intent_not_editable", status=intent.status)
    behind = [
        one for one in twin.invoice_payments.matching("source_id", intent.id) if claim(one) > 0
    ]
    if any(one.is_default for one in behind):
        raise stated("intent_of_invoice", intent=intent.id)
    claimed = sum(claim(one) for one in behind)
    if behind and (changed.amount < claimed or _terms(changed)[1:] != _terms(intent)[1:]):
        raise stated("intent_attached", intent=intent.id, claimed=claimed)


def confirm(account: Account, call: Call) -> records.PaymentIntent:
    intent: records.PaymentIntent = account.get("payment_intent", call.id)
    method = call.params.get("payment_method") or account.kept(intent.id, "payment_method")
    if method is None:
        raise stated("intent_without_method")
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
        raise stated("intent_not_capturable", status=intent.status)
    received = call.params.get("amount_to_capture", intent.amount)
    if received > intent.amount:
        words = {"received": received, "capturable": intent.amount}
        raise stated("beyond_capturable", "amount_to_capture", **words)
    check_charge(received, intent.currency, "amount_to_capture")
    return account.twin.progress(
        intent.id, "succeeded", amount_received=received, request=call.request
    )


def _check_confirmable(account: Account, intent: records.PaymentIntent) -> None:
    """Raises `StripeError` for an intent that is past its confirmation."""
    if intent.status not in CONFIRMABLE:
        words = {"status": intent.status, "confirmable": ", ".join(CONFIRMABLE)}
        error = stated("intent_not_confirmable", **words)
        raise replace(error, details={"payment_intent": render(account, intent)})


def settle_with(
    account: Account, intent: records.PaymentIntent, payment_method: str, call: Call
) -> records.PaymentIntent:
    """Confirm the intent with this method. Raises `StripeError` 402 where it is declined."""
    outcome, twin = outcome_of(payment_method), account.twin
    _check_confirmable(account, intent)
    account.keep(intent.id, call.picked(*KEPT["payment_intent"]))
    if outcome.kind == DECLINES:
        failed = decline(account, intent, payment_method, outcome, call.request)
        raise _declined(outcome, render(account, failed))
    asks = outcome.kind == ASKS
    kept = {
        "payment_method": payment_method,
        "last_payment_error": None,
        "next_action": constants("next_action") if asks else None,
    }
    account.keep(intent.id, kept)
    if asks and intent.status == "requires_action":
        return intent
    if outcome.kind == SUCCEEDS:
        return arrive(account, intent.id, call.request)
    return twin.progress(intent.id, outcome.kind, request=call.request)


def decline(
    account: Account,
    intent: records.PaymentIntent,
    payment_method: str,
    outcome: Outcome,
    request: Request,
) -> records.PaymentIntent:
    """An attempt to pay was declined; the intent remembers it and waits for another method."""
    method = {
        **constants("payment_method"),
        "id": payment_method,
        "created": intent.created,
        "livemode": intent.livemode,
    }
    error = {
        **outcome.error,
        "doc_url": doc_url(outcome.error["code"]),
        "payment_method": method,
        "type": "card_error",
    }
    account.keep(
        intent.id, {"payment_method": None, "last_payment_error": error, "next_action": None}
    )
    if intent.status != "requires_payment_method":
        return account.twin.progress(intent.id, "requires_payment_method", request=request)
    account.twin.announce([Fact("payment_intent.payment_failed", intent)], request)
    return intent


def _declined(outcome: Outcome, intent: dict[str, Any]) -> StripeError:
    """The 402 for a decline; the intent as it is now comes with it."""
    return StripeError(
        outcome.error["message"],
        status=402,
        kind="card_error",
        code=outcome.error["code"],
        details={**outcome.error, "payment_intent": intent},
    )


def arrive(account: Account, intent_id: str, request: Request) -> records.PaymentIntent:
    """The money is there: taken at once, or held for a capture."""
    manual = account.kept(intent_id, "capture_method") == "manual"
    status = "requires_capture" if manual else "succeeded"
    return account.twin.progress(intent_id, status, request=request)
