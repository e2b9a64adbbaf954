"""The route as Stripe meets it: what is acknowledged, what is refused, what is asked for again."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from gateway.sandbox.stripe_api import Fault, FaultKind
from tests.events.unsteady_logs import Held
from tests.support.time_and_ids import START
from tests.webhooks.rig import HANG_SECONDS_MAX, Rig, StoppableLog, renamed, rigged
from tests.webhooks.signing import (
    OLD_SECRET,
    OTHER_SECRET,
    body_of,
    event,
    signed,
)

BODY = body_of(event())
RECEIVED = {"received": True}
BAD_REQUEST = {
    "errors": [{"message": "Bad request.", "extensions": {"code": "BAD_USER_INPUT"}}],
}
PUT_OFF = {
    "errors": [
        {
            "message": "Not taken in: send it again.",
            "extensions": {"code": "INTERNAL_SERVER_ERROR"},
        }
    ],
}


async def paid(rig: Rig) -> bytes:
    """An event that a payment has turned paid."""
    rig.stage.paid_by(1000)
    return rig.bodies("invoice_payment.paid")[-1]


async def test_a_webhook_is_in_the_log_and_published(rig: Rig) -> None:
    """Once, with its ids and whose the invoice is, after the drop."""
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)

    answer = await rig.post(rig.bodies("invoice_payment.paid")[0])

    (entry,) = await rig.held()
    assert answer == (200, RECEIVED)
    assert (entry.type, entry.origin) == ("PAID", "WEBHOOK")
    assert (entry.invoice_id, entry.payment_intent_id) == (invoice_id, intent_id)
    assert entry.customer_id == "cus_acme"
    assert rig.published == [entry]
    assert [one.invoice_id for one in rig.dropped] == [invoice_id, None]
    assert len(rig.sandbox.requests) == 1


SPOILED: list[Any] = [
    pytest.param(BODY, "", id="no signature"),
    pytest.param(BODY, signed(BODY, START, OTHER_SECRET), id="wrong"),
    pytest.param(BODY, signed(BODY, START).replace("v1=", "v0="), id="v0 only"),
    pytest.param(BODY, signed(BODY, START - 3600), id="old"),
    pytest.param(BODY, signed(BODY, START + 3600), id="future"),
    pytest.param(BODY.replace(b"in_1", b"in_2"), signed(BODY, START), id="tampered"),
    pytest.param(BODY, signed(BODY, START) + ",v1=\u00e9", id="non-ASCII"),
    pytest.param(BODY, "garbage", id="garbage"),
    pytest.param(b"[]", signed(b"[]", START), id="signed array"),
    pytest.param(b"null", signed(b"null", START), id="signed null"),
    pytest.param(
        b'{"type": "invoice.paid"}', signed(b'{"type": "invoice.paid"}', START), id="no id"
    ),
    pytest.param(b"\xff", "t=1,v1=0", id="no text"),
]


@pytest.mark.parametrize(("body", "signature"), SPOILED)
async def test_who_is_not_stripe_learns_nothing(
    rig: Rig, caplog: pytest.LogCaptureFixture, body: bytes, signature: str
) -> None:
    """400 without a reason, nothing taken in, nothing asked; one line in our log, and no body."""
    with caplog.at_level(logging.INFO, "gateway"):
        answer = await rig.post(body, signature)

    lines = [one.getMessage() for one in caplog.records if one.name.startswith("gateway")]
    assert answer == (400, BAD_REQUEST)
    assert (await rig.held(), rig.published, rig.dropped) == ([], [], [])
    assert len(rig.sandbox.requests) == 0
    assert len(lines) == 1
    assert "in_1" not in lines[0]


async def test_two_signature_headers_are_refused(rig: Rig) -> None:
    """Nobody could say which of them counts."""
    headers = [("Stripe-Signature", signed(BODY, START))] * 2

    async with rig.session.post(rig.url, data=BODY, headers=headers) as response:
        assert response.status == 400


async def test_a_rotated_secret_is_believed_and_counted(rig: Rig) -> None:
    """Both are good while Stripe signs with both."""
    body = await paid(rig)

    first = await rig.post(body, signed(body, rig.stage.clock.now(), OLD_SECRET))
    second = await rig.post(renamed(body, "evt_again"))

    assert (first[0], second[0]) == (200, 200)
    assert rig.reader.counts.matched == [1, 1]


IGNORED: list[Any] = [
    pytest.param({"type": "customer.tax_id.updated"}, "type_not_followed", id="type"),
    pytest.param({"type": "customer.updated"}, "names_nothing", id="no customer in it"),
    pytest.param({"type": "of.tomorrow"}, "type_not_followed", id="unheard-of type"),
    pytest.param({"livemode": True}, "other_livemode", id="other livemode"),
    pytest.param({"account": "acct_2"}, "other_account", id="other account"),
    pytest.param({"data": {"object": {}}}, "names_nothing", id="about nothing"),
]


@pytest.mark.parametrize(("given", "reason"), IGNORED)
async def test_what_is_none_of_ours_is_acknowledged_and_counted(
    rig: Rig, given: dict[str, Any], reason: str
) -> None:
    """A repeat would be none of ours either. Upstream is not asked for it."""
    answer = await rig.post(body_of({**event(), **given}))

    assert answer == (200, RECEIVED)
    assert rig.reader.counts.ignored == {reason: 1}
    assert (await rig.held(), len(rig.sandbox.requests)) == ([], 0)


async def test_an_event_of_no_ga_list_is_taken_in(rig: Rig) -> None:
    """Types are plain strings: the SDK has never heard of a detached payment."""
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)
    rig.stage.twin.detach(invoice_id, intent_id)

    answer = await rig.post(rig.bodies("invoice_payment.detached")[0])

    assert answer == (200, RECEIVED)
    assert [entry.type for entry in await rig.held()] == ["DETACHED"]


async def test_an_event_about_an_unknown_invoice_is_acknowledged(rig: Rig) -> None:
    """A draft that was deleted meanwhile: nobody can be shown it, and no repeat will help."""
    answer = await rig.post(body_of(event(created=START)))

    assert answer == (200, RECEIVED)
    assert (rig.reader.counts.known, await rig.held()) == (1, [])


async def test_a_repeat_is_acknowledged_and_published_once(rig: Rig) -> None:
    """Stripe promises at least once, and so it comes twice."""
    body = await paid(rig)

    answers = [await rig.post(body) for _ in range(3)]

    assert answers == [(200, RECEIVED)] * 3
    assert len(rig.published) == len(await rig.held()) == 1
    assert (rig.reader.counts.taken, rig.reader.counts.known) == (1, 2)


async def test_ten_at_once_are_published_once(rig: Rig) -> None:
    """Several endpoints and a retry may deliver one event in the same moment: one call for all."""
    body = await paid(rig)
    rig.sandbox.requests.clear()

    answers = await asyncio.gather(*(rig.post(body) for _ in range(10)))

    assert answers == [(200, RECEIVED)] * 10
    assert len(rig.published) == len(await rig.held()) == 1
    assert len(rig.sandbox.requests) == 1


async def test_one_turning_paid_under_two_ids_is_published_once(rig: Rig) -> None:
    """Stripe may make two events of one turn; the state that was entered is one."""
    body = await paid(rig)

    answers = [await rig.post(body), await rig.post(renamed(body, "evt_another"))]

    assert answers == [(200, RECEIVED)] * 2
    assert len(rig.published) == len(await rig.held()) == 1


async def test_nothing_else_is_merged(rig: Rig) -> None:
    """Two changes in one second are two, however alike they look."""
    rig.stage.open_invoice(1000)
    body = rig.bodies("invoice.finalized")[0]

    await rig.post(body)
    await rig.post(renamed(body, "evt_another"))

    assert await rig.types() == ["invoice.finalized"] * 2


async def test_it_is_acknowledged_only_after_it_is_in_the_log() -> None:
    """A crash before the append loses nothing: Stripe has not been told anything yet."""
    log = Held()
    async with rigged(log=log) as rig:
        body = await paid(rig)

        delivery = asyncio.create_task(rig.post(body))
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await log.has_it.wait()
        is_early = delivery.done()
        log.released.set()

        assert (is_early, await delivery) == (False, (200, RECEIVED))


async def test_a_sender_that_goes_away_loses_nothing() -> None:
    """What is in the log is published, whoever still listens for the answer."""
    log = Held()
    async with rigged(log=log) as rig:
        body = await paid(rig)

        delivery = asyncio.create_task(rig.post(body))
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await log.has_it.wait()
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)
        log.released.set()
        answer = await rig.post(body)

        assert answer == (200, RECEIVED)
        assert len(rig.published) == 1


async def test_while_the_log_is_down_stripe_is_asked_to_repeat() -> None:
    """503 with a time, and the repeat is taken in as if nothing had been."""
    log = StoppableLog()
    async with rigged(log=log) as rig:
        body = await paid(rig)
        log.is_down = True

        during = await rig.post(body)
        log.is_down = False
        after = await rig.post(body)

        assert (during, after) == ((503, PUT_OFF), (200, RECEIVED))
        assert len(rig.published) == 1
        assert rig.reader.counts.put_off == 1


UPSTREAM_FAULTS = [
    pytest.param(Fault(FaultKind.RATE_LIMITED), id="limited"),
    pytest.param(Fault(FaultKind.SERVER_ERROR), id="failing"),
    pytest.param(Fault(FaultKind.RESET_BEFORE), id="reset"),
    pytest.param(Fault(FaultKind.INVALID_JSON), id="unreadable"),
    pytest.param(Fault(FaultKind.ANSWER, status=401, body={"error": {}}), id="key not accepted"),
]


@pytest.mark.parametrize("fault", UPSTREAM_FAULTS)
async def test_an_invoice_whose_customer_cannot_be_asked_for_comes_again(
    rig: Rig, fault: Fault
) -> None:
    """Without the customer nobody could be kept from seeing it, so it waits outside the log."""
    body = await paid(rig)
    rig.sandbox.faults.add(fault, method="GET", path="/v1/invoices/*", times=None)

    during = await rig.post(body)
    rig.sandbox.faults.clear()
    after = await rig.post(body)

    assert (during, after) == ((503, PUT_OFF), (200, RECEIVED))
    assert len(rig.published) == 1


async def test_retry_after_says_when(rig: Rig) -> None:
    """For whatever stands in between and heeds it."""
    body = await paid(rig)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, times=None)

    headers = {"Stripe-Signature": signed(body, rig.stage.clock.now())}
    async with rig.session.post(rig.url, data=body, headers=headers) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "10")


async def test_what_takes_too_long_is_asked_for_again() -> None:
    """Stripe would give up first and count it as failed; this way it is certain who gave up."""
    log = Held()
    async with rigged(log=log, receive_timeout_seconds=0.05) as rig:
        body = await paid(rig)

        during = await rig.post(body)
        log.released.set()
        after = await rig.post(body)

        assert (during, after) == ((503, PUT_OFF), (200, RECEIVED))
        assert len(rig.published) == 1


async def test_more_at_once_than_can_wait_are_asked_for_again() -> None:
    """The line has an end; who is not Stripe never stands in it."""
    log = Held()
    async with rigged(log=log, under_way_max=1) as rig:
        body = await paid(rig)

        first = asyncio.create_task(rig.post(body))
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await log.has_it.wait()
        refused = await rig.post(body, "t=1,v1=0")
        second = await rig.post(body)
        log.released.set()

        assert (refused[0], second[0], (await first)[0]) == (400, 503, 200)


async def test_no_body_and_no_secret_is_ever_logged(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each webhook, with its id and what became of it."""
    body = body_of(event({"object": "invoice", "id": "in_1", "footer": "canary"}, created=START))

    with caplog.at_level(logging.INFO, "gateway"):
        await rig.post(body)
        rig.sandbox.faults.add(FaultKind.SERVER_ERROR, times=None)
        await rig.post(body)

    lines = [one.getMessage() for one in caplog.records if "webhooks" in one.name]
    assert len(lines) == 2
    assert all(line.startswith("webhook evt_1 invoice.updated") for line in lines)
    assert "canary" not in caplog.text
    assert "whsec" not in caplog.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_other_methods_are_told_which_one_is_right(rig: Rig, method: str) -> None:
    """405 without `Allow` helps nobody."""
    async with rig.session.request(method, rig.url) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_a_body_that_is_too_long_is_refused_unread() -> None:
    """Its length is enough; no event is that long."""
    async with rigged(body_bytes_max=256_000) as rig:
        status, _ = await rig.post(b" " * 1_000_000, "t=1,v1=0")

    assert status == 413


async def test_the_longest_body_is_still_read() -> None:
    """The limit is a number of bytes, whatever is in them."""
    async with rigged(body_bytes_max=256_000) as rig:
        body = BODY + b" " * (256_000 - len(BODY))

        assert (await rig.post(body))[0] == 200
        assert (await rig.post(body + b" "))[0] == 413


async def test_a_chunked_body_over_the_limit_is_read_no_further() -> None:
    """Without a length the limit holds at the first chunk beyond it."""

    async def chunks() -> Any:
        for _ in range(30):
            yield b" " * 10_000

    async with (
        rigged(body_bytes_max=256_000) as rig,
        ClientSession() as session,
        session.post(rig.url, data=chunks(), headers={"Stripe-Signature": "t=1,v1=0"}) as response,
    ):
        assert response.status == 413


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    """Half-sent requests must not pile up."""
    async with rigged(read_timeout_seconds=0.05) as rig:
        url = URL(rig.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)

        writer.write(b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        answer = await asyncio.wait_for(reader.read(), HANG_SECONDS_MAX)

        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_compressed_body_is_not_unpacked(rig: Rig) -> None:
    """The signature is over what was sent; a bomb stays as small as it came."""
    import gzip

    packed = gzip.compress(BODY)

    status, _ = await rig.post(packed, signed(BODY, START), **{"Content-Encoding": "gzip"})

    assert status == 400
