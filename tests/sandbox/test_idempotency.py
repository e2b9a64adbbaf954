"""Idempotency keys, as Stripe's page on them tells it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.sandbox.stripe_api import Fault, FaultKind, Sandbox
from tests.sandbox.driving import PREVIEW, Api
from tests.support.stage import ACME, Stage

INTENT = {"amount": 500, "currency": "usd", "customer": ACME}


async def test_a_repeat_answers_what_the_first_call_answered(stage: Stage, api: Api) -> None:
    """Once is once, however often it is sent."""
    first = await api.post("/v1/payment_intents", INTENT, idempotency_key="once")
    again = await api.post("/v1/payment_intents", INTENT, idempotency_key="once")

    assert again.body == first.body
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert len(stage.twin.payment_intents) == 1


async def test_a_repeat_answers_what_was_true_then(stage: Stage, api: Api) -> None:
    """The first answer stands, though the object has moved on."""
    invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
    path, given = f"/v1/invoices/{invoice_id}/attach_payment", {"payment_intent": intent_id}
    await api.post(path, given, idempotency_key="attach")
    stage.twin.detach(invoice_id, intent_id)

    again = await api.post(path, given, idempotency_key="attach")

    assert (again.body["amount_paid"], stage.twin.invoice(invoice_id).amount_paid) == (400, 0)


async def test_a_key_is_forgotten_after_a_day(stage: Stage, api: Api) -> None:
    """Stripe keeps keys for 24 hours: a later repeat is a new request, and does it again."""
    await api.post("/v1/payment_intents", INTENT, idempotency_key="once")
    stage.clock.advance(24 * 3600 - 1)
    within_the_day = await api.post("/v1/payment_intents", INTENT, idempotency_key="once")
    stage.clock.advance(1)

    after_it = await api.post("/v1/payment_intents", INTENT, idempotency_key="once")

    assert within_the_day.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in after_it.headers
    assert len(stage.twin.payment_intents) == 2


async def test_other_parameters_under_the_same_key_are_refused(api: Api) -> None:
    """A key stands for one request and no other."""
    await api.post("/v1/payment_intents", INTENT, idempotency_key="once")

    reply = await api.post("/v1/payment_intents", {**INTENT, "amount": 600}, idempotency_key="once")

    assert (reply.status, reply.error["type"]) == (400, "idempotency_error")


async def test_another_expand_is_another_request(api: Api) -> None:
    """Stripe compares all parameters, `expand` among them."""
    await api.post("/v1/payment_intents", INTENT, idempotency_key="once")

    expanded = {**INTENT, "expand[]": "customer"}
    reply = await api.post("/v1/payment_intents", expanded, idempotency_key="once")

    assert reply.error["type"] == "idempotency_error"


async def test_another_endpoint_under_the_same_key_is_refused(api: Api) -> None:
    """The address belongs to the request."""
    await api.post("/v1/customers", {}, idempotency_key="once")

    reply = await api.post("/v1/webhook_endpoints", {}, idempotency_key="once")

    assert reply.error["type"] == "idempotency_error"


async def test_an_error_of_the_work_is_stored(stage: Stage, api: Api) -> None:
    """A refusal is an answer too, and stays the answer under its key."""
    invoice_id, intent_id = stage.open_invoice(100), stage.succeeded(400)
    path, given = f"/v1/invoices/{invoice_id}/attach_payment", {"payment_intent": intent_id}

    first = await api.post(path, given, idempotency_key="attach")
    again = await api.post(path, given, idempotency_key="attach")

    assert (first.status, again.status, again.body) == (400, 400, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"


STOPPED = [
    pytest.param({"currency": "usd"}, id="missing"),
    pytest.param({**INTENT, "surprise": "1"}, id="unknown"),
    pytest.param({**INTENT, "amount": "much"}, id="no integer"),
    pytest.param({**INTENT, "expand[]": "surprise"}, id="expand"),
]


@pytest.mark.parametrize("given", STOPPED)
async def test_what_never_began_is_not_stored(api: Api, given: dict[str, str]) -> None:
    """A key that met a mistake in the call is free for the corrected one."""
    stopped = await api.post("/v1/payment_intents", given, idempotency_key="once")

    reply = await api.post("/v1/payment_intents", INTENT, idempotency_key="once")

    assert (stopped.status, reply.status) == (400, 200)


async def test_a_500_is_stored(stage: Stage, sandbox: Sandbox, api: Api) -> None:
    """After a 500 the same key cannot help any more; nobody knows whether it was done."""
    sandbox.faults.add(Fault(FaultKind.SERVER_ERROR, applied=True), method="POST")

    first = await api.post("/v1/payment_intents", INTENT, idempotency_key="once")
    again = await api.post("/v1/payment_intents", INTENT, idempotency_key="once")

    assert (first.status, again.status) == (500, 500)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(stage.twin.payment_intents) == 1


async def test_the_same_key_at_the_same_time_is_a_conflict(sandbox: Sandbox, api: Api) -> None:
    """The second call does not wait for the first; it is told to come again."""
    sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=0.2), method="POST")

    replies = await asyncio.gather(
        *(api.post("/v1/payment_intents", INTENT, idempotency_key="once") for _ in range(2))
    )

    statuses = {reply.status: reply for reply in replies}
    assert set(statuses) == {200, 409}
    assert statuses[409].error["code"] == "idempotency_key_in_use"


async def test_a_key_means_nothing_to_a_get(api: Api, stage: Stage) -> None:
    """Reads are never repeated from store."""
    invoice_id = stage.open_invoice()

    await api.get(f"/v1/invoices/{invoice_id}", idempotency_key="once")
    stage.twin.void(invoice_id)
    reply = await api.get(f"/v1/invoices/{invoice_id}", idempotency_key="once")

    assert reply.body["status"] == "void"


async def test_a_key_has_a_length(api: Api) -> None:
    """255 characters are Stripe's limit."""
    longest = await api.post("/v1/customers", {}, idempotency_key="k" * 255)
    longer = await api.post("/v1/customers", {}, idempotency_key="k" * 256)

    assert (longest.status, longer.status) == (200, 400)


async def test_the_key_stands_in_the_events(stage: Stage, api: Api) -> None:
    """Whoever caused an event finds it again by the key that was sent."""
    invoice_id, intents = stage.paid_by(1000)
    path = f"/v1/invoices/{invoice_id}/detach_payment"

    reply = await api.post(
        path, {"payment_intent": intents[0]}, idempotency_key="undo", version=PREVIEW
    )

    events = (await api.get("/v1/events", {"type": "invoice_payment.detached"})).body["data"]
    assert events[0]["request"] == {
        "id": reply.headers["Request-Id"],
        "idempotency_key": "undo",
    }
