"""Follow one invoice, and take a payment off it: a client with generated types.

    python follow_invoice.py URL in_demo_paid_by_two pi_demo_two_b

With a type of event as a fourth argument it ends with the first of that type.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
import websockets
from gateway_client import (
    DetachPaymentDetachPayment,
    DetachPaymentInput,
    FollowInvoicePaymentEventsInvoicePaymentEvent,
    FollowInvoicePaymentEventsStreamCheckpoint,
    FollowInvoicePaymentEventsStreamGap,
    GatewayClient,
    PaymentErrorCode,
    Shown,
)

UNDECIDED = {PaymentErrorCode.UPSTREAM_OUTCOME_UNKNOWN, PaymentErrorCode.IDEMPOTENCY_IN_PROGRESS}
SECONDS = 0.5


async def detached(
    client: GatewayClient, invoice_id: str, intent_id: str, key: str
) -> DetachPaymentDetachPayment:
    """One attempt: sent again, with the same key, until its outcome is known."""
    wanted = DetachPaymentInput(invoiceId=invoice_id, paymentIntentId=intent_id, idempotencyKey=key)
    while True:
        try:
            payload = (await client.detach_payment(wanted)).detach_payment
        except httpx.TransportError:
            payload = None  # No answer: nobody knows yet whether it was done.
        if payload is not None and not UNDECIDED & {one.code for one in payload.errors}:
            return payload
        await asyncio.sleep(SECONDS)


async def items(client: GatewayClient, invoice_id: str, after: str) -> AsyncGenerator[Any, None]:
    """All that happens after this cursor, once and in order, however often the socket is cut."""
    while True:
        try:
            async with aclosing(client.follow(ids=[invoice_id], after=after)) as answers:
                async for answer in answers:
                    item = answer.invoice_payment_events
                    after = getattr(item, "resumes_at", None) or item.cursor
                    yield item
        except (OSError, websockets.WebSocketException):
            await asyncio.sleep(SECONDS)


def said(what: str, invoice: Shown | None) -> None:
    remaining = invoice and invoice.amount_remaining
    amount = remaining and f"{remaining.minor_units} {remaining.currency} remaining"
    print(what, invoice and invoice.status.value, amount, flush=True)


async def read(client: GatewayClient, invoice_id: str) -> str:
    """Show the invoice as it is; the cursor from which nothing of it is missed."""
    invoice = (await client.read_invoice(invoice_id)).invoice
    assert invoice is not None
    said("READ", invoice)
    return invoice.event_cursor


async def detach(client: GatewayClient, invoice_id: str, intent_id: str, key: str) -> None:
    """Do it and show what it did."""
    payload = await detached(client, invoice_id, intent_id, key)
    for error in payload.errors:
        print("REFUSED", error.code.value, error.message, flush=True)
    said("MINE", payload.invoice)


async def main(url: str, invoice_id: str, intent_id: str | None, until: str | None) -> None:
    token = os.environ.get("GATEWAY_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = GatewayClient(
        url=url,
        headers=headers,
        ws_url=url.replace("http", "ws", 1),
        ws_connection_init_payload=headers,
    )
    mine, after = str(uuid.uuid4()), await read(client, invoice_id)
    async with aclosing(items(client, invoice_id, after)) as stream:
        async for item in stream:
            match item:
                case FollowInvoicePaymentEventsStreamCheckpoint(live=True):
                    print("LIVE", flush=True)
                    if intent_id is not None:
                        await detach(client, invoice_id, intent_id, mine)
                        intent_id = None
                case FollowInvoicePaymentEventsStreamGap():
                    await read(client, invoice_id)
                case FollowInvoicePaymentEventsInvoicePaymentEvent():
                    # The echo of what the mutation's own answer has shown is passed over.
                    if item.idempotency_key != mine:
                        said(item.type_.value, item.invoice)
                    if item.type_.value == until:
                        return


if __name__ == "__main__":
    url, invoice_id, *more = sys.argv[1:]
    intent_id, until = [*more, None, None][:2]
    asyncio.run(main(url, invoice_id, intent_id, until))
