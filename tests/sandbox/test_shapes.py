"""Every object that the sandbox answers has the shape that Stripe's SDK knows."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.driving import PREVIEW, Api
from tests.sandbox.shapes import problems
from tests.support.stage import Stage

KINDS = {
    "customer": stripe.Customer,
    "invoice": stripe.Invoice,
    "invoiceitem": stripe.InvoiceItem,
    "line_item": stripe.InvoiceLineItem,
    "invoice_payment": stripe.InvoicePayment,
    "payment_intent": stripe.PaymentIntent,
    "payment_record": stripe.PaymentRecord,
    "credit_note": stripe.CreditNote,
    "event": stripe.Event,
    "webhook_endpoint": stripe.WebhookEndpoint,
}

PREVIEW_ONLY = ("invoice_payment.detached", "invoice.payment.overpaid")
"""Types of events that the GA SDK cannot name."""

LISTS = (
    "/v1/customers",
    "/v1/invoices",
    "/v1/invoiceitems",
    "/v1/invoice_payments",
    "/v1/payment_intents",
    "/v1/payment_records",
    "/v1/credit_notes",
    "/v1/events",
    "/v1/webhook_endpoints",
)


async def a_busy_account(stage: Stage, api: Api) -> str:
    """Something of everything; answers an invoice with lines and payments."""
    customer = await api.made("/v1/customers", {"name": "Pebble", "address[city]": "Bergen"})
    await api.made("/v1/webhook_endpoints", {"url": "http://127.0.0.1:9/", "enabled_events[]": "*"})
    draft = await api.made("/v1/invoices", {"customer": customer["id"]})
    for amount in (1500, 500):
        await api.made("/v1/invoiceitems", {"invoice": draft["id"], "amount": amount})
    await api.made(f"/v1/invoices/{draft['id']}/finalize")
    for method in ("pm_card_visa", "pm_usBankAccount", "pm_card_threeDSecure2Required"):
        intent = {"amount": 100, "currency": "usd", "customer": customer["id"]}
        made = await api.made(
            "/v1/payment_intents", {**intent, "payment_method": method, "confirm": "true"}
        )
        await api.made(f"/v1/invoices/{draft['id']}/attach_payment", {"payment_intent": made["id"]})
    declined = {"amount": 100, "currency": "usd", "payment_method": "pm_card_chargeDeclined"}
    await api.post("/v1/payment_intents", {**declined, "confirm": "true"})
    facts = {"amount": 250, "currency": "usd", "money_movement_type": "received"}
    await api.made(
        f"/v1/invoices/{draft['id']}/attach_payment",
        {f"payment_record_data[{name}]": value for name, value in facts.items()},
        version=PREVIEW,
    )
    await api.made("/v1/credit_notes", {"invoice": draft["id"], "amount": 200, "memo": "Sorry"})
    stage.twin.void(stage.open_invoice(700))
    stage.draft(50, due_date=stage.clock.now())
    paid = stage.paid_by(300, 400)[0]
    stage.twin.detach(paid, stage.twin.book(paid).payments[-1].source_id)
    return str(draft["id"])


@pytest.mark.parametrize("path", LISTS)
async def test_every_object_has_the_shape_of_the_sdk(stage: Stage, api: Api, path: str) -> None:
    """A client that is typed by Stripe's SDK finds each field, with its type, on the object."""
    await a_busy_account(stage, api)

    members = (await api.get(path, {"limit": 100})).body["data"]

    shown = [one for one in members if one.get("type") not in PREVIEW_ONLY]
    assert shown
    found = [problem for one in shown for problem in problems(one, KINDS[one["object"]])]
    assert found == []


async def test_what_is_in_an_event_has_the_shape_of_the_sdk(stage: Stage, api: Api) -> None:
    """An event carries the whole object, as a receiver without a second call needs it."""
    await a_busy_account(stage, api)

    events = (await api.get("/v1/events", {"limit": 100})).body["data"]

    objects = [event["data"]["object"] for event in events]
    found = [problem for one in objects for problem in problems(one, KINDS[one["object"]])]
    assert found == []


async def test_lines_and_expanded_objects_have_the_shape_of_the_sdk(stage: Stage, api: Api) -> None:
    """What stands inside another object is the same object as on its own."""
    invoice_id = await a_busy_account(stage, api)
    expand = {"expand[0]": "payments.data.payment.payment_intent", "expand[1]": "customer"}

    invoice = (await api.get(f"/v1/invoices/{invoice_id}", expand)).body
    lines = (await api.get(f"/v1/invoices/{invoice_id}/lines")).body["data"]

    assert isinstance(invoice["customer"], dict)
    assert list(problems(invoice, stripe.Invoice)) == []
    assert [problem for one in lines for problem in problems(one, KINDS["line_item"])] == []


async def test_a_previewed_credit_note_has_the_shape_of_the_sdk(stage: Stage, api: Api) -> None:
    """A preview is printed like the note that would be issued."""
    note = {"invoice": stage.open_invoice(1000), "amount": 300}

    shown = (await api.get("/v1/credit_notes/preview", note)).body

    assert list(problems(shown, stripe.CreditNote)) == []
    assert (shown["pre_payment_amount"], shown["post_payment_amount"]) == (300, 0)


def test_the_check_of_shapes_finds_what_is_wrong() -> None:
    """A check that finds nothing anywhere would prove nothing."""
    shown = {"id": 1, "object": "invoice_payment", "surprise": True}

    found = list(problems(shown, stripe.InvoicePayment))

    assert ".surprise: is not known to the SDK" in found
    assert ".id: 1 is no str" in found
    assert ".currency: is absent" in found
