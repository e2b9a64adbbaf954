"""Destinations for thin events at Stripe: made with what is needed, and told from endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stripe.events._event_classes import _V2_EVENT_CLASS_LOOKUP

from gateway.backends.stripe.client import STRIPE_VERSION
from gateway.backends.stripe.registered import registered, thin_names
from gateway.backends.stripe.registration import (
    ATTACHING_NOTE,
    NO_ACCESS,
    Created,
    RegistrationRefused,
    create_endpoint,
    create_thin_destination,
)
from gateway.backends.stripe.registration_check import Finding, check_registered
from gateway.events.webhook import FOLLOWED_EVENTS, PREVIEW_EVENTS
from gateway.sandbox.stripe_api import Fault, FaultKind
from schema.ports import Failed
from tests.sandbox.driving import sdk_of
from tests.webhooks.rig import Rig

URL = "https://pay.example/webhooks/stripe"
DESTINATIONS = "/v2/core/event_destinations"
THIN_EVENTS = thin_names(FOLLOWED_EVENTS)
BRIDGE: Any = {
    "name": "Somebody else's",
    "type": "amazon_eventbridge",
    "event_payload": "thin",
    "enabled_events": ["*"],
    "amazon_eventbridge": {"aws_account_id": "123456789012", "aws_region": "eu-west-1"},
}


async def created(rig: Rig, url: str = URL, key: str = "key") -> Created:
    return await create_thin_destination(rig.api, url, events=FOLLOWED_EVENTS, idempotency_key=key)


async def endpoint_created(rig: Rig) -> Created:
    return await create_endpoint(
        rig.api, URL, events=FOLLOWED_EVENTS, preview_events=PREVIEW_EVENTS, idempotency_key="we"
    )


async def checked(rig: Rig) -> list[Finding]:
    return await check_registered(
        rig.api, URL, events=FOLLOWED_EVENTS, preview_events=PREVIEW_EVENTS
    )


def problems(findings: list[Finding]) -> list[str]:
    return [one.message for one in findings if one.is_problem]


async def registered_by_hand(rig: Rig, *events: str, **more: Any) -> str:
    """A destination that somebody made with Stripe's SDK; its id."""
    given: Any = {
        "name": "By hand",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": list(events),
        "webhook_endpoint": {"url": URL},
    }
    async with sdk_of(rig.sandbox) as sdk:
        return (await sdk.v2.core.event_destinations.create_async({**given, **more})).id


def test_each_thin_event_that_is_asked_for_is_one_of_stripes() -> None:
    """A name that Stripe does not know would make it refuse the whole destination."""
    assert set(THIN_EVENTS) <= set(_V2_EVENT_CLASS_LOOKUP)
    assert {"v1.invoice_payment.open", "v1.invoice_payment.canceled"} <= set(THIN_EVENTS)
    assert len(THIN_EVENTS) == len(FOLLOWED_EVENTS) + 2


async def test_a_destination_asks_for_what_is_followed(rig: Rig) -> None:
    """As thin events, attached and canceled invoice payments among them."""
    made = await created(rig)

    (kept,) = rig.sandbox.account.event_destinations
    assert (kept.url, kept.secret, kept.payload) == (URL, made.secret, "thin")
    assert made.enabled_events == kept.enabled_events == THIN_EVENTS
    assert made.api_version is None


async def test_what_thin_events_cannot_tell_is_said(rig: Rig) -> None:
    """Both have no thin event; and nobody is told that attaching is not to be seen."""
    made = await created(rig)

    told = [note.split()[0] for note in made.notes]
    assert told == ["invoice.payment.overpaid", "invoice_payment.detached"]
    assert ATTACHING_NOTE not in made.notes


async def test_the_secret_is_in_no_repr_and_is_shown_once(rig: Rig) -> None:
    """Nobody who lists destinations gets it."""
    made = await created(rig)

    listed = await registered(rig.api)

    assert made.secret
    assert made.secret not in repr(made)
    assert made.secret not in repr(listed)
    assert [one.url for one in listed.destinations] == [URL]


async def test_a_second_thin_destination_of_the_same_url_is_refused(rig: Rig) -> None:
    """Its deliveries would be signed with a secret that the gateway does not know."""
    await created(rig)

    with pytest.raises(RegistrationRefused, match="registered already for thin events"):
        await created(rig, key="another")

    assert len(rig.sandbox.account.event_destinations) == 1


async def test_a_snapshot_destination_of_the_url_is_an_endpoint_too(rig: Rig) -> None:
    """Made through v2 it is in no list of v1, and would be doubled all the same."""
    given = {"event_payload": "snapshot", "snapshot_api_version": STRIPE_VERSION}
    await registered_by_hand(rig, *FOLLOWED_EVENTS, **given)

    with pytest.raises(RegistrationRefused, match="registered already for snapshot events"):
        await endpoint_created(rig)

    assert problems(await checked(rig)) == []


async def test_thin_events_can_be_had_beside_snapshots(rig: Rig) -> None:
    """That is how one moves from the one to the other; both secrets are needed meanwhile."""
    endpoint = await endpoint_created(rig)

    made = await created(rig)
    findings = await checked(rig)

    (beside,) = [note for note in made.notes if endpoint.id in note]
    assert "set both, separated by a comma" in beside
    assert problems(findings) == []
    said = " ".join(one.message for one in findings)
    assert "thin and snapshot events come here" in said
    assert ATTACHING_NOTE not in said


async def test_snapshots_can_be_had_beside_thin_events(rig: Rig) -> None:
    """And nobody is sent for thin events that are there."""
    made = await created(rig)

    endpoint = await endpoint_created(rig)

    assert any(made.id in note for note in endpoint.notes)
    assert ATTACHING_NOTE not in endpoint.notes


async def test_the_key_makes_a_lost_answer_harmless(rig: Rig) -> None:
    """The destination was made, the answer was lost, and the repeat inside the call gets it."""
    rig.sandbox.faults.add(FaultKind.RESET_AFTER, method="POST", path=DESTINATIONS)

    made = await created(rig)

    (kept,) = rig.sandbox.account.event_destinations
    assert kept.secret == made.secret


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_no_access_is_told_plainly(rig: Rig, status: int) -> None:
    """By `create` with what to do, by `check` as what it could not see; and snapshots work."""
    body = {"error": {"code": "denied", "message": "No."}}
    fault = Fault(FaultKind.ANSWER, status=status, body=body)
    rig.sandbox.faults.add(fault, path="/v2/*", times=None)

    with pytest.raises(RegistrationRefused) as raised:
        await created(rig)
    await endpoint_created(rig)
    findings = await checked(rig)

    assert str(raised.value) == NO_ACCESS
    assert problems(findings) == []
    assert any("is not known" in one.message for one in findings)


async def test_a_key_that_may_only_list_is_told_so(rig: Rig) -> None:
    """Rights are given one by one."""
    fault = Fault(FaultKind.ANSWER, status=403, body={"error": {"message": "No."}})
    rig.sandbox.faults.add(fault, method="POST", path=DESTINATIONS)

    with pytest.raises(RegistrationRefused) as raised:
        await created(rig)

    assert str(raised.value) == NO_ACCESS


async def test_what_stripe_says_is_passed_on(rig: Rig) -> None:
    """In one sentence."""
    body = {"error": {"code": "invalid", "message": "Invalid enabled_events[3]: v1.x"}}
    fault = Fault(FaultKind.ANSWER, status=400, body=body)
    rig.sandbox.faults.add(fault, method="POST", path=DESTINATIONS)

    with pytest.raises(RegistrationRefused, match=r"refuses the destination: Invalid enabled_ev"):
        await created(rig)


async def test_a_list_that_cannot_be_read_is_not_taken_for_none(rig: Rig) -> None:
    """An outage is not the same as no access."""
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=DESTINATIONS, times=None)

    with pytest.raises(Failed):
        await checked(rig)


async def test_a_destination_of_our_own_has_no_problem(rig: Rig) -> None:
    """What it cannot deliver is said, and is none."""
    await created(rig)

    findings = await checked(rig)

    assert problems(findings) == []
    told = [one.message.split()[0] for one in findings]
    assert sorted(told) == ["invoice.payment.overpaid", "invoice_payment.detached"]


async def test_a_destination_of_another_url_is_not_ours(rig: Rig) -> None:
    """Thin or not."""
    await created(rig, "https://elsewhere.example/webhooks/stripe")

    (problem,) = problems(await checked(rig))

    assert problem.startswith("no endpoint is registered")


async def test_a_missing_thin_event_is_a_problem(rig: Rig) -> None:
    """Each is named, as it has to be asked for; no snapshot event can bring an attach."""
    left = [one for one in THIN_EVENTS if one not in ("v1.invoice.paid", "v1.invoice_payment.open")]
    destination = await registered_by_hand(rig, *left)

    assert problems(await checked(rig)) == [
        f"{destination} does not deliver v1.invoice.paid, v1.invoice_payment.open: add them at "
        "Stripe"
    ]

    await endpoint_created(rig)

    assert problems(await checked(rig)) == [
        f"{destination} does not deliver v1.invoice_payment.open: add them at Stripe"
    ]


async def test_what_is_too_much_or_everything_is_said(rig: Rig) -> None:
    """It costs a request each, and nothing else."""
    await registered_by_hand(rig, *THIN_EVENTS, "v1.customer.tax_id.updated")

    findings = await checked(rig)

    assert problems(findings) == []
    ignored = [one.message for one in findings if "what is ignored" in one.message]
    assert [one.split(": ")[1] for one in ignored] == ["v1.customer.tax_id.updated"]


async def test_every_thin_event_is_enough(rig: Rig) -> None:
    """And still says nothing of what has none."""
    await registered_by_hand(rig, "*")

    findings = await checked(rig)

    assert problems(findings) == []
    assert any("brings every event" in one.message for one in findings)
    assert any(one.message.startswith("invoice_payment.detached") for one in findings)


async def test_a_disabled_destination_is_a_problem(rig: Rig) -> None:
    """With Stripe's reason; beside another that is enabled it is in nobody's way."""
    made = await created(rig)
    async with sdk_of(rig.sandbox) as sdk:
        await sdk.v2.core.event_destinations.disable_async(made.id)

    alone = problems(await checked(rig))
    await registered_by_hand(rig, *THIN_EVENTS)
    replaced = await checked(rig)

    assert alone == [f"{made.id} is disabled (user): enable it at Stripe"]
    assert problems(replaced) == []
    assert any("delete it at Stripe" in one.message for one in replaced)


async def test_two_thin_destinations_of_one_url_are_a_problem(rig: Rig) -> None:
    """Half of the deliveries would be refused until both secrets are known."""
    first = (await created(rig)).id
    second = await registered_by_hand(rig, *THIN_EVENTS)

    (problem,) = problems(await checked(rig))

    assert problem.startswith("several thin destinations")
    assert first in problem
    assert second in problem


async def test_a_destination_for_others_events_is_a_problem(rig: Rig) -> None:
    """It is there, enabled and complete, and brings nothing."""
    made = await registered_by_hand(rig, *THIN_EVENTS, events_from=["@accounts"])

    (problem,) = problems(await checked(rig))

    assert problem == f"{made} hears of other accounts alone: make another at Stripe for @self"


async def test_a_destination_that_leads_to_a_cloud_is_told_of(rig: Rig) -> None:
    """It has no URL, and no part in what comes here."""
    await created(rig)
    async with sdk_of(rig.sandbox) as sdk:
        bridge = await sdk.v2.core.event_destinations.create_async(BRIDGE)

    findings = await checked(rig)

    assert problems(findings) == []
    (cloud,) = [one.message for one in findings if bridge.id in one.message]
    assert "Amazon EventBridge" in cloud


async def test_an_endpoint_is_not_doubled_by_the_other_list(rig: Rig) -> None:
    """Not even if v2 gave it another id than v1 does, which Stripe does not exclude."""
    endpoint = await endpoint_created(rig)
    account = rig.sandbox.account
    (kept,) = account.webhook_endpoints
    account.event_destinations.put(replace(kept, id="ed_the_same"))

    found = await registered(rig.api)

    assert [one.id for one in found.destinations] == [endpoint.id]
    assert problems(await checked(rig)) == []


async def test_destinations_are_read_page_by_page(rig: Rig) -> None:
    """However many there are, with the URL of each."""
    await registered_by_hand(rig, *THIN_EVENTS)
    async with sdk_of(rig.sandbox) as sdk:
        for _ in range(11):
            await sdk.v2.core.event_destinations.create_async(BRIDGE)

    found = await registered(rig.api)

    assert len(found.destinations) == 12
    assert len(found.at(URL, "thin")) == 1
