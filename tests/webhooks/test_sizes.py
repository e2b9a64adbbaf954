"""How long webhooks may be, and who is told when one is refused for it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from gateway.web.webhook_endpoint import (
    BODY_BYTES_MAX,
    EVENT_BYTES_MAX,
    LARGE_BODIES_MAX,
    LARGE_BYTES,
)
from tests.support.time_and_ids import START
from tests.webhooks.rig import HANG_SECONDS_MAX, Rig, rigged
from tests.webhooks.signing import event

LETTERS = {
    "ASCII": "a",
    "in two bytes": "\u00e9",
    "in three bytes": "\u6f22",
    "astral": "\U0001f9fe",
}


def metadata(letter: str) -> dict[str, str]:
    """As much as Stripe takes: 50 keys of 40 characters, values of 500."""
    return {f"{number:02}".ljust(40, letter): letter * 500 for number in range(50)}


def largest_event(letter: str) -> dict[str, Any]:
    """An updated invoice with everything that it can carry, in an API version that still shows
    the price and the plan of each line."""
    full = metadata(letter)
    line = {
        "object": "line_item",
        "description": letter * 500,
        "metadata": full,
        "price": {"object": "price", "metadata": full},
        "plan": {"object": "plan", "metadata": full},
    }
    changing = {
        "metadata": full,
        "description": letter * 5000,
        "footer": letter * 5000,
        "custom_fields": [{"name": letter * 40, "value": letter * 140}] * 4,
        "parent": {"subscription_details": {"metadata": full}},
        "lines": {"object": "list", "data": [line] * 10, "has_more": True},
    }
    invoice = {"object": "invoice", "id": "in_1", **changing}
    content = {"object": invoice, "previous_attributes": changing}
    return event(invoice, created=START, data=content)


def printed(raw: dict[str, Any], *, escaped: bool) -> bytes:
    """As Stripe prints its events: indented."""
    return json.dumps(raw, indent=2, ensure_ascii=escaped).encode()


@pytest.mark.parametrize("escaped", [False, True], ids=["as it is", "escaped"])
@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS.keys())
def test_no_event_reaches_the_bound(letter: str, escaped: bool) -> None:
    """Stripe's own limits end below it, whatever the language and however it is written."""
    length = len(printed(largest_event(letter), escaped=escaped))

    assert length < EVENT_BYTES_MAX < BODY_BYTES_MAX


@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS.keys())
async def test_the_largest_event_is_taken_in(letter: str) -> None:
    """A signed event within Stripe's limits is never left to catch-up."""
    async with rigged() as rig:
        invoice_id = rig.stage.draft(1000)
        raw = largest_event(letter)
        raw["data"]["object"]["id"] = invoice_id

        status, _ = await rig.post(printed(raw, escaped=True))

        assert status == 200
        assert [entry.invoice_id for entry in await rig.held()] == [invoice_id]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        one.getMessage()
        for one in caplog.records
        if one.name == "gateway.web.webhooks" and one.levelno == logging.WARNING
    ]


async def test_a_refusal_for_size_is_told_once_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The operator learns whose mistake it is, and a flood does not fill the log."""
    async with rigged(body_bytes_max=256_000) as rig:
        for _ in range(3):
            await rig.post(b" " * 256_001, "t=1,v1=0")

        assert rig.reader.counts.refused == {"body_too_large": 3}
    assert len(warnings(caplog)) == 1
    assert "256000 bytes" in warnings(caplog)[0]
    assert "beyond Stripe's own limits" in warnings(caplog)[0]


async def test_a_body_that_never_arrives_is_told_once_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A proxy that holds webhooks up would else be found by nobody."""
    async with rigged(read_timeout_seconds=0.05) as rig:
        for _ in range(2):
            await half_sent(rig)

        assert rig.reader.counts.refused == {"body_incomplete": 2}
    assert len(warnings(caplog)) == 1
    assert "proxy" in warnings(caplog)[0]


async def half_sent(rig: Rig) -> None:
    url = URL(rig.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    await asyncio.wait_for(reader.read(), HANG_SECONDS_MAX)
    writer.close()


async def test_large_bodies_of_others_do_not_fill_memory() -> None:
    """Who sends several at once, without an end, holds a few places; usual webhooks need none."""
    async with rigged() as rig, ClientSession() as session:
        more = asyncio.Event()
        arrived = asyncio.Semaphore(0)

        async def endless() -> Any:
            yield b" " * (LARGE_BYTES + 1)
            arrived.release()
            await more.wait()

        posts = [
            asyncio.create_task(status_of(session, rig.url, endless()))
            for _ in range(LARGE_BODIES_MAX)
        ]
        for _ in posts:
            await arrived.acquire()
        beyond = await until_put_off(rig)
        usual, _ = await rig.post(printed(event(created=START), escaped=True))
        more.set()
        statuses = await asyncio.gather(*posts)
        after, _ = await rig.post(b" " * (LARGE_BYTES + 1))

    assert beyond == 503
    assert usual == 200
    assert statuses == [400] * LARGE_BODIES_MAX
    assert after == 400


async def status_of(session: ClientSession, url: str, body: Any) -> int:
    headers = {"Stripe-Signature": "t=1,v1=0"}
    async with session.post(url, data=body, headers=headers) as response:
        return response.status


async def until_put_off(rig: Rig) -> int:
    """Sent until the bodies before it have arrived on the other side."""
    async with asyncio.timeout(HANG_SECONDS_MAX):
        while True:
            status, _ = await rig.post(b" " * (LARGE_BYTES + 1), "t=1,v1=0")
            if status != 400:
                return status
