"""Webhooks: who gets which event, signed how, and what happens when it does not arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import stripe

from gateway.backends.memory.twin import Twin
from gateway.clock import RandomIds, SystemClock
from gateway.sandbox.stripe_api import FaultKind, Sandbox, running_sandbox
from tests.sandbox.driving import PREVIEW, Api, api_of
from tests.sandbox.receiver import Receiver, receiving
from tests.support.stage import Stage

ENDPOINTS = "/v1/webhook_endpoints"


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def listening(api: Api, receiver: Receiver, *types: str, **more: Any) -> dict[str, Any]:
    """The endpoint that brings these types to the receiver; all of them when none is named."""
    wanted = {f"enabled_events[{at}]": name for at, name in enumerate(types or ("*",))}
    endpoint: dict[str, Any] = await api.made(ENDPOINTS, {"url": receiver.url, **wanted, **more})
    return endpoint


async def test_an_event_is_signed_for_the_sdk(receiver: Receiver) -> None:
    """The SDK accepts the signature with its own tolerance, and no other secret's."""
    twin = Twin(now=SystemClock().now, new_id=RandomIds().new)
    async with running_sandbox(twin) as sandbox, api_of(sandbox) as api:
        endpoint = await listening(api, receiver)
        client = stripe.StripeClient("sk_test_1")

        await api.made("/v1/customers", {"name": "Pebble"})
        await sandbox.webhooks.idle()

    one = receiver.received[0]
    event = client.construct_event(one.payload, one.signature, endpoint["secret"])
    assert (event.type, event.data.object.name) == ("customer.created", "Pebble")
    with pytest.raises(stripe.SignatureVerificationError):
        client.construct_event(one.payload, one.signature, "whsec_another")


async def test_the_secret_is_shown_once(api: Api, receiver: Receiver) -> None:
    """Whoever lost it makes another endpoint."""
    made = await listening(api, receiver)

    shown = (await api.get(f"{ENDPOINTS}/{made['id']}")).body
    listed = (await api.get(ENDPOINTS)).body["data"]

    assert made["secret"].startswith("whsec_")
    assert "secret" not in shown
    assert listed == [shown]


async def test_an_endpoint_gets_the_types_it_asked_for(
    stage: Stage, sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """Nothing else, whatever else happens in the same step."""
    await listening(api, receiver, "invoice.paid", "invoice_payment.paid")

    stage.paid_by(1000)
    await sandbox.webhooks.idle()

    assert sorted(receiver.types) == ["invoice.paid", "invoice_payment.paid"]


async def test_detached_comes_to_those_who_asked_for_all(
    stage: Stage, sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """It cannot be asked for by name, and still it comes."""
    await listening(api, receiver)
    invoice_id, intents = stage.paid_by(1000)

    await api.made(
        f"/v1/invoices/{invoice_id}/detach_payment",
        {"payment_intent": intents[0]},
        version=PREVIEW,
        idempotency_key="undo",
    )
    await sandbox.webhooks.idle()

    event = next(one.event for one in receiver.received if "detached" in one.event["type"])
    assert event["data"]["object"]["invoice"] == invoice_id
    assert event["request"]["idempotency_key"] == "undo"
    assert "previous_attributes" not in event["data"]


async def test_detached_cannot_be_asked_for_by_name(api: Api, receiver: Receiver) -> None:
    """The name was taken out of what an endpoint may list."""
    reply = await api.post(
        ENDPOINTS, {"url": receiver.url, "enabled_events[]": "invoice_payment.detached"}
    )

    assert (reply.status, reply.error["param"]) == (400, "enabled_events[0]")


async def test_an_update_tells_what_was_there_before(
    stage: Stage, sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """Names and nesting are those of the API, and only what changed is told."""
    await listening(api, receiver, "invoice.updated")
    invoice_id = stage.open_invoice(1000)
    await sandbox.webhooks.idle()
    receiver.received.clear()

    stage.twin.attach(invoice_id, stage.succeeded(1000))
    await sandbox.webhooks.idle()

    content = receiver.received[0].event["data"]
    assert content["previous_attributes"] == {
        "amount_paid": 0,
        "amount_remaining": 1000,
        "attempt_count": 0,
        "attempted": False,
        "status": "open",
        "status_transitions": {"paid_at": None},
    }
    assert content["object"]["status_transitions"]["paid_at"] == stage.clock.now()


async def test_an_event_is_printed_in_the_endpoints_version(
    sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """The version is the endpoint's; the list of events has the account's."""
    await listening(api, receiver, api_version=PREVIEW)

    await api.made("/v1/customers")
    await sandbox.webhooks.idle()

    listed = (await api.get("/v1/events")).body["data"][0]
    assert receiver.received[0].event["api_version"] == PREVIEW
    assert (listed["id"], listed["api_version"]) == (
        receiver.received[0].event["id"],
        "2026-10-28.endive",
    )


async def test_a_delivery_that_failed_comes_again(
    sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """The same event, until it is taken; then nobody waits for it any more."""
    await listening(api, receiver)
    receiver.answers.extend([500, 302])

    await api.made("/v1/customers")
    await sandbox.webhooks.idle()

    ids = {one.event["id"] for one in receiver.received}
    waiting = [one.event["pending_webhooks"] for one in receiver.received]
    event = (await api.get(f"/v1/events/{ids.pop()}")).body
    assert (ids, waiting) == (set(), [1, 1, 1])
    assert event["pending_webhooks"] == 0
    assert [one.status for one in sandbox.webhooks.deliveries] == [500, 302, 200]


async def test_retries_come_to_an_end(sandbox: Sandbox, api: Api, receiver: Receiver) -> None:
    """What was never taken can be found among the events."""
    await listening(api, receiver)
    receiver.answers.extend([500] * 3)

    await api.made("/v1/customers")
    await sandbox.webhooks.idle()

    undelivered = await api.get("/v1/events", {"delivery_success": "false"})
    assert len(receiver.received) == 3
    assert undelivered.ids == [receiver.received[0].event["id"]]
    assert (await api.get("/v1/events", {"delivery_success": "true"})).ids == []


async def test_nobody_listening_is_no_trouble(sandbox: Sandbox, api: Api) -> None:
    """A receiver that is down costs its own deliveries, nothing else."""
    await api.made(ENDPOINTS, {"url": "http://127.0.0.1:9/hook", "enabled_events[]": "*"})

    customer = await api.made("/v1/customers")
    await sandbox.webhooks.idle()

    assert customer["object"] == "customer"
    assert [one.status for one in sandbox.webhooks.deliveries] == [None, None, None]


async def test_a_disabled_endpoint_gets_nothing(
    sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """Until it is enabled again."""
    endpoint = await listening(api, receiver)
    path = f"{ENDPOINTS}/{endpoint['id']}"

    await api.made(path, {"disabled": "true"})
    await api.made("/v1/customers")
    await api.made(path, {"disabled": "false"})
    await api.made("/v1/customers")
    await sandbox.webhooks.idle()

    assert len(receiver.received) == 1


async def test_a_deleted_endpoint_gets_nothing(
    sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """It is gone from the list as well."""
    endpoint = await listening(api, receiver)

    deleted = (await api.send("DELETE", f"{ENDPOINTS}/{endpoint['id']}")).body
    await api.made("/v1/customers")
    await sandbox.webhooks.idle()

    assert deleted == {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}
    assert (receiver.received, (await api.get(ENDPOINTS)).ids) == ([], [])


MANNERS = [
    pytest.param(
        FaultKind.WEBHOOKS_DOUBLED,
        ["payment_intent.created"] * 2 + ["payment_intent.succeeded"] * 2,
        id="doubled",
    ),
    pytest.param(
        FaultKind.WEBHOOKS_SHUFFLED,
        ["payment_intent.succeeded", "payment_intent.created"],
        id="shuffled",
    ),
    pytest.param(FaultKind.WEBHOOKS_WITHHELD, [], id="withheld"),
]


@pytest.mark.parametrize(("manner", "types"), MANNERS)
async def test_webhooks_misbehave_on_order(
    sandbox: Sandbox, api: Api, receiver: Receiver, manner: FaultKind, types: list[str]
) -> None:
    """At least once, in no order: what Stripe does not promise can be had."""
    await listening(api, receiver)
    sandbox.faults.add(manner, path="/v1/payment_intents")

    intent = {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    await api.made("/v1/payment_intents", intent)
    await sandbox.webhooks.idle()

    assert receiver.types == types


async def test_withheld_events_are_sent_when_released(
    sandbox: Sandbox, api: Api, receiver: Receiver
) -> None:
    """Late is another order that a receiver must cope with."""
    await listening(api, receiver)
    sandbox.faults.add(FaultKind.WEBHOOKS_WITHHELD)
    await api.made("/v1/customers", {"name": "first"})
    await api.made("/v1/customers", {"name": "second"})
    await sandbox.webhooks.idle()

    reply = await api.control("POST", "/webhooks/release")
    await sandbox.webhooks.idle()

    names = [one.event["data"]["object"]["name"] for one in receiver.received]
    assert (reply.body, names) == ({"released": 1}, ["second", "first"])


BAD_ENDPOINTS = [
    pytest.param({"url": "example.com", "enabled_events[]": "*"}, "url", id="no scheme"),
    pytest.param({"url": "http://127.0.0.1/"}, "enabled_events", id="no types"),
    pytest.param({"enabled_events[]": "*"}, "url", id="no url"),
    pytest.param(
        {"url": "http://127.0.0.1/", "enabled_events[]": "everything"},
        "enabled_events[0]",
        id="no such type",
    ),
]


@pytest.mark.parametrize(("given", "param"), BAD_ENDPOINTS)
async def test_a_bad_endpoint_is_refused(api: Api, given: dict[str, str], param: str) -> None:
    """An endpoint that could never work is told at once."""
    reply = await api.post(ENDPOINTS, given)

    assert (reply.status, reply.error["param"]) == (400, param)
