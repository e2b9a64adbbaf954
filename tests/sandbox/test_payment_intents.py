"""PaymentIntents: what each test payment method leads to, and what each status allows."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.driving import Api
from tests.support.stage import ACME, Stage

INTENT = {"amount": 1000, "currency": "usd", "customer": ACME}

OUTCOMES = [
    pytest.param("pm_card_visa", "succeeded", id="succeeds"),
    pytest.param("pm_card_mastercard", "succeeded", id="succeeds with another brand"),
    pytest.param("pm_usBankAccount", "processing", id="is under way"),
    pytest.param("pm_card_authenticationRequired", "requires_action", id="asks for an action"),
]

DECLINES = [
    pytest.param("pm_card_chargeDeclined", "card_declined", "generic_decline", id="generic"),
    pytest.param(
        "pm_card_chargeDeclinedInsufficientFunds",
        "card_declined",
        "insufficient_funds",
        id="insufficient funds",
    ),
    pytest.param("pm_card_chargeDeclinedExpiredCard", "expired_card", None, id="expired"),
]


@pytest.mark.parametrize(("method", "status"), OUTCOMES)
async def test_a_test_method_decides_what_becomes_of_an_intent(
    api: Api, method: str, status: str
) -> None:
    """As in Stripe's test mode, the name of the method is the outcome."""
    given = {**INTENT, "payment_method": method, "confirm": "true"}

    intent = await api.made("/v1/payment_intents", given)

    assert (intent["status"], intent["payment_method"]) == (status, method)


@pytest.mark.parametrize(("method", "code", "decline_code"), DECLINES)
async def test_a_declined_card_is_a_402(
    api: Api, method: str, code: str, decline_code: str | None
) -> None:
    """The error carries the codes and the intent, which waits for another method."""
    intent = await api.made("/v1/payment_intents", INTENT)

    path = f"/v1/payment_intents/{intent['id']}/confirm"
    reply = await api.post(path, {"payment_method": method})

    assert (reply.status, reply.error["type"], reply.error["code"]) == (402, "card_error", code)
    assert reply.error.get("decline_code") == decline_code
    assert reply.error["payment_intent"]["status"] == "requires_payment_method"
    assert reply.error["payment_intent"]["last_payment_error"]["code"] == code


async def test_the_sdk_raises_a_card_error(sdk: stripe.StripeClient) -> None:
    """The envelope is one that Stripe's SDK reads."""
    given = {**INTENT, "payment_method": "pm_card_chargeDeclined", "confirm": True}

    with pytest.raises(stripe.CardError) as caught:
        await sdk.v1.payment_intents.create_async(given)

    assert (caught.value.code, caught.value.error.decline_code) == (
        "card_declined",
        "generic_decline",
    )


async def test_a_decline_is_announced(api: Api) -> None:
    """`payment_intent.payment_failed` is told, though the status has not moved."""
    given = {**INTENT, "payment_method": "pm_card_chargeDeclined", "confirm": "true"}

    await api.post("/v1/payment_intents", given)

    events = (await api.get("/v1/events", {"type": "payment_intent.payment_failed"})).body["data"]
    assert [event["data"]["object"]["last_payment_error"]["code"] for event in events] == [
        "card_declined"
    ]


async def test_a_declined_intent_can_be_paid_with_another_card(api: Api) -> None:
    """The error of the last attempt goes with the next one."""
    given = {**INTENT, "payment_method": "pm_card_chargeDeclined", "confirm": "true"}
    reply = await api.post("/v1/payment_intents", given)
    intent_id = reply.error["payment_intent"]["id"]

    path = f"/v1/payment_intents/{intent_id}/confirm"
    intent = await api.made(path, {"payment_method": "pm_card_visa"})

    assert (intent["status"], intent["last_payment_error"]) == ("succeeded", None)


@pytest.mark.parametrize(
    ("outcome", "status"), [("succeeded", "succeeded"), ("failed", "requires_payment_method")]
)
async def test_an_intent_under_way_is_settled_on_order(
    stage: Stage, api: Api, outcome: str, status: str
) -> None:
    """A bank debit takes days; a test says when it is over, and the invoice follows."""
    invoice_id = stage.open_invoice(1000)
    given = {**INTENT, "payment_method": "pm_usBankAccount", "confirm": "true"}
    intent = await api.made("/v1/payment_intents", given)
    attach = f"/v1/invoices/{invoice_id}/attach_payment"
    await api.made(attach, {"payment_intent": intent["id"]})

    path = f"/payment_intents/{intent['id']}/settle"
    reply = await api.control("POST", path, {"outcome": outcome})

    invoice = (await api.get(f"/v1/invoices/{invoice_id}")).body
    assert reply.body["status"] == status
    assert invoice["amount_paid"] == (1000 if outcome == "succeeded" else 0)


async def test_manual_capture_holds_the_money(api: Api) -> None:
    """What is captured counts, and no more."""
    given = {**INTENT, "capture_method": "manual", "payment_method": "pm_card_visa"}
    held = await api.made("/v1/payment_intents", {**given, "confirm": "true"})

    path = f"/v1/payment_intents/{held['id']}/capture"
    captured = await api.made(path, {"amount_to_capture": 600})

    assert (held["status"], held["amount_capturable"]) == ("requires_capture", 1000)
    assert (captured["status"], captured["amount_received"]) == ("succeeded", 600)
    assert captured["amount_capturable"] == 0


REFUSED = [
    pytest.param("confirm", {"payment_method": "pm_card_visa"}, id="confirm"),
    pytest.param("cancel", {}, id="cancel"),
    pytest.param("capture", {}, id="capture"),
]


@pytest.mark.parametrize(("step", "params"), REFUSED)
async def test_a_succeeded_intent_takes_no_further_step(
    stage: Stage, api: Api, step: str, params: dict[str, str]
) -> None:
    """Money that has come can be neither collected again nor called off."""
    intent_id = stage.succeeded(500)

    reply = await api.post(f"/v1/payment_intents/{intent_id}/{step}", params)

    assert (reply.status, reply.error["code"]) == (400, "payment_intent_unexpected_state")


async def test_a_default_intent_is_neither_edited_nor_canceled(stage: Stage, api: Api) -> None:
    """The invoice keeps it in step with what remains."""
    payment = stage.twin.book(stage.open_invoice(1000)).payments[0]

    edited = await api.post(f"/v1/payment_intents/{payment.source_id}", {"amount": 5})
    canceled = await api.post(f"/v1/payment_intents/{payment.source_id}/cancel")

    assert (edited.status, canceled.status) == (400, 400)
    assert stage.twin.intent(payment.source_id).amount == 1000


async def test_a_canceled_intent_remembers_why(stage: Stage, api: Api) -> None:
    """The reason is one of Stripe's words."""
    intent_id = stage.intent(500)

    path = f"/v1/payment_intents/{intent_id}/cancel"
    intent = await api.made(path, {"cancellation_reason": "duplicate"})

    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "duplicate")
    assert intent["canceled_at"] == stage.clock.now()


async def test_an_unknown_method_is_refused(api: Api) -> None:
    """Only Stripe's test methods mean something here."""
    reply = await api.post("/v1/payment_intents", {**INTENT, "payment_method": "pm_nobody"})

    assert reply.error["code"] == "resource_missing"
    assert reply.error["param"] == "payment_method"


async def test_a_declined_default_leaves_the_invoice_open(stage: Stage, api: Api) -> None:
    """`pay` with a bad card tells of the failure, and of the invoice's."""
    invoice_id = stage.open_invoice(1000)

    reply = await api.post(
        f"/v1/invoices/{invoice_id}/pay", {"payment_method": "pm_card_chargeDeclined"}
    )

    events = (await api.get("/v1/events", {"type": "*.payment_failed"})).body["data"]
    assert (reply.status, stage.twin.invoice(invoice_id).status) == (402, "open")
    assert {event["type"] for event in events} == {
        "invoice.payment_failed",
        "payment_intent.payment_failed",
    }


async def test_an_update_with_a_method_asks_for_confirmation(stage: Stage, api: Api) -> None:
    """With a method at hand, only the confirmation is missing."""
    intent_id = stage.intent(500)

    intent = await api.made(
        f"/v1/payment_intents/{intent_id}", {"payment_method": "pm_card_visa", "amount": 700}
    )

    assert (intent["status"], intent["amount"]) == ("requires_confirmation", 700)
