"""Writes at the client: one key for all attempts, and exactly one of four ways to end."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.stripe.client import PostResult, StripeApi
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from schema.ports import Meter, RefusalCode, Refused
from tests.stripe_edge.conftest import MakeApi, Waits
from tests.stripe_edge.peer import Answer, Cut, Hang, Json, Peer, Reset, error

PATH = "/v1/invoices/in_1/attach_payment"
CALL = f"POST {PATH}"
OK = Json({"id": "in_1"}, headers={"Request-Id": "req_9"})


async def post(api: StripeApi, meter: Meter | None = None, **options: Any) -> PostResult:
    params = {"payment_intent": "pi_1"}
    return await api.post(PATH, params, meter or Meter("a"), idempotency_key="gw_1", **options)


async def test_write_sends_key_form_and_version(api: StripeApi, peer: Peer) -> None:
    """The journal's key is Stripe's key, and a preview is asked for by the call that needs it."""
    peer.answer(CALL, OK)

    result = await post(api, version="2026-09-30.preview")

    assert result == PostResult({"id": "in_1"}, "req_9")
    assert peer.sent[0].headers["Idempotency-Key"] == "gw_1"
    assert peer.sent[0].headers["Stripe-Version"] == "2026-09-30.preview"
    assert peer.sent[0].form == {"payment_intent": "pi_1"}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(Cut({"id": "in_1", "object": "invoice"}), id="cut_body"),
        pytest.param(Json(b'{"id": '), id="bad_json"),
        pytest.param(Json(b"[]"), id="no_object"),
        pytest.param(error(500, type="api_error"), id="failure"),
        pytest.param(error(409, code="idempotency_key_in_use"), id="key_in_use"),
        pytest.param(error(429), id="rate_limit"),
        pytest.param(error(429, code="lock_timeout"), id="lock_timeout"),
    ],
)
async def test_write_is_repeated_with_the_same_key_after(
    first: Answer, api: StripeApi, peer: Peer
) -> None:
    """Only the same key can neither lose nor double what the first attempt may have done."""
    peer.answer(CALL, first, OK)

    result = await post(api)

    assert result.body == {"id": "in_1"}
    assert [one.headers["Idempotency-Key"] for one in peer.sent] == ["gw_1", "gw_1"]
    assert peer.sent[0].form == peer.sent[1].form


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(Cut({"id": "in_1", "object": "invoice"}), id="cut_body"),
        pytest.param(Json(b'{"id": '), id="bad_json"),
        pytest.param(Json(b'{"error": [1]}', 400), id="unreadable_error"),
        pytest.param(error(500), id="failure"),
        pytest.param(error(500, headers={"Stripe-Should-Retry": "false"}), id="final_failure"),
        pytest.param(Json(b"<html>", 502), id="proxy_page"),
        pytest.param(error(409, code="idempotency_key_in_use"), id="key_in_use"),
    ],
)
async def test_write_ends_unknown_after(answer: Answer, api: StripeApi, peer: Peer) -> None:
    """What was sent and not answered for sure is never called failed."""
    peer.answer(CALL, answer)

    with pytest.raises(WriteUnknown):
        await post(api)


async def test_hanging_write_ends_unknown(make_api: MakeApi, peer: Peer) -> None:
    """Time that ran out says nothing about what was done."""
    peer.answer(CALL, Hang())

    with pytest.raises(WriteUnknown):
        await post(make_api(attempt_seconds=0.02))


async def test_unknown_write_names_the_request(api: StripeApi, peer: Peer) -> None:
    """Support can look up what Stripe made of it."""
    peer.answer(CALL, error(500))

    with pytest.raises(WriteUnknown) as unknown:
        await post(api)

    assert (unknown.value.request_id, unknown.value.stored) == ("req_1", False)


async def test_stored_failure_is_not_asked_for_again(api: StripeApi, peer: Peer) -> None:
    """Stripe replays a 500 too; the second copy says no more than the first."""
    stored = {"Idempotent-Replayed": "true"}
    peer.answer(CALL, error(500, headers=stored))

    with pytest.raises(WriteUnknown) as unknown:
        await post(api)

    assert unknown.value.stored is True
    assert peer.calls() == [CALL]


async def test_definite_refusal_carries_what_stripe_said(api: StripeApi, peer: Peer) -> None:
    """Whoever explains the refusal needs code, parameter, request and page."""
    peer.answer(
        CALL,
        error(400, code="parameter_missing", param="payment_intent", doc_url="https://d.example"),
    )

    with pytest.raises(WriteRejected) as rejected:
        await post(api)

    refused = rejected.value
    assert (refused.status, refused.stripe_code) == (400, "parameter_missing")
    assert (refused.param, refused.request_id) == ("payment_intent", "req_1")
    assert (refused.doc_url, refused.message) == ("https://d.example", "No.")
    assert (refused.in_doubt, refused.unsupported) == (False, False)
    assert peer.calls() == [CALL]


@pytest.mark.parametrize(
    ("answer", "unsupported"),
    [
        pytest.param(
            error(404, message="Unrecognized request URL (POST: /v1/x)."), True, id="no_such_url"
        ),
        pytest.param(
            error(400, message="Invalid Stripe API version: 2026"), True, id="no_such_version"
        ),
        pytest.param(
            error(400, code="parameter_unknown", param="amount_requested"),
            True,
            id="no_such_preview_parameter",
        ),
        pytest.param(error(404, code="resource_missing", param="id"), False, id="no_such_object"),
        pytest.param(error(400), False, id="no_reason_given"),
        pytest.param(
            error(400, code="parameter_unknown", param="payment_intent"),
            False,
            id="no_such_parameter",
        ),
    ],
)
async def test_what_the_account_lacks_is_told_apart(
    answer: Answer, unsupported: bool, api: StripeApi, peer: Peer
) -> None:
    """A preview that is not open to the account is no fault of the caller's."""
    peer.answer(CALL, answer)

    with pytest.raises(WriteRejected) as rejected:
        await post(api)

    assert rejected.value.unsupported is unsupported


async def test_rate_limited_write_was_not_done(api: StripeApi, peer: Peer) -> None:
    """429 comes before Stripe's idempotency layer: nothing happened, and when to return is said."""
    peer.answer(CALL, error(429, headers={"Retry-After": "2"}))

    with pytest.raises(Refused) as refused:
        await post(api)

    assert refused.value.code is RefusalCode.UPSTREAM_RATE_LIMITED
    assert (refused.value.retryable, refused.value.retry_after_seconds) == (True, 2)
    assert refused.value.stripe_request_id == "req_1"


async def test_unreachable_write_was_not_sent(make_api: MakeApi) -> None:
    """A connection that was never made has carried nothing."""
    api = make_api(api_base="http://127.0.0.1:1")

    with pytest.raises(Refused) as refused:
        await post(api)

    assert refused.value.code is RefusalCode.UPSTREAM_UNAVAILABLE
    assert refused.value.retryable is True


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(error(429), id="rate_limited"),
        pytest.param(error(401), id="key_revoked"),
        pytest.param(error(403), id="right_taken_away"),
    ],
)
async def test_doubt_is_not_settled_by(then: Answer, api: StripeApi, peer: Peer) -> None:
    """These are answered in front of Stripe's idempotency layer; the first attempt may be done."""
    peer.answer(CALL, Reset(), then)

    with pytest.raises(WriteUnknown):
        await post(api)


async def test_refusal_after_doubt_says_so(api: StripeApi, peer: Peer) -> None:
    """Whoever explains it looks first whether the attempt in doubt was done."""
    peer.answer(CALL, Reset(), error(400))

    with pytest.raises(WriteRejected) as rejected:
        await post(api)

    assert rejected.value.in_doubt is True


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Idempotent-Replayed": "true"}, id="said"),
        pytest.param({"Request-Id": "req_2", "Original-Request": "req_1"}, id="implied"),
    ],
)
async def test_answer_that_an_earlier_call_got_is_known(
    headers: dict[str, str], api: StripeApi, peer: Peer
) -> None:
    """A replay on the first attempt was done by a call before this one."""
    peer.answer(CALL, Json({"id": "in_1"}, headers=headers))

    assert (await post(api)).stored is True


async def test_answer_to_a_repeat_of_this_call_is_its_own(api: StripeApi, peer: Peer) -> None:
    """The replay after a lost answer is the first that anybody hears of it."""
    peer.answer(CALL, Reset(), Json({"id": "in_1"}, headers={"Idempotent-Replayed": "true"}))

    assert (await post(api)).stored is False


async def test_write_that_has_begun_is_not_stopped_by_the_meter(api: StripeApi, peer: Peer) -> None:
    """A budget of reads never turns a write into a doubt; its attempts are counted all the same."""
    meter = Meter("a", calls_max=0)
    peer.answer(CALL, Reset(), OK)

    await post(api, meter)

    assert meter.calls == 2


async def test_write_stops_when_its_time_is_up(make_api: MakeApi, peer: Peer, waits: Waits) -> None:
    """The time budget holds for all attempts and waits together."""
    api = make_api(budget_seconds=0.2)
    peer.answer(CALL, Reset(), OK)

    with pytest.raises(WriteUnknown):
        await post(api)

    assert (peer.calls(), waits.slept) == ([CALL], [])
