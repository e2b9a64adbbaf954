"""Event destinations, as Stripe's SDK makes and changes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import stripe
from stripe.params.v2 import core

from gateway.sandbox.stripe_api import Fault, FaultKind, Sandbox
from gateway.sandbox.stripe_api.parameters import taken_by
from tests.sandbox.driving import Api
from tests.sandbox.receiver import Receiver, receiving
from tests.sandbox.shapes import problems

PATH = "/v2/core/event_destinations"
URL = "https://pay.example/webhooks/stripe"
THIN: Any = {
    "name": "Mine",
    "type": "webhook_endpoint",
    "event_payload": "thin",
    "enabled_events": ["v1.invoice.paid"],
    "webhook_endpoint": {"url": URL},
}
SNAPSHOT: Any = {**THIN, "event_payload": "snapshot", "enabled_events": ["invoice.paid"]}
BRIDGE: Any = {
    **{name: THIN[name] for name in ("name", "event_payload", "enabled_events")},
    "type": "amazon_eventbridge",
    "amazon_eventbridge": {"aws_account_id": "123456789012", "aws_region": "eu-west-1"},
}
GRID: Any = {
    **{name: THIN[name] for name in ("name", "event_payload", "enabled_events")},
    "type": "azure_event_grid",
    "azure_event_grid": {
        "azure_region": "westeurope",
        "azure_resource_group_name": "mine",
        "azure_subscription_id": "s-1",
    },
}
EVERYTHING = ["webhook_endpoint.signing_secret", "webhook_endpoint.url"]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.mark.parametrize(
    "given", [THIN, SNAPSHOT, BRIDGE, GRID], ids=["thin", "snapshot", "b", "g"]
)
async def test_a_destination_has_the_shape_of_the_sdk(sdk: stripe.StripeClient, given: Any) -> None:
    """Each sort, with each field that the SDK knows and no other."""
    made = await sdk.v2.core.event_destinations.create_async(given)

    assert list(problems(made.to_dict(), stripe.v2.core.EventDestination)) == []
    assert (made.type, made.event_payload) == (given["type"], given["event_payload"])
    assert made.status == "enabled"


async def test_secret_and_url_are_shown_when_they_are_asked_for(
    sdk: stripe.StripeClient,
) -> None:
    """The secret once, by who creates it; the URL whenever it is to be included."""
    destinations = sdk.v2.core.event_destinations
    made = await destinations.create_async({**THIN, "include": EVERYTHING})
    silent = await destinations.create_async(THIN)

    plain = await destinations.retrieve_async(made.id)
    asked = await destinations.retrieve_async(made.id, {"include": EVERYTHING[1:]})
    insistent = await destinations.retrieve_async(made.id, {"include": EVERYTHING})
    listed = await destinations.list_async({"include": EVERYTHING[1:]})

    def shown(one: Any) -> tuple[bool, str | None]:
        return one.webhook_endpoint.signing_secret is not None, one.webhook_endpoint.url

    assert shown(made) == (True, URL)
    assert made.webhook_endpoint is not None
    assert str(made.webhook_endpoint.signing_secret).startswith("whsec_")
    assert shown(silent) == shown(plain) == (False, None)
    assert shown(asked) == shown(insistent) == (False, URL)
    assert [shown(one) for one in listed.data] == [(False, URL)] * 2


async def test_an_endpoint_of_v1_is_a_destination_for_snapshots(
    api: Api, sdk: stripe.StripeClient
) -> None:
    """It is listed among them, and can be changed there; those of v2 are not listed in v1."""
    fields = {"url": URL, "enabled_events[]": "invoice.paid", "api_version": "2026-10-28.endive"}
    endpoint = await api.made("/v1/webhook_endpoints", fields)
    made = await sdk.v2.core.event_destinations.create_async(THIN)

    listed = await sdk.v2.core.event_destinations.list_async({"include": EVERYTHING[1:]})
    await sdk.v2.core.event_destinations.disable_async(endpoint["id"])

    by_id = {one.id: one for one in listed.data}
    assert set(by_id) == {endpoint["id"], made.id}
    mine = by_id[endpoint["id"]]
    assert (mine.event_payload, mine.snapshot_api_version) == ("snapshot", "2026-10-28.endive")
    assert mine.webhook_endpoint is not None
    assert mine.webhook_endpoint.url == URL
    (in_v1,) = (await api.get("/v1/webhook_endpoints")).body["data"]
    assert (in_v1["id"], in_v1["status"]) == (endpoint["id"], "disabled")


async def test_destinations_come_in_pages(sdk: stripe.StripeClient) -> None:
    """With what was to be included, on each of them."""
    for _ in range(3):
        await sdk.v2.core.event_destinations.create_async(THIN)

    page = await sdk.v2.core.event_destinations.list_async({"limit": 2, "include": EVERYTHING[1:]})
    everyone = [one async for one in page.auto_paging_iter()]

    assert len(page.data) == 2
    assert len({one.id for one in everyone}) == 3
    assert [one.webhook_endpoint and one.webhook_endpoint.url for one in everyone] == [URL] * 3


async def test_a_destination_is_changed(sdk: stripe.StripeClient) -> None:
    """Name, description, events, URL and metadata; not its sort."""
    destinations = sdk.v2.core.event_destinations
    made = await destinations.create_async({**THIN, "metadata": {"a": "1", "b": "2"}})
    given: Any = {
        "name": "Other",
        "description": "For the test",
        "enabled_events": ["v1.invoice.voided"],
        "webhook_endpoint": {"url": "https://other.example/"},
        "metadata": {"b": None, "c": "3"},
        "include": EVERYTHING[1:],
    }

    changed = await destinations.update_async(made.id, given)

    assert (changed.name, changed.description) == ("Other", "For the test")
    assert changed.enabled_events == ["v1.invoice.voided"]
    assert changed.webhook_endpoint is not None
    assert changed.webhook_endpoint.url == "https://other.example/"
    assert changed.to_dict()["metadata"] == {"a": "1", "c": "3"}
    with pytest.raises(stripe.InvalidRequestError):
        await destinations.update_async(made.id, {"type": "amazon_eventbridge"})


async def test_a_disabled_destination_gets_nothing_until_it_is_enabled(
    sandbox: Sandbox, api: Api, sdk: stripe.StripeClient, receiver: Receiver
) -> None:
    """And says why it is disabled."""
    destinations = sdk.v2.core.event_destinations
    given: Any = {"enabled_events": ["v1.customer.created"]}
    made = await destinations.create_async(
        {**THIN, **given, "webhook_endpoint": {"url": receiver.url}}
    )

    disabled = await destinations.disable_async(made.id)
    await api.made("/v1/customers", {"name": "unheard"})
    enabled = await destinations.enable_async(made.id)
    customer = await api.made("/v1/customers", {"name": "heard"})
    await sandbox.webhooks.idle()

    assert disabled.status_details is not None
    assert disabled.status_details.disabled is not None
    assert (disabled.status, disabled.status_details.disabled.reason) == ("disabled", "user")
    assert (enabled.status, enabled.status_details) == ("enabled", None)
    assert [one.event["related_object"]["id"] for one in receiver.received] == [customer["id"]]


async def test_a_deleted_destination_is_gone(sdk: stripe.StripeClient) -> None:
    """For every operation on it."""
    destinations = sdk.v2.core.event_destinations
    made = await destinations.create_async(THIN)

    deleted = await destinations.delete_async(made.id)

    assert (deleted.id, deleted.object) == (made.id, "v2.core.event_destination")
    for operation in (destinations.retrieve_async, destinations.ping_async):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            await operation(made.id)
        assert (raised.value.http_status, raised.value.code) == (404, "not_found")
    assert (await destinations.list_async()).data == []


async def test_a_ping_comes_to_its_destination_alone(
    sandbox: Sandbox, sdk: stripe.StripeClient, receiver: Receiver
) -> None:
    """Whatever that asked for; it is an event of v2, about the destination."""
    destinations = sdk.v2.core.event_destinations
    given: Any = {**THIN, "webhook_endpoint": {"url": receiver.url}}
    made = await destinations.create_async(given)
    await destinations.create_async({**given, "enabled_events": ["*"]})

    event = await destinations.ping_async(made.id)
    await sandbox.webhooks.idle()

    (one,) = receiver.received
    told = one.event
    assert (told["id"], told["type"]) == (event.id, "v2.core.event_destination.ping")
    assert told["related_object"]["id"] == made.id
    assert (await sdk.v2.core.events.retrieve_async(event.id)).type == told["type"]


async def test_only_those_of_the_account_itself_are_heard(
    sandbox: Sandbox, api: Api, sdk: stripe.StripeClient, receiver: Receiver
) -> None:
    """A destination for connected accounts hears of none here."""
    given: Any = {**THIN, "enabled_events": ["*"], "webhook_endpoint": {"url": receiver.url}}
    await sdk.v2.core.event_destinations.create_async({**given, "events_from": ["@accounts"]})

    await api.made("/v1/customers")
    await sandbox.webhooks.idle()

    assert receiver.received == []


BAD = [
    pytest.param({**THIN, "enabled_events": ["invoice.paid"]}, id="snapshot's name for thin"),
    pytest.param({**SNAPSHOT, "enabled_events": ["v1.invoice.paid"]}, id="thin's for snapshot"),
    pytest.param({**THIN, "enabled_events": ["v1.invoice_payment.detached"]}, id="no thin one"),
    pytest.param({**SNAPSHOT, "enabled_events": ["invoice_payment.detached"]}, id="not by name"),
    pytest.param({**THIN, "enabled_events": []}, id="no events"),
    pytest.param({**THIN, "webhook_endpoint": {"url": "pay.example"}}, id="no scheme"),
    pytest.param({**THIN, "webhook_endpoint": {}}, id="no url"),
    pytest.param({**THIN, "type": "amazon_eventbridge"}, id="no cloud"),
    pytest.param({**THIN, "type": "pigeon"}, id="no such transport"),
    pytest.param({**THIN, "event_payload": "fat"}, id="no such payload"),
    pytest.param({**THIN, "snapshot_api_version": "2026-10-28.endive"}, id="a version for thin"),
    pytest.param({**THIN, "surprise": 1}, id="unknown"),
    pytest.param({name: THIN[name] for name in THIN if name != "name"}, id="no name"),
]


@pytest.mark.parametrize("given", BAD)
async def test_a_bad_destination_is_refused(sdk: stripe.StripeClient, given: Any) -> None:
    """In the form of v2, which has a code and a message."""
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await sdk.v2.core.event_destinations.create_async(given)

    assert (raised.value.http_status, set(raised.value.json_body["error"])) == (
        400,
        {"code", "message"},
    )


async def test_an_account_has_sixteen_in_all(api: Api, sdk: stripe.StripeClient) -> None:
    """Endpoints of v1 are counted."""
    for at in range(15):
        await sdk.v2.core.event_destinations.create_async({**THIN, "name": f"{at}"})
    await api.made("/v1/webhook_endpoints", {"url": URL, "enabled_events[]": "*"})

    with pytest.raises(stripe.InvalidRequestError, match="maximum"):
        await sdk.v2.core.event_destinations.create_async(THIN)


async def test_a_key_makes_one_destination(sdk: stripe.StripeClient) -> None:
    """With the secret in each answer; for something else the key is refused, in v2 with 409."""
    destinations, options = sdk.v2.core.event_destinations, {"idempotency_key": "once"}

    first = await destinations.create_async({**THIN, "include": EVERYTHING}, options)
    again = await destinations.create_async({**THIN, "include": EVERYTHING}, options)

    assert again.to_dict() == first.to_dict()
    assert len((await destinations.list_async()).data) == 1
    with pytest.raises(stripe.IdempotencyError) as raised:
        await destinations.create_async({**THIN, "name": "Another"}, options)
    assert (raised.value.http_status, raised.value.code) == (409, "idempotency_error")


async def test_what_failed_is_tried_again_in_v2(sandbox: Sandbox, sdk: stripe.StripeClient) -> None:
    """v1 repeats the failure under its key, v2 does what is left to do."""
    destinations, options = sdk.v2.core.event_destinations, {"idempotency_key": "once"}
    sandbox.faults.add(Fault(FaultKind.SERVER_ERROR), path=PATH)

    with pytest.raises(stripe.APIError):
        await destinations.create_async(THIN, options)
    made = await destinations.create_async(THIN, options)

    assert [one.id for one in (await destinations.list_async()).data] == [made.id]


async def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    """v2 takes no forms."""
    reply = await api.post(PATH, {"name": "Mine"})

    assert (reply.status, set(reply.error)) == (400, {"code", "message"})


TABLES = [
    pytest.param("GET /v2/core/events", core.EventListParams, id="events"),
    pytest.param(f"GET {PATH}", core.EventDestinationListParams, id="list"),
    pytest.param(f"POST {PATH}", core.EventDestinationCreateParams, id="create"),
    pytest.param(f"GET {PATH}/{{id}}", core.EventDestinationRetrieveParams, id="retrieve"),
    pytest.param(f"POST {PATH}/{{id}}", core.EventDestinationUpdateParams, id="update"),
]


@pytest.mark.parametrize(("operation", "params"), TABLES)
def test_a_table_knows_what_the_sdk_sends(operation: str, params: Any) -> None:
    """Nothing more, save the token of a page, which the SDK never sends by itself."""
    assert set(taken_by(operation)) - {"page"} == set(params.__annotations__)


async def test_limits_and_keys_are_told_in_the_form_of_v2(
    sandbox: Sandbox, sdk: stripe.StripeClient
) -> None:
    """The SDK makes of them what it makes of Stripe's."""
    destinations = sdk.v2.core.event_destinations
    sandbox.faults.add(FaultKind.RATE_LIMITED, path=PATH)

    with pytest.raises(stripe.RateLimitError) as limited:
        await destinations.list_async()
    with pytest.raises(stripe.AuthenticationError) as unknown:
        await destinations.list_async({}, {"api_key": "nonsense"})

    assert limited.value.json_body["error"]["type"] == "rate_limit"
    assert set(unknown.value.json_body["error"]) == {"code", "message"}
