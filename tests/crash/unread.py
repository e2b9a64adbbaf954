"""Subscribers that read one item, to know that they are live, and then nothing more.

Raw sockets: a client library, or asyncio itself, would read on behind the test's back. What the
gateway sends must wait in its own process, as the system on this side takes next to nothing.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from yarl import URL

from tests.crash.waiting import WAIT_SECONDS_MAX

RECEIVE_BUFFER_BYTES = 4096
OPENED_AT_ONCE = 20

STREAM = """
subscription { invoicePaymentEvents { __typename
  ... on StreamCheckpoint { cursor live }
  ... on StreamGap { resumesAt reason }
  ... on InvoicePaymentEvent { cursor type
    invoice { id status description
      payments { nodes { id paymentIntent { id status
        invoicePayments { nodes { id invoice { id status } } } } } } } } } }
"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One connection with one live stream."""

    connection: socket.socket
    complete: bytes
    """How the gateway ends the operation on this transport."""

    async def send(self, content: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.connection, content)

    async def read_until(self, mark: bytes) -> bytes:
        """Everything up to a chunk that completes the mark."""
        loop = asyncio.get_running_loop()
        seen = b""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while mark not in seen:
                part = await loop.sock_recv(self.connection, 65536)
                assert part, f"it ended before {mark!r}: {seen[-200:]!r}"
                seen += part
        return seen


async def _event_stream(subscriber: Subscriber, url: URL) -> None:
    body = json.dumps({"query": STREAM})
    await subscriber.send(
        f"POST /graphql HTTP/1.1\r\nHost: {url.authority}\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )


async def _web_socket(subscriber: Subscriber, url: URL) -> None:
    await subscriber.send(
        f"GET /graphql HTTP/1.1\r\nHost: {url.authority}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
    )
    await subscriber.send(_frame({"type": "connection_init"}))
    await subscriber.read_until(b"connection_ack")
    await subscriber.send(_frame({"id": "1", "type": "subscribe", "payload": {"query": STREAM}}))


def _frame(message: dict[str, object]) -> bytes:
    """A masked text frame of middling length; the mask of zeros changes nothing."""
    payload = json.dumps(message).encode()
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload


_TRANSPORTS = ((_event_stream, b"event: complete"), (_web_socket, b'"type":"complete"'))


async def _subscribed(url: URL, number: int) -> Subscriber:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (url.host, url.port))
    subscribe, complete = _TRANSPORTS[number % len(_TRANSPORTS)]
    subscriber = Subscriber(connection, complete)
    await subscribe(subscriber, url)
    await subscriber.read_until(b'"live":true')
    return subscriber


@asynccontextmanager
async def unread(url: URL, count: int) -> AsyncIterator[list[Subscriber]]:
    """So many live subscribers, event streams and sockets by turns."""
    opening = asyncio.Semaphore(OPENED_AT_ONCE)

    async def one(number: int) -> Subscriber:
        async with opening:
            return await _subscribed(url, number)

    subscribers = await asyncio.gather(*(one(number) for number in range(count)))
    try:
        yield subscribers
    finally:
        for subscriber in subscribers:
            subscriber.connection.close()
