"""Misbehaviour on order: each fault, what it leaves behind, and whom it meets."""

from __future__ import annotations

import asyncio

import pytest
import stripe
from aiohttp import ClientError

from gateway.sandbox.stripe_api import Fault, FaultKind, Faults, Sandbox
from tests.sandbox.driving import Api, sdk_of
from tests.support.stage import ACME, Stage

INTENT = {"amount": 500, "currency": "usd", "customer": ACME}
INTENTS = "/v1/payment_intents"

APPLIED = [
    pytest.param(Fault(FaultKind.RESET_BEFORE), 0, id="reset before"),
    pytest.param(Fault(FaultKind.RESET_AFTER), 1, id="reset after"),
    pytest.param(Fault(FaultKind.CUT_BODY), 1, id="cut body"),
    pytest.param(Fault(FaultKind.INVALID_JSON), 1, id="invalid JSON"),
]


@pytest.mark.parametrize(("fault", "made"), APPLIED)
async def test_a_broken_answer_tells_nothing_about_the_work(
    stage: Stage, sandbox: Sandbox, api: Api, fault: Fault, made: int
) -> None:
    """Done or not, the caller cannot know; the same key finds out without doing it twice."""
    sandbox.faults.add(fault, path=INTENTS)

    with pytest.raises((ClientError, ValueError)):
        await api.post(INTENTS, INTENT, idempotency_key="once")
    before = len(stage.twin.payment_intents)
    again = await api.post(INTENTS, INTENT, idempotency_key="once")

    assert (before, again.status, len(stage.twin.payment_intents)) == (made, 200, 1)


REFUSALS = [
    pytest.param(Fault(FaultKind.RATE_LIMITED), 429, "rate_limit", id="429"),
    pytest.param(Fault(FaultKind.LOCK_TIMEOUT), 429, "lock_timeout", id="lock timeout"),
    pytest.param(
        Fault(FaultKind.LOCK_TIMEOUT, status=409), 409, "lock_timeout", id="lock timeout as 409"
    ),
]


@pytest.mark.parametrize(("fault", "status", "code"), REFUSALS)
async def test_a_call_that_was_kept_out_may_come_again(
    stage: Stage, sandbox: Sandbox, api: Api, fault: Fault, status: int, code: str
) -> None:
    """It came before the idempotency layer: nothing was done, and the key is free."""
    sandbox.faults.add(fault, path=INTENTS)

    refused = await api.post(INTENTS, INTENT, idempotency_key="once")
    again = await api.post(INTENTS, INTENT, idempotency_key="once")

    assert (refused.status, refused.error["code"], again.status) == (status, code, 200)
    assert "Idempotent-Replayed" not in again.headers


@pytest.mark.parametrize(("applied", "made"), [(False, 0), (True, 1)])
async def test_a_500_may_have_been_applied(
    stage: Stage, sandbox: Sandbox, api: Api, applied: bool, made: int
) -> None:
    """Both happen; the answer is the same."""
    sandbox.faults.add(Fault(FaultKind.SERVER_ERROR, applied=applied))

    reply = await api.post(INTENTS, INTENT)

    assert (reply.status, reply.error["type"]) == (500, "api_error")
    assert len(stage.twin.payment_intents) == made


@pytest.mark.parametrize(("applied", "made"), [(False, 0), (True, 1)])
async def test_a_call_can_hang(
    stage: Stage, sandbox: Sandbox, api: Api, applied: bool, made: int
) -> None:
    """The caller gives up; the sandbox lives on, and closes without waiting for it."""
    sandbox.faults.add(Fault(FaultKind.HANG, applied=applied))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(api.post(INTENTS, INTENT), 0.1)

    assert len(stage.twin.payment_intents) == made
    assert (await api.get(INTENTS)).status == 200


async def test_a_late_answer_is_an_answer(sandbox: Sandbox, api: Api) -> None:
    """Latency delays and changes nothing."""
    sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=0.01))

    assert (await api.post(INTENTS, INTENT)).status == 200


async def test_any_answer_can_be_put_in_place(sandbox: Sandbox, api: Api) -> None:
    """For what no other fault can say, such as an account without a preview feature."""
    body = {"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}
    sandbox.faults.add(Fault(FaultKind.ANSWER, status=404, body=body))

    reply = await api.get("/v1/invoices")

    assert (reply.status, reply.body) == (404, body)


async def test_the_sdks_retries_meet_the_faults(stage: Stage, sandbox: Sandbox) -> None:
    """A reset after the work, retried by the SDK under its own key, is done once."""
    sandbox.faults.add(FaultKind.RESET_AFTER, path=INTENTS)

    async with sdk_of(sandbox, retries=1) as sdk:
        intent = await sdk.v1.payment_intents.create_async(INTENT)

    assert [one.id for one in stage.twin.payment_intents] == [intent.id]
    assert [one.replayed for one in sandbox.requests] == [False, True]


async def test_a_reset_is_a_connection_error_of_the_sdk(
    sandbox: Sandbox, sdk: stripe.StripeClient
) -> None:
    """That is what a client has to catch when the outcome is unknown."""
    sandbox.faults.add(FaultKind.RESET_AFTER)

    with pytest.raises(stripe.APIConnectionError):
        await sdk.v1.payment_intents.create_async(INTENT)


def test_faults_meet_the_calls_they_name() -> None:
    """By method and path, with a star for anything."""
    faults = Faults()
    faults.add(FaultKind.RATE_LIMITED, method="post", path="/v1/invoices/*/attach_payment")

    assert faults.take("GET", "/v1/invoices/in_1/attach_payment") is None
    assert faults.take("POST", "/v1/invoices/in_1/detach_payment") is None
    assert faults.take("POST", "/v1/invoices/in_1/attach_payment") is not None
    assert faults.take("POST", "/v1/invoices/in_1/attach_payment") is None


def test_faults_wait_for_their_turn() -> None:
    """The second and third call go wrong, the others do not."""
    faults = Faults()
    faults.add(FaultKind.RATE_LIMITED, times=2, after=1)

    met = [faults.take("GET", "/v1/events") is not None for _ in range(4)]

    assert met == [False, True, True, False]


BAD_FAULTS = [
    pytest.param({"fault": {"kind": "earthquake"}}, id="no such kind"),
    pytest.param({"fault": {}}, id="no kind"),
    pytest.param({"fault": {"kind": "latency", "seconds": -1}}, id="time runs forward"),
    pytest.param({"fault": {"kind": "answer"}}, id="an answer without a status"),
    pytest.param({"fault": {"kind": "hang", "colour": "red"}}, id="unknown field"),
    pytest.param({"fault": {"kind": "hang"}, "times": 0}, id="never"),
    pytest.param([], id="no object"),
]


@pytest.mark.parametrize("given", BAD_FAULTS)
async def test_a_bad_fault_is_refused(sandbox: Sandbox, api: Api, given: object) -> None:
    """A mistake in a test shall not look like a sandbox that behaves."""
    reply = await api.control("POST", "/faults", given)

    assert (reply.status, sandbox.faults.waiting()) == (400, [])


async def test_faults_are_ordered_over_http(api: Api) -> None:
    """For tests in any language; clearing them makes the sandbox behave again."""
    ordered = {"match": {"method": "GET", "path": "/v1/invoices*"}, "times": 2}
    await api.control("POST", "/faults", {**ordered, "fault": {"kind": "rate_limited"}})

    first = await api.get("/v1/invoices")
    left = (await api.control("GET", "/faults")).body
    await api.control("DELETE", "/faults")
    then = await api.get("/v1/invoices")

    assert (first.status, then.status) == (429, 200)
    assert [one["times"] for one in left] == [1]


async def test_requests_are_noted(sandbox: Sandbox, api: Api) -> None:
    """What was asked, under which key and version, and what came of it."""
    sandbox.faults.add(FaultKind.RESET_BEFORE, method="POST")
    with pytest.raises(ClientError):
        await api.post("/v1/customers", {"metadata[a]": "1"}, idempotency_key="once")
    await api.get("/v1/customers/cus_nobody")

    first, second = (await api.control("GET", "/requests")).body

    assert (first["method"], first["path"], first["status"]) == ("POST", "/v1/customers", None)
    assert (first["params"], first["idempotency_key"]) == ({"metadata": {"a": "1"}}, "once")
    assert (first["fault"], first["version"]) == ("reset_before", "2026-10-28.endive")
    assert (second["path"], second["status"]) == ("/v1/customers/cus_nobody", 404)


async def test_noted_requests_can_be_forgotten(sandbox: Sandbox, api: Api) -> None:
    """A test counts from where it begins."""
    await api.get("/v1/invoices")

    await api.control("DELETE", "/requests")
    await api.get("/v1/events")

    assert [one.path for one in sandbox.requests] == ["/v1/events"]
