"""The breaker: while Stripe gives no answer, callers are told at once, and one call finds out."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.retries import FAILURES_MAX, OPEN_SECONDS
from schema.ports import ErrorCode, Failed, Meter, RefusalCode, Refused
from tests.stripe_edge.conftest import MakeApi, Waits
from tests.stripe_edge.peer import Answer, Hang, Json, Peer, Reset, error

PATH = "/v1/invoices/in_1"
GET = f"GET {PATH}"
OK = Json({"id": "in_1"})


@pytest.fixture
def api(make_api: MakeApi) -> StripeApi:
    """Without retries, so that a call is an attempt."""
    return make_api(attempts_max=1)


async def read(api: StripeApi) -> ErrorCode | None:
    """None for an answer, else the code of the failure."""
    try:
        await api.get(PATH, {}, Meter("a"))
    except Failed as failed:
        return failed.code
    return None


async def opened(api: StripeApi, peer: Peer, trouble: Answer) -> None:
    peer.answer(GET, trouble)
    for _ in range(FAILURES_MAX):
        assert await read(api) is not None
    peer.forget()


async def test_after_some_attempts_without_an_answer_nothing_is_sent(
    api: StripeApi, peer: Peer
) -> None:
    await opened(api, peer, Reset())

    assert await read(api) is ErrorCode.UPSTREAM_ERROR
    assert peer.calls() == []


async def test_who_is_told_at_once_hears_the_same_as_those_who_waited(
    make_api: MakeApi, peer: Peer
) -> None:
    api = make_api(attempts_max=1, attempt_seconds=0.01)
    await opened(api, peer, Hang())

    assert await read(api) is ErrorCode.UPSTREAM_TIMEOUT
    assert peer.calls() == []


async def test_a_write_is_certainly_not_sent(api: StripeApi, peer: Peer) -> None:
    """And may be repeated with the same key."""
    await opened(api, peer, Reset())

    with pytest.raises(Refused) as refused:
        await api.post(PATH, {}, Meter("a"), idempotency_key="k")

    assert refused.value.code is RefusalCode.UPSTREAM_UNAVAILABLE
    assert refused.value.retryable
    assert peer.calls() == []


async def test_errors_are_answers(api: StripeApi, peer: Peer) -> None:
    """Whoever says no is there."""
    peer.answer(GET, error(500, type="api_error"))
    for _ in range(2 * FAILURES_MAX):
        await read(api)

    assert len(peer.sent) == 2 * FAILURES_MAX


async def test_an_answer_in_between_starts_the_count_anew(api: StripeApi, peer: Peer) -> None:
    peer.answer(GET, *[Reset()] * (FAILURES_MAX - 1), OK, Reset())
    for _ in range(2 * FAILURES_MAX - 1):
        await read(api)

    assert len(peer.sent) == 2 * FAILURES_MAX - 1


async def test_after_a_while_one_call_finds_out_and_the_rest_go_on(
    api: StripeApi, peer: Peer, waits: Waits
) -> None:
    await opened(api, peer, Reset())
    waits.now += OPEN_SECONDS
    peer.answer(GET, OK)

    assert [await read(api) for _ in range(3)] == [None, None, None]
    assert len(peer.sent) == 3


async def test_one_call_at_a_time_finds_out(make_api: MakeApi, peer: Peer, waits: Waits) -> None:
    """Or everybody who waits would fall upon Stripe together."""
    api = make_api(attempts_max=1, attempt_seconds=0.05)
    await opened(api, peer, Hang())
    waits.now += OPEN_SECONDS

    codes = await asyncio.gather(*(read(api) for _ in range(5)))

    assert codes == [ErrorCode.UPSTREAM_TIMEOUT] * 5
    assert len(peer.sent) == 1


async def test_it_stays_open_when_there_still_is_no_answer(
    api: StripeApi, peer: Peer, waits: Waits
) -> None:
    await opened(api, peer, Reset())
    for _ in range(3):
        waits.now += OPEN_SECONDS
        await read(api)
        await read(api)

    assert len(peer.sent) == 3


async def test_a_caller_who_goes_away_while_finding_out_leaves_it_to_the_next(
    make_api: MakeApi, peer: Peer, waits: Waits
) -> None:
    api = make_api(attempts_max=1)
    await opened(api, peer, Reset())
    waits.now += OPEN_SECONDS
    peer.answer(GET, Hang(), OK)

    gone = asyncio.create_task(read(api))
    await peer.arrived(GET)
    gone.cancel()
    await asyncio.wait([gone])

    assert await read(api) is None
