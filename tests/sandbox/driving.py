"""Two ways to drive a running sandbox: bare HTTP, where the bytes matter, and Stripe's own SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import stripe
from aiohttp import ClientSession

from gateway.sandbox.stripe_api import Sandbox

KEY = "sk_test_sandbox"
GA = "2026-10-28.endive"
PREVIEW = "2026-09-30.preview"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, whatever its status."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> dict[str, Any]:
        """The error of an answer that must be one."""
        error: dict[str, Any] = self.body["error"]
        return error

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in self.body["data"]]


@dataclass(frozen=True, slots=True)
class Api:
    """Bare calls of the API. Parameters are form fields by their full names, brackets included."""

    session: ClientSession
    url: str

    async def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        version: str = GA,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        sent = {"Authorization": f"Bearer {KEY}", "Stripe-Version": version, **(headers or {})}
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        fields = {name: str(value) for name, value in (params or {}).items()}
        place = {"data": fields} if method == "POST" else {"params": fields}
        async with self.session.request(method, self.url + path, headers=sent, **place) as response:
            return Reply(response.status, await response.json(), response.headers)

    async def get(self, path: str, params: Mapping[str, Any] | None = None, **more: Any) -> Reply:
        return await self.send("GET", path, params, **more)

    async def post(self, path: str, params: Mapping[str, Any] | None = None, **more: Any) -> Reply:
        return await self.send("POST", path, params, **more)

    async def made(self, path: str, params: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The object that a POST answers, which must succeed."""
        reply = await self.post(path, params, **more)
        assert reply.status == 200, reply.body
        return reply.body

    async def control(self, method: str, path: str, given: Any = None) -> Reply:
        """One of the sandbox's own calls."""
        sent = {"Content-Type": "application/json"}
        url = f"{self.url}/_sandbox{path}"
        async with self.session.request(method, url, headers=sent, json=given) as answer:
            return Reply(answer.status, await answer.json(), answer.headers)


@asynccontextmanager
async def api_of(sandbox: Sandbox) -> AsyncIterator[Api]:
    async with ClientSession() as session:
        yield Api(session, sandbox.url)


@asynccontextmanager
async def sdk_of(sandbox: Sandbox, *, retries: int = 0) -> AsyncIterator[stripe.StripeClient]:
    """Stripe's SDK, with its requests sent to the sandbox."""
    http = stripe.AIOHTTPClient(timeout=10)
    yield stripe.StripeClient(
        KEY,
        base_addresses={"api": sandbox.url},
        http_client=http,
        max_network_retries=retries,
    )
    await http.close_async()
