"""The processes that people start, by the commands that they use."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import stripe
from aiohttp import ClientSession

START_SECONDS_MAX = 120


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A process of the command line, and what it said when it was up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    greeting = ""
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while "Stop" not in greeting:
                line = await process.stdout.readline()
                assert line, "it ended before it was up"
                greeting += line.decode()
        yield process, greeting
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def address(greeting: str, label: str) -> str:
    found = re.search(rf"{label}\s+(http://\S+)", greeting)
    assert found is not None, greeting
    return found[1]


async def test_serve_answers_and_ends_with_zero() -> None:
    """Up with one command, and a clean end when it is told to stop."""
    async with started("serve", "--port", "0") as (process, greeting), ClientSession() as session:
        url = address(greeting, "Open")
        query = re.search(r"Paste\s+(\{.*\})", greeting)
        assert query is not None
        async with session.post(url, json={"query": query[1]}) as response:
            body = await response.json()

        process.send_signal(signal.SIGTERM)
        code = await process.wait()

    assert body["data"]["invoice"]["status"] == "PAID"
    assert code == 0


STREAM = """
subscription Live($types: [InvoicePaymentEventType!]!) {
  invoicePaymentEvents(filter: {types: $types}) { __typename
    ... on InvoicePaymentEvent {
      rawType origin invoice { status } paymentIntentId } } }
"""


@asynccontextmanager
async def live_demo(*types: str) -> AsyncIterator[tuple[stripe.StripeClient, AsyncIterator[Any]]]:
    """Stripe's SDK on the sandbox of `--with-sandbox`, and a stream of the gateway beside it, whose
    checkpoint has come."""
    arguments = ("serve", "--with-sandbox", "--port", "0", "--sandbox-port", "0")
    async with started(*arguments) as (process, greeting), ClientSession() as session:
        assert process.stdout is not None
        more = (await process.stdout.readline()).decode()
        client = stripe.StripeClient(
            "sk_test_any", base_addresses={"api": address(greeting + more, "Sandbox")}
        )
        url = address(greeting, "Open")
        async with asyncio.timeout(START_SECONDS_MAX):
            while not await _has_caught_up(session, url):
                """The first look at Stripe's lists would find by itself what is to come."""
        async with session.post(
            url,
            json={"query": STREAM, "variables": {"types": types}},
            headers={"Accept": "text/event-stream"},
        ) as response:
            items = (
                json.loads(line[6:])["data"]["invoicePaymentEvents"]
                async for line in response.content
                if b"data: {" in line
            )
            checkpoint = await anext(items)
            assert checkpoint["__typename"] == "StreamCheckpoint"
            async with asyncio.timeout(START_SECONDS_MAX):
                yield client, items


async def _has_caught_up(session: ClientSession, url: str) -> bool:
    async with session.post(url, json={"query": "{ gateway { lastCompleteCatchUp } }"}) as response:
        return (await response.json())["data"]["gateway"]["lastCompleteCatchUp"] is not None


async def test_detach_at_stripe_reaches_the_stream_by_webhook() -> None:
    """Against the sandbox: what another program does at Stripe is live on every page."""
    async with live_demo("DETACHED") as (client, items):
        await asyncio.to_thread(
            client.raw_request,
            "post",
            "/v1/invoices/in_demo_paid_by_two/detach_payment",
            payment_intent="pi_demo_two_b",
            stripe_version="2026-09-30.preview",
        )
        event = await anext(items)

    assert (event["rawType"], event["origin"]) == ("invoice_payment.detached", "WEBHOOK")
    assert event["invoice"] == {"status": "OPEN"}


async def test_attach_at_stripe_reaches_the_stream_once_by_a_thin_event() -> None:
    """As in Stripe's dashboard: no snapshot event tells of it. Between two of them there is none
    more."""
    async with live_demo("ATTACHED") as (client, items):
        for intent_id in ("pi_demo_free_unpaid", "pi_demo_free"):
            attach = client.v1.invoices.attach_payment
            await asyncio.to_thread(attach, "in_demo_open", {"payment_intent": intent_id})
        events = [await anext(items), await anext(items)]

    assert [one["paymentIntentId"] for one in events] == [
        "pi_demo_free_unpaid",
        "pi_demo_free",
    ]
    assert {(one["rawType"], one["origin"]) for one in events} == {
        ("v1.invoice_payment.open", "WEBHOOK")
    }


async def test_sandbox_serves_any_stripe_sdk() -> None:
    """By itself, for whoever tests against Stripe."""
    async with started("sandbox", "--port", "0") as (_, greeting):
        client = stripe.StripeClient(
            "sk_test_any", base_addresses={"api": address(greeting, "Base")}
        )
        invoice = await asyncio.to_thread(
            client.v1.invoices.retrieve, "in_demo_paid_by_two", {"expand": ["payments"]}
        )

    assert invoice.status == "paid"
    assert len(invoice.payments.data) == 2


async def test_taken_port_of_the_metrics_is_told_with_its_setting() -> None:
    """It is another port than the gateway's, so another cure."""
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve", "--port", "0",
        env={**os.environ, "GATEWAY_METRICS_PORT": str(port)},
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    _, told = await process.communicate()
    taken.close()
    await taken.wait_closed()

    assert process.returncode == 1
    assert f"127.0.0.1:{port}" in told.decode()
    assert "GATEWAY_METRICS_PORT" in told.decode()


@pytest.mark.parametrize("command", ["serve", "sandbox"])
async def test_taken_port_is_told_with_its_cure(command: str) -> None:
    """No traceback: which address, why, and what to do."""
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", command, "--port", str(port),
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    _, told = await process.communicate()
    taken.close()
    await taken.wait_closed()

    assert process.returncode == 1
    assert f"127.0.0.1:{port}" in told.decode()
    assert "--port" in told.decode()
    assert "Traceback" not in told.decode()
