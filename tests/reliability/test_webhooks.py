"""Webhooks that are forged, old, doubled, disordered or none of ours, at the public address."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.sandbox.stripe_api import Fault, FaultKind
from tests.callers.desk import Desk
from tests.reliability.public import CI, Public, Told, assert_refused, standing
from tests.reliability.sockets import introduced, item, subscribe
from tests.webhooks.rig import renamed
from tests.webhooks.signing import OLD_SECRET, OTHER_SECRET, SECRET, body_of, event, signed

NOW = 1_798_761_600
"""By the clock of the gateway under test."""
BODY = body_of(event(created=NOW))
EVENTS = "{ invoicePaymentEvents { nodes { rawType type invoiceId origin } } }"


async def delivered(public: Public, body: bytes, signature: str | None = None) -> Told:
    """One delivery, signed now unless told otherwise; Stripe has no token."""
    given = signed(body, NOW) if signature is None else signature
    return await public.send(
        body, token=None, path="/webhooks/stripe", Stripe_Signature=given, Accept=""
    )


async def published(public: Public) -> list[dict[str, Any]]:
    """What the log holds, as a caller sees it who sees everything."""
    told = await public.ask(EVENTS, token=CI)
    nodes: list[dict[str, Any]] = told.data["invoicePaymentEvents"]["nodes"]
    return nodes


def paid(public: Public) -> bytes:
    """The event of a payment that has just turned paid."""
    public.stage.paid_by(1000)
    return public.world.bodies("invoice_payment.paid")[-1]


async def test_good_webhook_is_2xx_and_published(public: Public) -> None:
    """So that the refusals below are about what differs."""
    told = await delivered(public, paid(public))

    assert told.status == 200
    assert [one["type"] for one in await published(public)] == ["PAID"]


FORGED: dict[str, tuple[bytes, str]] = {
    "no signature": (BODY, ""),
    "another secret": (BODY, signed(BODY, NOW, OTHER_SECRET)),
    "v0 only": (BODY, signed(BODY, NOW).replace("v1=", "v0=")),
    "tampered": (BODY.replace(b"in_1", b"in_2"), signed(BODY, NOW)),
    "old": (BODY, signed(BODY, NOW - 301)),
    "of the future": (BODY, signed(BODY, NOW + 301)),
    "two times": (BODY, f"t={NOW},{signed(BODY, NOW - 3600)}"),
    "garbage": (BODY, "garbage"),
    "commas": (BODY, ",,,=,"),
    "non-ASCII": (BODY, signed(BODY, NOW) + ",v1=\u00e9"),
    "non-ASCII time": (BODY, "t=\u0661,v1=0"),
    "signed array": (b"[]", signed(b"[]", NOW)),
    "signed null": (b"null", signed(b"null", NOW)),
    "signed without id": (b'{"type":"invoice.paid"}', signed(b'{"type":"invoice.paid"}', NOW)),
    "signed without type": (b'{"id":"evt_1"}', signed(b'{"id":"evt_1"}', NOW)),
    "signed nesting": (b"[" * 90_000, signed(b"[" * 90_000, NOW)),
    "no text": (b"\xff\xfe", f"t={NOW},v1=0"),
    "empty": (b"", signed(b"", NOW)),
}


@pytest.mark.parametrize(("body", "signature"), FORGED.values(), ids=FORGED)
async def test_forged_webhook_is_400_and_nothing_is_published(
    public: Public, caplog: pytest.LogCaptureFixture, body: bytes, signature: str
) -> None:
    """Its sender is told no reason; our log has one line of it, without the body."""
    with caplog.at_level("INFO", "gateway.web.webhooks"):
        told = await delivered(public, body, signature)

    lines = [one.getMessage() for one in caplog.records if "webhooks" in one.name]
    assert_refused(told, 400, "BAD_USER_INPUT")
    assert told.errors[0]["message"] == "Bad request."
    assert public.calls == []
    assert await published(public) == []
    assert len(lines) == 1
    assert "in_1" not in lines[0]


async def test_webhook_signed_with_the_rotated_secret_is_believed(desk: Desk) -> None:
    """Any of the secrets may match while one replaces another."""
    async with standing(desk, stripe_webhook_secrets=f"{SECRET},{OLD_SECRET}") as public:
        body = paid(public)

        told = await delivered(public, body, signed(body, NOW, OLD_SECRET))
        reader = public.world.served.gateway.webhooks

    assert told.status == 200
    assert reader is not None
    assert reader.counts.matched == [0, 1]


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "ten at once"])
async def test_duplicate_webhook_is_2xx_and_published_once(public: Public, at_once: bool) -> None:
    """Also while the first is in flight."""
    body = paid(public)

    if at_once:
        told = await asyncio.gather(*(delivered(public, body) for _ in range(10)))
    else:
        told = [await delivered(public, body) for _ in range(3)]

    assert {one.status for one in told} == {200}
    assert len(await published(public)) == 1


async def test_one_turn_under_two_event_ids_is_published_once(public: Public) -> None:
    body = paid(public)

    told = [await delivered(public, one) for one in (body, renamed(body, "evt_again"))]

    assert [one.status for one in told] == [200, 200]
    assert len(await published(public)) == 1


async def test_events_out_of_order_never_show_a_state_that_goes_back(public: Public) -> None:
    """`detached` comes before `paid`: subscribers read the invoice as it is, not as it was."""
    invoice_id, (intent_id,) = public.stage.paid_by(1000)
    public.stage.twin.detach(invoice_id, intent_id)
    was_paid = public.world.bodies("invoice_payment.paid")[-1]
    was_detached = public.world.bodies("invoice_payment.detached")[-1]

    async with introduced(public) as socket:
        await subscribe(socket)
        await item(socket)
        for body in (was_detached, was_paid):
            assert (await delivered(public, body)).status == 200
        told = [await item(socket) for _ in range(2)]

    assert [one["type"] for one in told] == ["DETACHED", "PAID"]
    assert [one["invoice"]["status"] for one in told] == ["OPEN", "OPEN"]


NONE_OF_OURS: dict[str, dict[str, Any]] = {
    "unknown type": {"type": "of.tomorrow"},
    "type not followed": {"type": "customer.tax_id.updated"},
    "livemode": {"livemode": True},
    "another account": {"account": "acct_2"},
}


@pytest.mark.parametrize("given", NONE_OF_OURS.values(), ids=NONE_OF_OURS)
async def test_what_is_none_of_ours_is_2xx_and_counted(
    public: Public, given: dict[str, Any]
) -> None:
    """A repeat would be none of ours either."""
    told = await delivered(public, body_of({**event(created=NOW), **given}))
    reader = public.world.served.gateway.webhooks

    assert told.status == 200
    assert reader is not None
    assert sum(reader.counts.ignored.values()) == 1
    assert public.calls == []
    assert await published(public) == []


async def test_body_of_a_megabyte_is_still_read(public: Public) -> None:
    """GraphQL's own limit is far lower; Stripe's own limits allow 25 MB."""
    body = BODY + b" " * (1_000_000 - len(BODY))

    assert (await delivered(public, body)).status == 200


async def test_body_longer_than_any_event_is_413_unread(public: Public) -> None:
    """Its length is enough."""
    head = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 32000001\r\n\r\n"

    answer = await public.raw(head)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"BAD_USER_INPUT"' in answer


async def test_other_method_is_405_with_allow(public: Public) -> None:
    told = await public.send(None, method="GET", token=None, path="/webhooks/stripe")

    assert_refused(told, 405, "BAD_USER_INPUT")
    assert told.headers["Allow"] == "POST"


async def test_partner_s_token_is_no_signature(public: Public) -> None:
    told = await public.send(BODY, path="/webhooks/stripe")

    assert_refused(told, 400, "BAD_USER_INPUT")


async def test_webhook_that_cannot_be_taken_in_is_503_and_taken_in_when_it_comes_again(
    public: Public,
) -> None:
    """Stripe is asked to repeat it; nobody is told of what is not durable."""
    body = paid(public)
    fault = Fault(FaultKind.ANSWER, status=401, body={"error": {}})
    public.sandbox.faults.add(fault, method="GET", path="/v1/invoices/*", times=None)

    during = await delivered(public, body)
    public.sandbox.faults.clear()
    after = await delivered(public, body)

    assert (during.status, after.status) == (503, 200)
    assert int(during.headers["Retry-After"]) > 0
    assert len(await published(public)) == 1


async def test_gap_after_downtime_is_read_from_stripe_s_own_list_once(public: Public) -> None:
    """What was never delivered, through the same dedupe as what was."""
    catch_up = public.world.served.gateway.catch_up
    assert catch_up is not None
    first = paid(public)
    await delivered(public, first)
    paid(public)

    await catch_up.run()
    await catch_up.run()

    paid_events = [one for one in await published(public) if one["type"] == "PAID"]
    assert [one["origin"] for one in paid_events] == ["WEBHOOK", "RECONCILED"]
