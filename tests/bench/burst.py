"""A burst of webhooks: `python -m tests.bench.burst`.

A thousand signed webhooks about two hundred invoices within ten seconds, while a thousand
subscribers listen, at a Stripe that keeps to the limit of its test mode. The gateway is a process
of its own, and so is the sandbox, which answers 429 beyond 25 calls a second. Printed is what it
comes to: calls to Stripe for each webhook, what was refused, what was delivered, whether in order.

    --shape payment   all events of an invoice follow one another, as Stripe tells one payment
    --shape mixed     the events of all invoices are shuffled
    --state open      the invoices are paid in part, and their next payments wait for their intents
    --own             each subscriber listens to one invoice, and not to everything
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector

from gateway.sandbox.fixtures import write_fixtures
from tests.bench.harness import ask, running
from tests.bench.load import CLIENT_CORE, opening
from tests.bench.servers import LOG, Server, free_port, over_stripe
from tests.bench.world import CALLERS, WorldFiles, token, write_clients
from tests.support.stage import Stage
from tests.webhooks.signing import SECRET, signed

INVOICES = 200
TYPES = (
    "invoice_payment.paid",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.sent",
)
"""What is told of each invoice."""
STRIPE_PER_SECOND = 25
GIVEN_UP_SECONDS = 60.0
ITEM = """__typename ... on InvoicePaymentEvent { sourceEventId invoiceId type
  invoice { id status amountPaid { minorUnits }
    payments { nodes { id status paymentIntent { id status } } } }
  invoicePayment { id status paymentIntent { id status } } paymentIntent { id status } }"""
EVERYTHING = f"subscription {{ invoicePaymentEvents {{ {ITEM} }} }}"
OWN = f"""subscription ($ids: [ID!]) {{
  invoicePaymentEvents(filter: {{invoiceIds: $ids}}) {{ {ITEM} }} }}"""
LOGGED = """query ($after: EventCursor) { invoicePaymentEvents(first: 100, after: $after) {
  nodes { sourceEventId invoiceId } pageInfo { hasNextPage endCursor } } }"""
TOLD = re.compile(rb'"sourceEventId":"(evt_burst_\d{6})"')
FAILED = b'"errors"'


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event as Stripe sends it; signed when it goes out."""

    event_id: str
    invoice_id: str
    body: bytes


@dataclass(slots=True)
class Subscriber(asyncio.Protocol):
    """One socket: what it was told, in order, read without looking at the rest of a frame."""

    frames: Sequence[bytes]
    told: list[str] = field(default_factory=list)
    failures: int = 0
    is_live: asyncio.Event = field(default_factory=asyncio.Event)
    last_at: float = 0.0
    _step: int = 0
    _rest: bytes = b""
    _transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self.frames[0])

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if self._step < 2:
            if (b"101 Switching" if self._step == 0 else b"connection_ack") in self._rest:
                self._step += 1
                self._rest = b""
                self._transport.write(self.frames[self._step])
            return
        if not self.is_live.is_set() and b"StreamCheckpoint" in self._rest:
            self.is_live.set()
        self.failures += self._rest.count(FAILED)
        end = 0
        for found in TOLD.finditer(self._rest):
            self.told.append(found[1].decode())
            end = found.end()
            self.last_at = time.monotonic()
        self._rest = self._rest[max(end, len(self._rest) - 64) :]


def write_burst(
    folder: Path, seed: int, shape: str, state: str
) -> tuple[WorldFiles, list[Webhook]]:
    """The account, and what Stripe has to tell of it."""
    stage = Stage.empty()
    webhooks: list[Webhook] = []
    for _ in range(INVOICES):
        if state == "paid":
            invoice_id, (intent_id,) = stage.paid_by(1000)
        else:
            invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
            stage.twin.attach(invoice_id, intent_id)
        (payment,) = stage.twin.invoice_payments.matching("source_id", intent_id)
        for type in TYPES:
            event_id = f"evt_burst_{len(webhooks):06}"
            subject = {"object": "invoice", "id": invoice_id, "customer": "cus_acme"}
            if type.startswith("invoice_payment."):
                source = {"type": "payment_intent", "payment_intent": intent_id}
                subject = {"object": "invoice_payment", "id": payment.id, "invoice": invoice_id}
                subject |= {"payment": source}
            raw = {
                "id": event_id,
                "object": "event",
                "type": type,
                "created": stage.clock.now(),
                "livemode": False,
                "data": {"object": subject},
            }
            webhooks.append(Webhook(event_id, invoice_id, json.dumps(raw).encode()))
    if shape == "mixed":
        random.Random(seed).shuffle(webhooks)
    fixtures = folder / "fixtures.json"
    fixtures.write_text(json.dumps(write_fixtures(stage.twin)))
    return WorldFiles(fixtures, write_clients(folder)), webhooks


def limited_sandbox(files: WorldFiles) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "gateway", "sandbox", "--port", str(port)]
    command += ["--fixtures", str(files.fixtures), "--calls-per-second", str(STRIPE_PER_SECOND)]
    return Server("sandbox", command, LOG, port=port, core=CLIENT_CORE)


async def subscribed(port: int, count: int, own: Sequence[str] | None) -> list[Subscriber]:
    loop, found = asyncio.get_running_loop(), []
    for number in range(count):
        given = (EVERYTHING, {}) if own is None else (OWN, {"ids": [own[number % len(own)]]})
        frames = opening(*given, token(number % CALLERS))
        _, one = await loop.create_connection(
            lambda frames=frames: Subscriber(frames), "127.0.0.1", port
        )
        await asyncio.wait_for(one.is_live.wait(), GIVEN_UP_SECONDS)
        found.append(one)
    return found


async def sent(port: int, webhooks: Sequence[Webhook], seconds: float) -> Counter[int]:
    """The statuses that Stripe gets, each webhook at its time whatever became of the others."""
    begun, statuses = time.monotonic(), Counter[int]()
    url = f"http://127.0.0.1:{port}/webhooks/stripe"

    async def one(number: int, webhook: Webhook, session: ClientSession) -> None:
        await asyncio.sleep(max(0.0, begun + number * seconds / len(webhooks) - time.monotonic()))
        headers = {"Stripe-Signature": signed(webhook.body, int(time.time()), SECRET)}
        async with session.post(url, data=webhook.body, headers=headers) as response:
            statuses[response.status] += 1

    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one(*pair, session) for pair in enumerate(webhooks)))
    return statuses


def logged(server: Server) -> list[tuple[str, str]]:
    """Event and invoice of each entry, in the order of the log."""
    entries: list[tuple[str, str]] = []
    after = None
    while True:
        page = ask(server, LOGGED, {"after": after})["invoicePaymentEvents"]
        entries += [(one["sourceEventId"], one["invoiceId"]) for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return entries
        after = page["pageInfo"]["endCursor"]


async def calls_served(port: int) -> Counter[int | None]:
    """The sandbox's answers by status; it remembers the last thousand."""
    async with (
        ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/_sandbox/requests") as response,
    ):
        return Counter(one["status"] for one in await response.json())


async def measure(given: argparse.Namespace, server: Server, supplier: Server) -> None:
    webhooks: list[Webhook] = given.webhooks
    own = list(dict.fromkeys(one.invoice_id for one in webhooks)) if given.own else None
    subscribers = await subscribed(server.port, given.subscribers, own)
    before, used = await calls_served(supplier.port), server.cpu_seconds()
    begun = time.monotonic()
    statuses = await sent(server.port, webhooks, given.seconds)
    answered = time.monotonic() - begun
    entries = logged(server)
    owed = [
        [event for event, invoice in entries if own is None or invoice == own[at % len(own)]]
        for at in range(len(subscribers))
    ]
    total = sum(map(len, owed))
    while sum(len(one.told) for one in subscribers) < total:
        if time.monotonic() - begun > GIVEN_UP_SECONDS:
            break
        await asyncio.sleep(0.05)
    used = server.cpu_seconds() - used
    calls = await calls_served(supplier.port) - before
    delivered = sum(len(one.told) for one in subscribers)
    in_order = sum(one.told == its for one, its in zip(subscribers, owed, strict=True))
    per_invoice = _in_sending_order(entries, webhooks)
    sys.stdout.write(
        f"{len(webhooks)} webhooks about {INVOICES} invoices in {given.seconds:g} s, "
        f"{given.shape}, {given.state}, {len(subscribers)} subscribers to "
        f"{'one invoice each' if own else 'everything'}\n"
        f"calls to Stripe     {calls.total():8}   {calls.total() / len(webhooks):.2f} a webhook, "
        f"{calls[429]} of them answered 429\n"
        f"refused             {len(webhooks) - statuses[200]:8}   {dict(statuses)}\n"
        f"entries             {len(entries):8}   of an invoice in the order sent: {per_invoice}\n"
        f"delivered           {delivered:8}   of {total}, "
        f"{sum(one.failures for one in subscribers)} with errors\n"
        f"in order            {in_order:8}   of {len(subscribers)} subscribers\n"
        f"answered after      {answered:8.1f} s\n"
        f"delivered after     {max(one.last_at for one in subscribers) - begun:8.1f} s\n"
        f"the gateway's core  {used:8.1f} s\n"
    )


def _in_sending_order(entries: Sequence[tuple[str, str]], webhooks: Sequence[Webhook]) -> int:
    """How many of the invoices' events stand in the log as they were sent."""
    sent_of: dict[str, list[str]] = {}
    for one in webhooks:
        sent_of.setdefault(one.invoice_id, []).append(one.event_id)
    log_of: dict[str, list[str]] = {}
    for event_id, invoice_id in entries:
        log_of.setdefault(invoice_id, []).append(event_id)
    return sum(log_of.get(one) == order for one, order in sent_of.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=("payment", "mixed"), default="payment")
    parser.add_argument("--state", choices=("paid", "open"), default="paid")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, given.webhooks = write_burst(folder, given.seed, given.shape, given.state)
        supplier = limited_sandbox(files)
        server = over_stripe(
            "gateway",
            files,
            supplier,
            folder,
            GATEWAY_STRIPE_WEBHOOK_SECRETS=SECRET,
            GATEWAY_STRIPE_CALLS_PER_SECOND=str(STRIPE_PER_SECOND),
            GATEWAY_STRIPE_ENDPOINT_CALLS_PER_SECOND=str(STRIPE_PER_SECOND),
            GATEWAY_STREAM_QUEUE_MAX="2000",
        )
        with running(supplier, server):
            asyncio.run(measure(given, server, supplier))


if __name__ == "__main__":
    main()
