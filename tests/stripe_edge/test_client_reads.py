"""Reads at the client: what is sent, what is tried again, and what a failure is called."""

from __future__ import annotations

import pytest

from gateway.backends.stripe.client import STRIPE_VERSION, StripeApi
from schema.ports import ErrorCode, Failed, Meter
from tests.stripe_edge.conftest import MakeApi, Waits
from tests.stripe_edge.peer import Answer, Cut, Hang, Json, Peer, Reset, error

PATH = "/v1/invoices/in_1"
CALL = f"GET {PATH}"
OK = Json({"id": "in_1"})


async def test_read_sends_version_key_and_expand(api: StripeApi, peer: Peer) -> None:
    """The version is ours and not the account's default, so that shapes do not depend on it."""
    peer.answer(CALL, OK)

    body = await api.get(PATH, {"expand": ["payments"]}, Meter("a"))

    assert body == {"id": "in_1"}
    assert peer.sent[0].headers["Stripe-Version"] == STRIPE_VERSION
    assert peer.sent[0].headers["Authorization"] == "Bearer sk_test_notarealkey"
    assert peer.sent[0].form == {"expand[0]": "payments"}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(Cut({"id": "in_1", "object": "invoice"}), id="cut_body"),
        pytest.param(error(500, type="api_error"), id="failure"),
        pytest.param(Json(b"<html>", 503), id="failure_without_envelope"),
        pytest.param(error(429, code="rate_limit"), id="rate_limit"),
        pytest.param(error(429, code="lock_timeout"), id="lock_timeout"),
        pytest.param(error(400, code="lock_timeout"), id="lock_timeout_with_other_status"),
        pytest.param(error(409), id="conflict"),
        pytest.param(error(400, headers={"Stripe-Should-Retry": "true"}), id="advised"),
    ],
)
async def test_read_is_tried_again_after(first: Answer, api: StripeApi, peer: Peer) -> None:
    """What may be over in a moment is asked for once more."""
    peer.answer(CALL, first, OK)

    body = await api.get(PATH, {}, Meter("a"))

    assert body == {"id": "in_1"}
    assert peer.calls() == [CALL, CALL]


@pytest.mark.parametrize(
    "only",
    [
        pytest.param(error(400), id="bad_request"),
        pytest.param(error(401), id="unauthenticated"),
        pytest.param(error(403), id="forbidden"),
        pytest.param(error(404, code="resource_missing"), id="missing"),
        pytest.param(Json(b'{"id": '), id="bad_json"),
        pytest.param(Json(b"[]"), id="no_object"),
        pytest.param(error(500, headers={"Stripe-Should-Retry": "false"}), id="advised_against"),
    ],
)
async def test_read_is_not_tried_again_after(only: Answer, api: StripeApi, peer: Peer) -> None:
    """What would come out the same is asked for once."""
    peer.answer(CALL, only)

    with pytest.raises(Failed):
        await api.get(PATH, {}, Meter("a"))

    assert peer.calls() == [CALL]


@pytest.mark.parametrize(
    ("answer", "code", "details"),
    [
        pytest.param(
            error(404, code="resource_missing", param="id"),
            ErrorCode.NOT_FOUND,
            {"stripeCode": "resource_missing", "requestId": "req_1"},
            id="missing",
        ),
        pytest.param(
            error(429, headers={"Retry-After": "3"}),
            ErrorCode.UPSTREAM_RATE_LIMITED,
            {"retryAfterSeconds": 3, "requestId": "req_1"},
            id="rate_limited",
        ),
        pytest.param(
            error(429, code="lock_timeout"),
            ErrorCode.UPSTREAM_RATE_LIMITED,
            {"retryAfterSeconds": 1, "stripeCode": "lock_timeout", "requestId": "req_1"},
            id="locked",
        ),
        pytest.param(
            error(401), ErrorCode.UPSTREAM_ERROR, {"requestId": "req_1"}, id="unauthenticated"
        ),
        pytest.param(error(403), ErrorCode.UPSTREAM_ERROR, {"requestId": "req_1"}, id="forbidden"),
        pytest.param(
            error(500, code="api_down"),
            ErrorCode.UPSTREAM_ERROR,
            {"stripeCode": "api_down", "requestId": "req_1"},
            id="failure",
        ),
        pytest.param(
            Json(b"<html>", 502, {"Request-Id": "req_2"}),
            ErrorCode.UPSTREAM_ERROR,
            {"requestId": "req_2"},
            id="proxy_page",
        ),
        pytest.param(Json(b'{"error": null}', 400), ErrorCode.UPSTREAM_ERROR, {}, id="no_error"),
        pytest.param(Json(b'{"error": [1]}', 400), ErrorCode.UPSTREAM_ERROR, {}, id="error_list"),
        pytest.param(Json(b'{"error": "x"}', 400), ErrorCode.UPSTREAM_ERROR, {}, id="error_text"),
        pytest.param(Json(b"[" * 90_000), ErrorCode.UPSTREAM_ERROR, {}, id="deep_nesting"),
        pytest.param(Json(b"\xff\xfe"), ErrorCode.UPSTREAM_ERROR, {}, id="bad_utf8"),
        pytest.param(Reset(), ErrorCode.UPSTREAM_ERROR, {}, id="reset"),
    ],
)
async def test_failed_read_says_why(
    answer: Answer, code: ErrorCode, details: dict[str, object], api: StripeApi, peer: Peer
) -> None:
    """Each way to fail has its code, with Stripe's code and request id where there are any."""
    peer.answer(CALL, answer)

    with pytest.raises(Failed) as failed:
        await api.get(PATH, {}, Meter("a"))

    assert failed.value.extensions == {"code": code.value, **details}


async def test_hanging_read_times_out(make_api: MakeApi, peer: Peer) -> None:
    """Nobody waits for Stripe for ever, and the code says that it was time that ran out."""
    api = make_api(attempt_seconds=0.5)
    peer.answer(CALL, Hang())

    with pytest.raises(Failed) as failed:
        await api.get(PATH, {}, Meter("a"))

    assert failed.value.code is ErrorCode.UPSTREAM_TIMEOUT
    assert peer.calls() == [CALL] * 3


async def test_unreachable_peer_is_an_upstream_error(make_api: MakeApi) -> None:
    """A refused connection is named as one."""
    api = make_api(api_base="http://127.0.0.1:1")

    with pytest.raises(Failed) as failed:
        await api.get(PATH, {}, Meter("a"))

    assert failed.value.message == "Stripe cannot be reached"


async def test_retries_wait_with_jitter_below_a_growing_ceiling(
    api: StripeApi, peer: Peer, waits: Waits
) -> None:
    """The longest draw shows the ceilings: a quarter of a second, then half."""
    peer.answer(CALL, error(500))

    with pytest.raises(Failed):
        await api.get(PATH, {}, Meter("a"))

    assert waits.slept == [0.25, 0.5]
    assert len(peer.sent) == 3


async def test_retry_waits_as_long_as_stripe_asks(api: StripeApi, peer: Peer, waits: Waits) -> None:
    """Coming back before Retry-After would only be refused again."""
    waits.draw = 0.0
    peer.answer(CALL, error(429, headers={"Retry-After": "2"}), OK)

    await api.get(PATH, {}, Meter("a"))

    assert waits.slept == [2.0]


async def test_retry_beyond_the_time_budget_is_not_begun(
    api: StripeApi, peer: Peer, waits: Waits
) -> None:
    """A wait that the caller would not live to see is told at once."""
    peer.answer(CALL, error(429, headers={"Retry-After": "60"}), OK)

    with pytest.raises(Failed) as failed:
        await api.get(PATH, {}, Meter("a"))

    assert failed.value.extensions["retryAfterSeconds"] == 60
    assert waits.slept == []


async def test_every_attempt_of_a_read_is_counted(api: StripeApi, peer: Peer) -> None:
    """The meter counts what Stripe's limits count."""
    meter = Meter("a")
    peer.answer(CALL, error(500), OK)

    await api.get(PATH, {}, meter)

    assert meter.calls == 2


async def test_read_beyond_the_call_budget_is_not_sent(api: StripeApi, peer: Peer) -> None:
    """A runaway selection ends in a null, and not at Stripe's limit."""
    peer.answer(CALL, OK)

    with pytest.raises(Failed) as failed:
        await api.get(PATH, {}, Meter("a", calls_max=0))

    assert failed.value.code is ErrorCode.UPSTREAM_BUDGET_EXCEEDED
    assert peer.sent == []


async def test_notice_of_stripe_is_no_error(api: StripeApi, peer: Peer) -> None:
    """Stripe's notices are for people; with warnings as errors they must not break a call."""
    peer.answer(CALL, Json({"id": "in_1"}, headers={"Stripe-Notice": "Please upgrade."}))

    assert await api.get(PATH, {}, Meter("a")) == {"id": "in_1"}


async def test_connection_is_used_again(api: StripeApi, peer: Peer) -> None:
    """One handshake serves many calls."""
    peer.answer(CALL, OK)

    await api.get(PATH, {}, Meter("a"))
    await api.get(PATH, {}, Meter("b"))

    assert len({one.port for one in peer.sent}) == 1


async def test_closed_client_makes_new_connections(api: StripeApi, peer: Peer) -> None:
    """Closing twice is no mistake, and neither is a straggler's call after it."""
    peer.answer(CALL, OK)
    await api.get(PATH, {}, Meter("a"))

    await api.close()
    await api.close()

    assert await api.get(PATH, {}, Meter("a")) == {"id": "in_1"}


@pytest.mark.parametrize("path", ["/v1/invoices/in_1/../x", "/v1/in?x", "//evil.example/v1/x"])
async def test_path_of_anything_but_names_is_our_mistake(path: str, api: StripeApi) -> None:
    """No id reaches a URL unchecked, whoever forgot to check it."""
    with pytest.raises(AssertionError):
        await api.get(path, {}, Meter("a"))
