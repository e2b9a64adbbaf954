"""Sends a gateway everything that holds a canary: good, refused, malformed, and amid faults."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt
import orjson
import stripe
from aiohttp import ClientError, ClientSession, WSServerHandshakeError

from gateway.sandbox.stripe_api import FaultKind
from tests.canary.canaries import CANARIES
from tests.canary.process import WatchedProcess
from tests.canary.stage import ANSWERS, Stage

ANSWER_SECONDS_MAX = 120.0
WRITE_SECONDS = 0.5
INVOICE = """
query Invoice($id: ID!) { invoice(id: $id) { id description metadata { key value }
  customer { name email } customerName customerEmail confirmationSecret { clientSecret }
  payments { nodes { id paymentIntent { id description } } } } }
"""
ATTACH = """
mutation Attach($input: AttachPaymentInput!) { attachPayment(input: $input) {
  errors { code message } invoice { id customer { email } } } }
"""
DETACH = """
mutation Detach($input: DetachPaymentInput!) { detachPayment(input: $input) {
  errors { code message } } }
"""
STREAM = "subscription Live { invoicePaymentEvents { __typename } }"
BROKEN_FAULTS = (FaultKind.INVALID_JSON, FaultKind.CUT_BODY, FaultKind.RESET_BEFORE)


@dataclass(slots=True)
class Driver:
    """Clients of one gateway; `client_secrets` are those that they were given."""

    gateway: WatchedProcess
    stage: Stage
    client_secrets: set[str]

    @property
    def session(self) -> ClientSession:
        return self.stage.session

    async def everything(self) -> None:
        """All of it, in an order in which nothing hides what comes later."""
        invoice_id, intent_id = self.stage.open_invoice(3000), self.stage.succeeded(1000)
        await self.reads(invoice_id)
        await self.bad_documents()
        await self.writes(invoice_id, intent_id)
        await self.upstream_faults(invoice_id, intent_id)
        await self.webhooks()
        await self.malformed()
        await self.strangers()
        await self.users()
        await self.sockets()

    async def ask(self, query: str, *, name: str | None = None, **variables: Any) -> dict[str, Any]:
        payload = {"query": query, "variables": variables, "operationName": name}
        headers = {
            "Authorization": f"Bearer {CANARIES.token}",
            "Cookie": f"session={CANARIES.header}",
            "X-Custom": CANARIES.header,
        }
        return await self.post(orjson.dumps(payload), headers)

    async def post(self, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        given = {"Content-Type": "application/json", **headers}
        url = f"{self.gateway.url}/graphql"
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            async with self.session.post(url, data=body, headers=given) as response:
                answer: dict[str, Any] = await response.json()
                return answer

    async def reads(self, invoice_id: str) -> None:
        """A good read of all that is personal, and of the secret that a payer's page needs."""
        answer = await self.ask(INVOICE, name="Invoice", id=invoice_id)
        assert "errors" not in answer, answer
        invoice = answer["data"]["invoice"]
        assert invoice["customer"]["email"] == CANARIES.customer_email
        self.client_secrets.add(invoice["confirmationSecret"]["clientSecret"])
        await self.ask(INVOICE, name="Invoice", id="in_none")

    async def bad_documents(self) -> None:
        literal = CANARIES.literal
        for query in (
            f'{{ invoice(id: "{literal}" }}',
            f'{{ invoice(id: "{literal}") {{ {literal} }} }}',
            f'{{ invoice(id: "in_1", {literal}: 7) {{ id }} }}',
            f"query {literal} {{ node(id: 7.5) {{ id }} }}",
        ):
            assert "errors" in await self.ask(query)
        variable = CANARIES.variable
        await self.ask(INVOICE, name=f"no {variable}", id="in_1")
        await self.ask(INVOICE, name="Invoice", id={variable: [variable]})
        await self.ask(INVOICE, name="Invoice", id=f"in_1/../{variable}")

    async def writes(self, invoice_id: str, intent_id: str) -> None:
        """Done, done again under its key, refused, and of a payment with personal notes."""
        key = CANARIES.idempotency_key
        whole = {"invoiceId": invoice_id, "payment": {"paymentIntentId": intent_id}}
        for _ in range(2):
            answer = await self.ask(ATTACH, input={**whole, "idempotencyKey": key})
            assert answer["data"]["attachPayment"]["errors"] == [], answer
        await self.ask(ATTACH, input={**whole, "idempotencyKey": f"{key}-other"})
        reported = {
            "amountMinorUnits": 500,
            "currency": "USD",
            "paidAt": "2026-11-20T10:00:00Z",
            "reference": CANARIES.reference,
            "metadata": [{"key": "note", "value": CANARIES.metadata}],
        }
        payment = {"outOfBand": reported}
        await self.ask(
            ATTACH,
            input={"invoiceId": invoice_id, "payment": payment, "idempotencyKey": f"{key}-oob"},
        )

    async def slow_write(self) -> None:
        """A write that Stripe takes its time for, so that something can happen meanwhile."""
        invoice_id, intent_id = self.stage.open_invoice(1000), self.stage.succeeded(1000)
        path = f"/v1/invoices/{invoice_id}/attach_payment"
        self.stage.slow_down_next(WRITE_SECONDS, path)
        whole = {"invoiceId": invoice_id, "payment": {"paymentIntentId": intent_id}}
        await self.ask(ATTACH, input={**whole, "idempotencyKey": CANARIES.idempotency_key})

    async def upstream_faults(self, invoice_id: str, intent_id: str) -> None:
        """Stripe quotes keys and secrets, answers what is no JSON, and goes away."""
        for number, status in enumerate(ANSWERS):
            self.stage.fail_next(status)
            await self.ask(INVOICE, name="Invoice", id=self.stage.open_invoice(100))
            self.stage.mend()
            self.stage.fail_next(status, f"/v1/invoices/{invoice_id}/*")
            key = f"{CANARIES.idempotency_key}-{number}"
            ids = {"invoiceId": invoice_id, "paymentIntentId": intent_id}
            await self.ask(DETACH, input={**ids, "idempotencyKey": key})
            self.stage.mend()
        for kind in BROKEN_FAULTS:
            self.stage.break_next(kind)
            await self.ask(INVOICE, name="Invoice", id=self.stage.open_invoice(100))
            self.stage.mend()

    async def webhooks(self) -> None:
        now, secret = self.stage.sandbox.twin.now(), CANARIES.webhook_secret
        sign = stripe.WebhookSignature.generate_signature_header
        body = orjson.dumps({"id": "evt_1", "data": {"object": {"email": CANARIES.customer_email}}})
        signed = sign(body.decode(), secret, now)
        unknown = orjson.dumps({"id": "evt_2", "type": "a.b", "note": CANARIES.metadata})
        for content, signature in (
            (body, signed),
            (unknown, sign(unknown.decode(), secret, now)),
            (body, f"t={now},v1={CANARIES.header}"),
            (body, f"{CANARIES.header}é"),
            (b"\xff" + CANARIES.literal.encode(), signed),
            (body * 10_000, signed),
        ):
            url = f"{self.gateway.url}/webhooks/stripe"
            headers = {"Stripe-Signature": signature}
            async with self.session.post(url, data=content, headers=headers) as response:
                assert response.status in (200, 400, 413)

    async def malformed(self) -> None:
        """What is no request of GraphQL, and what is no request of HTTP."""
        literal = CANARIES.literal
        authorization = {"Authorization": f"Bearer {CANARIES.token}"}
        for body in (b'{"query": "' + literal.encode(), b"\xff" + literal.encode(), b"[" * 9999):
            await self.post(body, authorization)
        await self.post(b"x" * 200_000, authorization)
        await self.post(b"{}", authorization | {"Content-Type": f"text/{literal}"})
        path = f"{self.gateway.url}/{literal}?token={CANARIES.header}"
        async with self.session.get(path) as response:
            assert response.status == 404
        for request in (
            f"GET /{literal} HTTP/9.9\r\nAuthorization: Bearer {CANARIES.header}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: x\r\nBad Header {CANARIES.header}: 1\r\n\r\n",
            f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: {literal}\r\n\r\n",
            f"{literal}\x00\x01\r\n\r\n",
        ):
            await self.raw(request.encode())

    async def raw(self, request: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        writer.write(request)
        with suppress(ConnectionError):
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await reader.read(65536)
        writer.close()

    async def strangers(self) -> None:
        for header in (
            f"Bearer {CANARIES.wrong_token}",
            f"Basic {CANARIES.wrong_token}",
            CANARIES.wrong_token,
            f"Bearer eyJhbGciOiJIUzI1NiJ9.{CANARIES.wrong_token}.x",
        ):
            answer = await self.post(b'{"query": "{ __typename }"}', {"Authorization": header})
            assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

    async def users(self) -> None:
        """Of a web page, with a token that says who they are."""
        claims = {
            "iss": "https://login.example.com",
            "aud": "gateway",
            "sub": CANARIES.jwt_subject,
            "email": CANARIES.customer_email,
            "scope": "invoices:read",
            "customers": "*",
            "exp": self.stage.sandbox.twin.now() + 600,
        }
        for secret, is_good in ((CANARIES.jwt_secret, True), (CANARIES.jwt_secret[::-1], False)):
            headers = {"Authorization": f"Bearer {jwt.encode(claims, secret)}"}
            answer = await self.post(b'{"query": "{ __typename }"}', headers)
            assert ("errors" not in answer) == is_good, answer

    async def sockets(self) -> None:
        """With the token in the payload, good and bad; frames that are no messages."""
        good = {"Authorization": f"Bearer {CANARIES.token}"}
        bad = {"Authorization": f"Bearer {CANARIES.wrong_token}", "password": CANARIES.header}
        subscribe = {"query": STREAM, "variables": {"x": CANARIES.variable}}
        for frames in (
            [_init(good), _message("subscribe", id=CANARIES.header, payload=subscribe)],
            [_init(good), _message("subscribe", id="1", payload={"query": CANARIES.literal})],
            [_init(good), f'{{"type": "{CANARIES.literal}'],
            [_init(good), _message("ping", payload={"x": CANARIES.header})],
            [_init(bad)],
        ):
            await self.socket(frames)
        address = f"{self.gateway.url}/graphql?token={quote(CANARIES.header)}"
        with suppress(WSServerHandshakeError, ClientError):
            async with self.session.ws_connect(address, origin=f"https://{CANARIES.header}"):
                pass

    async def socket(self, frames: list[str]) -> None:
        url = f"{self.gateway.url}/graphql"
        async with self.session.ws_connect(url, protocols=("graphql-transport-ws",)) as socket:
            for frame in frames:
                await socket.send_str(frame)
                await socket.receive(timeout=ANSWER_SECONDS_MAX)


def _init(payload: dict[str, str]) -> str:
    return _message("connection_init", payload=payload)


def _message(kind: str, **more: Any) -> str:
    return orjson.dumps({"type": kind, **more}).decode()
