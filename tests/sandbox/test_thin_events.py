"""Thin events: which facts have one, what it says, how it is listed, and how it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import stripe
from stripe.events._event_classes import _V2_EVENT_CLASS_LOOKUP

from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api import Fault, FaultKind, Sandbox
from tests.sandbox.driving import Api
from tests.sandbox.receiver import Received, Receiver, receiving
from tests.sandbox.shapes import problems
from tests.sandbox.test_shapes import a_busy_account
from tests.support.stage import ACME, Stage
from tests.support.time_and_ids import START

EVENTS = "/v2/core/events"
OPEN, CANCELED = "v1.invoice_payment.open", "v1.invoice_payment.canceled"


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def listening(
    sdk: stripe.StripeClient, url: str, *types: str, payload: str = "thin"
) -> stripe.v2.core.EventDestination:
    """The destination that brings these types to the receiver; all of them when none is named."""
    return await sdk.v2.core.event_destinations.create_async(
        {
            "name": "A test",
            "type": "webhook_endpoint",
            "event_payload": payload,
            "enabled_events": list(types) or ["*"],
            "webhook_endpoint": {"url": url},
            "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
        }
    )


async def listed(sdk: stripe.StripeClient, **filters: Any) -> list[Any]:
    page = await sdk.v2.core.events.list_async({"limit": 100, **filters})
    return [one.to_dict() async for one in page.auto_paging_iter()]


async def test_a_fact_has_a_snapshot_event_and_a_thin_one(
    stage: Stage, api: Api, sdk: stripe.StripeClient
) -> None:
    """The thin one names the other, the object, and the request behind both."""
    customer = await api.made("/v1/customers", {"name": "Pebble"}, idempotency_key="once")
    (snapshot,) = (await api.get("/v1/events")).body["data"]

    (event,) = await listed(sdk)

    assert (event["type"], event["snapshot_event"]) == ("v1.customer.created", snapshot["id"])
    assert event["related_object"] == {
        "id": customer["id"],
        "type": "customer",
        "url": f"/v1/customers/{customer['id']}",
    }
    assert event["reason"]["request"] == snapshot["request"]
    assert event["reason"]["request"]["idempotency_key"] == "once"
    assert event["created"] == "2026-01-01T00:00:00.000Z"
    assert event["id"] != snapshot["id"]


async def test_an_attach_opens_an_invoice_payment(
    stage: Stage, sdk: stripe.StripeClient, api: Api
) -> None:
    """By whomever, of a paid intent too; no list of snapshot events has it."""
    invoice_id = stage.open_invoice(1000)
    intent_id = stage.succeeded(400)
    before = {one["id"] for one in await listed(sdk)}

    attached = await sdk.v1.invoices.attach_payment_async(
        invoice_id, {"payment_intent": intent_id, "expand": ["payments"]}
    )

    assert attached.payments is not None
    mine = next(one for one in attached.payments.data if one.payment.payment_intent == intent_id)
    new = [one for one in await listed(sdk) if one["id"] not in before]
    of_payment = {one["type"]: one for one in new if one["related_object"]["id"] == mine.id}
    assert set(of_payment) == {OPEN, "v1.invoice_payment.paid"}
    assert of_payment[OPEN]["snapshot_event"] is None
    assert of_payment["v1.invoice_payment.paid"]["snapshot_event"] is not None
    snapshots = {one["type"] for one in (await api.get("/v1/events", {"limit": 100})).body["data"]}
    assert "invoice_payment.paid" in snapshots
    assert not snapshots & {"invoice_payment.open", "invoice_payment.canceled"}


async def test_default_payments_open_and_are_canceled(
    stage: Stage, sdk: stripe.StripeClient
) -> None:
    """At finalization, when something else pays the invoice, and when it is reopened."""
    invoice_id, (intent_id,) = stage.paid_by(1000)
    stage.twin.detach(invoice_id, intent_id)

    events = await listed(sdk, types=[OPEN, CANCELED])

    told = [(one["type"], one["related_object"]["id"]) for one in events[::-1]]
    first, attached, again = (one for kind, one in told if kind == OPEN)
    assert sorted(told[1:3]) == sorted([(OPEN, attached), (CANCELED, first)])
    assert (told[0], told[3]) == ((OPEN, first), (OPEN, again))
    assert len({first, attached, again}) == 3


async def test_what_only_previews_tell_has_no_thin_event(
    stage: Stage, sdk: stripe.StripeClient
) -> None:
    """There is no thin `detached`, in no version."""
    invoice_id, (intent_id,) = stage.paid_by(1000)
    stage.twin.detach(invoice_id, intent_id)

    types = {one["type"] for one in await listed(sdk)}

    assert "v1.invoice_payment.paid" in types
    assert not {one for one in types if "detached" in one}


async def test_every_thin_event_is_one_that_the_sdk_knows(
    stage: Stage, api: Api, sdk: stripe.StripeClient
) -> None:
    """By its type, with each field, and none that is strange."""
    await a_busy_account(stage, api)
    stage.twin.tell("customer.updated", stage.twin.customers.get(ACME), request=Request("r", "k"))

    events = await listed(sdk)

    assert len(events) > 20
    for event in events:
        kind = _V2_EVENT_CLASS_LOOKUP[event["type"]]
        reason = event["reason"]
        if reason is not None and reason["request"]["idempotency_key"] is None:
            event = {**event, "reason": None}  # v1 requests without a key: nothing is documented
        assert list(problems(event, kind)) == []


async def test_an_update_says_what_changed(stage: Stage, sdk: stripe.StripeClient) -> None:
    """Before and after, in the event that is retrieved and not in the notification."""
    invoice_id = stage.open_invoice(1000)
    stage.twin.update_metadata(invoice_id, (("order", "6"),))
    (event, *_) = await listed(sdk, types=["v1.invoice.updated"])

    found = (await sdk.v2.core.events.retrieve_async(event["id"])).to_dict()

    assert found == event
    changes = found["changes"]
    assert (changes["before"], changes["after"]) == ({"metadata": {}}, {"metadata": {"order": "6"}})


async def test_the_list_is_newest_first_in_pages(stage: Stage, sdk: stripe.StripeClient) -> None:
    """Each page says where the next one is, with the filters of the first; all are told once."""
    for _ in range(3):
        stage.open_invoice(1000)
    types = ["v1.invoice.created", "v1.invoice.finalized"]

    page = await sdk.v2.core.events.list_async({"limit": 4, "types": types})
    walked = [one.id async for one in page.auto_paging_iter()]
    whole = await listed(sdk, types=types)

    assert walked == [one["id"] for one in whole]
    assert len(page.data) == 4
    assert len(walked) == 6
    assert {one["type"] for one in whole} == set(types)
    assert [one["created"] for one in whole] == sorted(one["created"] for one in whole)[::-1]


async def test_pages_lead_back_too(api: Api, stage: Stage) -> None:
    """And stay what they were when something new happens in front of them."""
    for _ in range(5):
        stage.draft()
    first = (await api.get(EVENTS, {"limit": 2})).body

    stage.draft()
    second = (await api.get(first["next_page_url"])).body
    back = (await api.get(second["previous_page_url"])).body

    assert back["data"] == first["data"]
    assert first["previous_page_url"] is None
    assert len({one["id"] for page in (first, second) for one in page["data"]}) == 4


async def test_events_are_found_by_object_and_time(stage: Stage, sdk: stripe.StripeClient) -> None:
    """Of one object, within a range of which each end is in it or not, to the millisecond."""
    invoice_id = stage.draft()
    stage.draft()
    stage.twin.finalize(invoice_id, number="N-1")

    mine = await listed(sdk, object_id=invoice_id)
    moment = mine[1]["created"]

    kinds = ["v1.invoice.updated", "v1.invoice.finalized", "v1.invoice.created"]
    assert [one["type"] for one in mine] == kinds
    for bound, expected in (
        ("gte", kinds[:2]),
        ("gt", kinds[:1]),
        ("lte", kinds[1:]),
        ("lt", kinds[2:]),
    ):
        found = await listed(sdk, object_id=invoice_id, created={bound: moment})
        assert [one["type"] for one in found] == expected, bound


BAD_LISTS = [
    pytest.param({"types": [f"v1.a.{at}" for at in range(21)]}, id="too many types"),
    pytest.param({"created": {"gt": START}}, id="seconds"),
    pytest.param({"created": {"gt": "2026-01-01T00:00:00"}}, id="a time without a zone"),
    pytest.param({"created": {"gt": "yesterday"}}, id="no time"),
    pytest.param({"limit": 0}, id="no size"),
    pytest.param({"page": "anything"}, id="no token"),
    pytest.param({"page": "WzEsMl0="}, id="a token of somebody else"),
    pytest.param({"starting_after": "evt_1"}, id="v1's cursor"),
    pytest.param({"expand": ["data"]}, id="v1's expansion"),
]


@pytest.mark.parametrize("given", BAD_LISTS)
async def test_a_bad_list_is_refused_in_the_form_of_v2(
    sdk: stripe.StripeClient, given: Any
) -> None:
    """Code and message, and the SDK makes its own error of it."""
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await sdk.v2.core.events.list_async(given)

    body = raised.value.json_body
    assert raised.value.http_status == 400
    assert set(body["error"]) == {"code", "message"}


async def test_an_unknown_event_is_not_found(sdk: stripe.StripeClient) -> None:
    """With the code that v2 has for it."""
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await sdk.v2.core.events.retrieve_async("evt_test_nobody")

    assert (raised.value.http_status, raised.value.code) == (404, "not_found")


async def test_a_notification_is_signed_for_the_sdk(
    stage: Stage, sandbox: Sandbox, sdk: stripe.StripeClient, receiver: Receiver
) -> None:
    """Its parser takes it, with the destination's secret and no other; event and object are where
    it says."""
    destination = await listening(sdk, receiver.url, OPEN)
    assert destination.webhook_endpoint is not None

    invoice_id = stage.open_invoice(1000)
    await sandbox.webhooks.idle()

    (one,) = receiver.received
    secret = destination.webhook_endpoint.signing_secret
    parsed = sdk.parse_event_notification(one.payload, one.signature, secret, _no_tolerance())
    assert parsed.type == OPEN
    related = await sdk.raw_request_async("get", parsed.related_object.url)
    event = await sdk.v2.core.events.retrieve_async(parsed.id)
    assert (related.data["invoice"], related.data["is_default"]) == (invoice_id, True)
    assert (event.id, event.type) == (parsed.id, OPEN)
    with pytest.raises(stripe.SignatureVerificationError):
        sdk.parse_event_notification(one.payload, one.signature, "whsec_other", _no_tolerance())


def _no_tolerance() -> Any:
    """The stage's clock is not the SDK's."""
    return None


NOTIFIED = {
    "id",
    "object",
    "context",
    "created",
    "livemode",
    "reason",
    "related_object",
    "type",
}


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "left out"])
async def test_a_notification_names_its_snapshot_event_or_leaves_it_out(
    stage: Stage,
    sandbox: Sandbox,
    api: Api,
    sdk: stripe.StripeClient,
    receiver: Receiver,
    is_named: bool,
) -> None:
    """Stripe's pages do not agree, so a receiver must cope with both; changes are never in it."""
    reply = await api.control("PUT", "/notifications", {"snapshot_event": is_named})
    await listening(sdk, receiver.url, OPEN, "v1.invoice.finalized")

    stage.open_invoice(1000)
    await sandbox.webhooks.idle()

    assert reply.body == (await api.control("GET", "/notifications")).body
    told = {one.event["type"]: one.event for one in receiver.received}
    extra = {"snapshot_event"} if is_named else set()
    assert [set(one) for one in told.values()] == [NOTIFIED | extra] * 2
    if is_named:
        assert told[OPEN]["snapshot_event"] is None
        finalized = await api.get("/v1/events", {"type": "invoice.finalized"})
        assert [told["v1.invoice.finalized"]["snapshot_event"]] == finalized.ids


async def test_the_switch_is_a_boolean(api: Api) -> None:
    """Anything else would be a mistake that nobody sees."""
    reply = await api.control("PUT", "/notifications", {"snapshot_event": "no"})

    assert reply.status == 400


async def test_each_destination_gets_its_own_form(
    stage: Stage, sandbox: Sandbox, api: Api, sdk: stripe.StripeClient, receiver: Receiver
) -> None:
    """An endpoint of v1 gets snapshots, a destination what it was made for, whatever they share."""
    await api.made("/v1/webhook_endpoints", {"url": f"{receiver.url}?v1", "enabled_events[]": "*"})
    await listening(sdk, f"{receiver.url}?snapshot", "invoice.created", payload="snapshot")
    await listening(sdk, f"{receiver.url}?thin", "v1.invoice.created")

    stage.draft()
    await sandbox.webhooks.idle()

    objects = sorted(one.event["object"] for one in receiver.received)
    assert objects == ["event", "event", "v2.core.event"]


def of_thin(one: Received) -> bool:
    return bool(one.event["object"] == "v2.core.event")


INTENT = {"amount": "500", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
CREATED, SUCCEEDED = "payment_intent.created", "payment_intent.succeeded"


async def both_listening(api: Api, sdk: stripe.StripeClient, receiver: Receiver) -> None:
    await api.made("/v1/webhook_endpoints", {"url": receiver.url, "enabled_events[]": "*"})
    await listening(sdk, receiver.url)


@pytest.mark.parametrize("form", ["thin", "snapshot"])
async def test_one_form_is_sent_before_the_other(
    sandbox: Sandbox, api: Api, sdk: stripe.StripeClient, receiver: Receiver, form: str
) -> None:
    """Thin before snapshot and after: both are seen at Stripe, which promises no order."""
    await both_listening(api, sdk, receiver)
    fault = {"match": {"path": "/v1/payment_intents"}, "fault": {"kind": "webhooks_first"}}
    fault["fault"]["form"] = form
    await api.control("POST", "/faults", fault)

    await api.made("/v1/payment_intents", INTENT)
    await sandbox.webhooks.idle()

    is_thin_first = form == "thin"
    forms = [of_thin(one) for one in receiver.received]
    assert forms == [is_thin_first] * 2 + [not is_thin_first] * 2


MANNERS = [
    pytest.param(
        Fault(FaultKind.WEBHOOKS_DOUBLED),
        [CREATED, CREATED, SUCCEEDED, SUCCEEDED],
        [CREATED, CREATED, SUCCEEDED, SUCCEEDED],
        id="both doubled",
    ),
    pytest.param(
        Fault(FaultKind.WEBHOOKS_DOUBLED, form="thin"),
        [CREATED, SUCCEEDED],
        [CREATED, CREATED, SUCCEEDED, SUCCEEDED],
        id="thin doubled",
    ),
    pytest.param(
        Fault(FaultKind.WEBHOOKS_SHUFFLED, form="snapshot"),
        [SUCCEEDED, CREATED],
        [CREATED, SUCCEEDED],
        id="snapshot shuffled",
    ),
    pytest.param(
        Fault(FaultKind.WEBHOOKS_WITHHELD, form="thin"),
        [CREATED, SUCCEEDED],
        [],
        id="thin withheld",
    ),
    pytest.param(
        Fault(FaultKind.WEBHOOKS_WITHHELD, form="snapshot"),
        [],
        [CREATED, SUCCEEDED],
        id="snapshot withheld",
    ),
]


@pytest.mark.parametrize(("fault", "snapshot", "thin"), MANNERS)
async def test_the_forms_misbehave_apart(
    sandbox: Sandbox,
    api: Api,
    sdk: stripe.StripeClient,
    receiver: Receiver,
    fault: Fault,
    snapshot: list[str],
    thin: list[str],
) -> None:
    """One form may be doubled, shuffled or lost while the other comes as ever."""
    await both_listening(api, sdk, receiver)
    sandbox.faults.add(fault, path="/v1/payment_intents")

    await api.made("/v1/payment_intents", INTENT)
    await sandbox.webhooks.idle()

    got = [one.event["type"] for one in receiver.received if not of_thin(one)]
    got_thin = [one.event["type"] for one in receiver.received if of_thin(one)]
    assert (got, got_thin) == (snapshot, [f"v1.{one}" for one in thin])


async def test_withheld_thin_events_are_released(
    sandbox: Sandbox, api: Api, sdk: stripe.StripeClient, receiver: Receiver
) -> None:
    """Those that somebody waits for are counted."""
    await listening(sdk, receiver.url)
    sandbox.faults.add(Fault(FaultKind.WEBHOOKS_WITHHELD), path="/v1/payment_intents")
    await api.made("/v1/payment_intents", INTENT)

    reply = await api.control("POST", "/webhooks/release")
    await sandbox.webhooks.idle()

    assert reply.body == {"released": 2}
    assert receiver.types == [f"v1.{CREATED}", f"v1.{SUCCEEDED}"]


BAD_FAULTS = [
    pytest.param({"kind": "webhooks_first"}, id="which first"),
    pytest.param({"kind": "webhooks_doubled", "form": "fat"}, id="no form"),
]


@pytest.mark.parametrize("fault", BAD_FAULTS)
async def test_a_fault_of_no_form_is_refused(api: Api, fault: dict[str, str]) -> None:
    """A test that means one form must not get both."""
    reply = await api.control("POST", "/faults", {"fault": fault})

    assert reply.status == 400
