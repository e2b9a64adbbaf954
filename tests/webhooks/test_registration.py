"""The endpoint at Stripe: made with what is needed, and compared with it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.stripe.client import STRIPE_VERSION
from gateway.backends.stripe.registration import (
    ATTACHING_NOTE,
    Created,
    RegistrationRefused,
    create_endpoint,
)
from gateway.backends.stripe.registration_check import Finding, check_registered
from gateway.events.webhook import FOLLOWED_EVENTS, PREVIEW_EVENTS
from gateway.sandbox.stripe_api import Fault, FaultKind
from schema.ports import Failed
from tests.sandbox.driving import api_of
from tests.webhooks.rig import Rig

URL = "https://pay.example/webhooks/stripe"
ENDPOINTS = "/v1/webhook_endpoints"
NO_DETACHED = [name for name in PREVIEW_EVENTS if name != "invoice_payment.detached"]


async def created(rig: Rig, url: str = URL, key: str = "key") -> Created:
    return await create_endpoint(
        rig.api,
        url,
        events=FOLLOWED_EVENTS,
        preview_events=PREVIEW_EVENTS,
        idempotency_key=key,
    )


async def checked(rig: Rig, url: str = URL) -> list[Finding]:
    return await check_registered(
        rig.api, url, events=FOLLOWED_EVENTS, preview_events=PREVIEW_EVENTS
    )


async def registered(rig: Rig, *events: str, **more: Any) -> None:
    """An endpoint that somebody made by hand."""
    wanted = {f"enabled_events[{at}]": name for at, name in enumerate(events)}
    async with api_of(rig.sandbox) as api:
        await api.made(ENDPOINTS, {"url": URL, "api_version": STRIPE_VERSION, **wanted, **more})


def problems(findings: list[Finding]) -> list[str]:
    return [one.message for one in findings if one.is_problem]


async def test_an_endpoint_asks_for_what_is_followed(rig: Rig) -> None:
    """Neither more nor less, in the version that the gateway was written for."""
    endpoint = await created(rig)

    (kept,) = rig.sandbox.account.webhook_endpoints
    assert sorted(endpoint.enabled_events) == sorted([*FOLLOWED_EVENTS, *NO_DETACHED])
    assert kept.enabled_events == endpoint.enabled_events
    assert kept.api_version == endpoint.api_version == STRIPE_VERSION
    assert (kept.url, kept.secret) == (URL, endpoint.secret)


async def test_what_will_not_come_is_said(rig: Rig) -> None:
    """With what makes up for it, so that nobody waits for it."""
    endpoint = await created(rig)

    (detached,) = [note for note in endpoint.notes if "invoice_payment.detached" in note]
    assert "catch-up" in detached
    assert not any("invoice.payment.overpaid is" in note for note in endpoint.notes)
    (attaching,) = [note for note in endpoint.notes if "attaching" in note]
    assert "--payload thin" in attaching


async def test_the_secret_is_in_no_repr(rig: Rig) -> None:
    """It is printed once, by whoever asked for it."""
    endpoint = await created(rig)

    assert endpoint.secret
    assert endpoint.secret not in repr(endpoint)


async def test_a_second_endpoint_of_the_same_url_is_refused(rig: Rig) -> None:
    """Its deliveries would be signed with a secret that the gateway does not know."""
    await created(rig)

    with pytest.raises(RegistrationRefused, match="registered already"):
        await created(rig, key="another")

    assert len(rig.sandbox.account.webhook_endpoints) == 1


async def test_the_key_makes_a_lost_answer_harmless(rig: Rig) -> None:
    """The endpoint was made, the answer was lost, and the repeat inside the call gets it."""
    rig.sandbox.faults.add(FaultKind.RESET_AFTER, method="POST", path=ENDPOINTS, after=1)

    endpoint = await created(rig)

    (kept,) = rig.sandbox.account.webhook_endpoints
    assert kept.secret == endpoint.secret


URLS = [
    pytest.param("https://pay.example/webhooks/stripe", True, id="https"),
    pytest.param("http://127.0.0.1:8000/webhooks/stripe", True, id="this machine"),
    pytest.param("http://[::1]:8000/webhooks/stripe", True, id="this machine, IPv6"),
    pytest.param("http://localhost/webhooks/stripe", True, id="localhost"),
    pytest.param("http://pay.example/webhooks/stripe", False, id="plain"),
    pytest.param("http://localhost.example/webhooks/stripe", False, id="not this machine"),
    pytest.param("http://10.0.0.1/webhooks/stripe", False, id="another machine"),
    pytest.param("pay.example/webhooks/stripe", False, id="no scheme"),
    pytest.param("ftp://pay.example/", False, id="another scheme"),
    pytest.param("https://", False, id="no host"),
    pytest.param("https://[::1", False, id="no URL"),
    pytest.param("", False, id="nothing"),
]


@pytest.mark.parametrize(("url", "is_good"), URLS)
async def test_only_https_may_be_registered(rig: Rig, url: str, is_good: bool) -> None:
    """Except for this machine, where a sandbox may be. A bad one is refused before any call."""
    if is_good:
        assert (await created(rig, url)).id.startswith("we_")
        return

    with pytest.raises(RegistrationRefused):
        await created(rig, url)

    assert len(rig.sandbox.requests) == 0


REFUSALS = [
    pytest.param(
        Fault(
            FaultKind.ANSWER,
            status=400,
            body={"error": {"type": "invalid_request_error", "param": "url", "message": "No."}},
        ),
        "No.",
        id="another parameter",
    ),
    pytest.param(
        Fault(FaultKind.ANSWER, status=403, body={"error": {"message": "Not yours."}}),
        "Not yours.",
        id="key without the right",
    ),
    pytest.param(Fault(FaultKind.RATE_LIMITED), "limiting", id="limited"),
    pytest.param(Fault(FaultKind.RESET_BEFORE), "lost", id="lost"),
]


@pytest.mark.parametrize(("fault", "said"), REFUSALS)
async def test_what_stripe_says_is_passed_on(rig: Rig, fault: Fault, said: str) -> None:
    """In one sentence, with what to do where there is something to do."""
    rig.sandbox.faults.add(fault, method="POST", path=ENDPOINTS, times=None)

    with pytest.raises(RegistrationRefused, match=said):
        await created(rig)


EVENT_REFUSALS = [
    pytest.param({"param": "enabled_events"}, id="does not say which"),
    pytest.param({"message": "Invalid enabled_events"}, id="says it in words"),
    pytest.param({"param": "enabled_events[0]"}, id="names one that is certain"),
    pytest.param({"param": "enabled_events[999]"}, id="names none of ours"),
]


@pytest.mark.parametrize("error", EVENT_REFUSALS)
async def test_without_knowing_which_event_all_previews_are_left_out(
    rig: Rig, error: dict[str, str]
) -> None:
    """Better an endpoint with all that is certain than none."""
    answer = {"error": {"type": "invalid_request_error", **error}}
    fault = Fault(FaultKind.ANSWER, status=400, body=answer)
    rig.sandbox.faults.add(fault, method="POST", path=ENDPOINTS)

    endpoint = await created(rig)

    assert endpoint.enabled_events == FOLLOWED_EVENTS
    assert len(endpoint.notes) == len(PREVIEW_EVENTS) + 1


async def test_what_is_refused_without_previews_is_refused(rig: Rig) -> None:
    """Nothing is left to leave out."""
    answer = {"error": {"type": "invalid_request_error", "param": "enabled_events"}}
    fault = Fault(FaultKind.ANSWER, status=400, body=answer)
    rig.sandbox.faults.add(fault, method="POST", path=ENDPOINTS, times=None)

    with pytest.raises(RegistrationRefused):
        await created(rig)

    assert rig.reads(ENDPOINTS) == 3


async def test_an_endpoint_of_our_own_has_no_problem(rig: Rig) -> None:
    """What it cannot deliver is said, and is none."""
    await created(rig)

    findings = await checked(rig)

    assert problems(findings) == []
    detached, attaching = (one.message for one in findings)
    assert detached.startswith("invoice_payment.detached is not delivered")
    assert attaching == ATTACHING_NOTE


async def test_no_endpoint_is_a_problem(rig: Rig) -> None:
    """Another URL's is not ours."""
    await created(rig, "https://elsewhere.example/webhooks/stripe")

    assert problems(await checked(rig)) == [
        f"no endpoint is registered for {URL}: `invoice-gateway webhook create`"
    ]


async def test_a_missing_event_is_a_problem(rig: Rig) -> None:
    """Each is named."""
    left = [name for name in FOLLOWED_EVENTS if name not in ("invoice.paid", "invoice.voided")]
    await registered(rig, *left)

    (problem,) = problems(await checked(rig))

    assert "invoice.paid, invoice.voided" in problem


async def test_an_endpoint_of_an_older_release_lacks_the_customers_events(rig: Rig) -> None:
    """Whoever upgrades is told to add them."""
    await registered(rig, *(one for one in FOLLOWED_EVENTS if not one.startswith("customer.")))

    (problem,) = problems(await checked(rig))

    assert "customer.created, customer.deleted, customer.updated" in problem


async def test_what_is_too_much_is_said_and_is_no_problem(rig: Rig) -> None:
    """It costs a request each, and nothing else."""
    await registered(rig, *FOLLOWED_EVENTS, "customer.tax_id.updated")

    findings = await checked(rig)

    assert problems(findings) == []
    assert any("customer.tax_id.updated" in one.message for one in findings)


async def test_all_events_are_enough(rig: Rig) -> None:
    """More than is needed; and perhaps the one that has no name to ask by."""
    await registered(rig, "*")

    findings = await checked(rig)

    assert problems(findings) == []
    assert ["every event" in one.message for one in findings] == [True, False]
    assert findings[1].message == ATTACHING_NOTE


async def test_another_version_is_said_and_is_no_problem(rig: Rig) -> None:
    """Only ids are read."""
    await registered(rig, *FOLLOWED_EVENTS, api_version="2020-08-27")

    findings = await checked(rig)

    assert problems(findings) == []
    assert any("another API version" in one.message for one in findings)


async def test_a_disabled_endpoint_is_a_problem(rig: Rig) -> None:
    """Stripe disables one that has failed for days."""
    endpoint = await created(rig)
    async with api_of(rig.sandbox) as api:
        await api.made(f"{ENDPOINTS}/{endpoint.id}", {"disabled": "true"})

    (problem,) = problems(await checked(rig))

    assert problem.startswith(f"{endpoint.id} is disabled")


async def test_two_endpoints_of_one_url_are_a_problem(rig: Rig) -> None:
    """Half of the deliveries would be refused until both secrets are known."""
    await created(rig)
    await registered(rig, *FOLLOWED_EVENTS)

    (problem,) = problems(await checked(rig))

    assert problem.startswith("several endpoints")


async def test_a_check_that_cannot_ask_says_so(rig: Rig) -> None:
    """It must not be taken for "none is registered"."""
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=ENDPOINTS, times=None)

    with pytest.raises(Failed):
        await checked(rig)
