"""A whole gateway as it stands on a public address, and ways to be unkind to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from yarl import URL

from gateway.sandbox.stripe_api import Sandbox
from schema.ports import ErrorCode
from tests.callers.desk import Desk, bearer
from tests.stripe_mode.world import World, stripe_world
from tests.support.stage import ACME, GLOBEX, Stage

PARTNER, RIVAL = "token-acme", "token-globex"
"""Two partners, each bound to a customer; neither may introspect."""
CI = "token-ci"
"""A caller that may introspect and sees every customer."""
PARTNER_SCOPES = ["invoices:read", "payments:write", "credit_notes:write", "events:read"]

INVOICE = '{ invoice(id: "in_0001") { id } }'
"""Asks upstream when it is executed, so that no call proves that it was not."""
GRAPHQL_JSON = "application/graphql-response+json"
HANG_SECONDS_MAX = 10.0
"""What is owed and does not come fails the test by this time."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
ERRORS_MAX, MESSAGE_CHARACTERS_MAX = 5, 300
_CODES = {code.value for code in ErrorCode}


@dataclass(frozen=True, slots=True)
class Told:
    """One answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.text)
        return decoded

    @property
    def errors(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body.get("errors", [])
        return found

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]

    @property
    def data(self) -> dict[str, Any]:
        assert not self.errors, self.errors
        data: dict[str, Any] = self.body["data"]
        return data


@dataclass(slots=True)
class Public:
    """The gateway, the account behind it, and its data."""

    world: World

    @property
    def url(self) -> URL:
        return self.world.served.url / "graphql"

    @property
    def session(self) -> ClientSession:
        return self.world.served.session

    @property
    def stage(self) -> Stage:
        return self.world.stage

    @property
    def sandbox(self) -> Sandbox:
        return self.world.sandbox

    @property
    def calls(self) -> list[str]:
        """What Stripe was asked for on behalf of callers; catch-up reads events by itself."""
        asked = (f"{one.method} {one.path}" for one in self.sandbox.requests)
        return [one for one in asked if one not in ("GET /v1/events", "GET /v2/core/events")]

    async def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = PARTNER,
        **headers: Any,
    ) -> Told:
        """One operation, by a client that knows the newer media type."""
        body = {"query": query, "variables": dict(variables or {})}
        return await self.send(json.dumps(body), token=token, **headers)

    async def send(
        self,
        body: str | bytes | None,
        *,
        token: str | None = PARTNER,
        method: str = "POST",
        query: Mapping[str, str] | None = None,
        path: str = "/graphql",
        **headers: str,
    ) -> Told:
        """Any request. Headers by their names with `_` for `-`; an empty one is left out."""
        given = {"Content-Type": "application/json", "Accept": GRAPHQL_JSON}
        given |= {} if token is None else bearer(token)
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in given.items() if value}
        url = self.url.with_path(path).with_query(query)
        skipped = ("Content-Type",) if "Content-Type" not in kept else ()
        async with (
            asyncio.timeout(HANG_SECONDS_MAX),
            self.session.request(
                method, url, data=body, headers=kept, skip_auto_headers=skipped
            ) as response,
        ):
            return Told(response.status, response.headers, await response.text())

    async def raw(self, *parts: bytes) -> bytes:
        """All that comes back, up to the end of the connection, for these bytes."""
        async with self.connection() as (reader, writer), asyncio.timeout(HANG_SECONDS_MAX):
            answer = b""
            with suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                while some := await reader.read(65_536):
                    answer += some
            return answer

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(self.url.host, self.url.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def assert_refused(told: Told, status: int, code: str) -> None:
    """A refusal of the whole request, in the one shape that refusals have."""
    assert (told.status, set(told.codes)) == (status, {code}), told.text[:500]
    assert "data" not in told.body
    assert_polite(told)


def assert_polite(told: Told) -> None:
    """What holds for every answer, whatever it says."""
    assert len(told.errors) <= ERRORS_MAX
    for error in told.errors:
        assert len(error["message"]) <= MESSAGE_CHARACTERS_MAX
        assert error["extensions"]["code"] in _CODES
    assert told.headers.keys() >= {"X-Request-Id"}
    assert {name: told.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "Server" not in told.headers
    assert "Traceback" not in told.text


@asynccontextmanager
async def standing(desk: Desk, **settings: Any) -> AsyncIterator[Public]:
    """The gateway with its callers. `settings` may narrow its limits."""
    partner = {"scopes": PARTNER_SCOPES}
    desk.admit("acme", customers=[ACME], **partner)
    desk.admit("globex", customers=[GLOBEX], **partner)
    desk.admit("ci")
    async with stripe_world(clients_file=desk.path, data_dir=desk.path.parent, **settings) as world:
        assert world.served.gateway.catch_up is not None
        await world.served.gateway.catch_up.run()  # So that it reads none of the test's events.
        yield Public(world)
