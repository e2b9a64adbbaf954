"""A receiver of webhooks on the loopback, with answers that the test decides."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass(slots=True)
class Received:
    """One delivery, as it came."""

    payload: bytes
    signature: str

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = orjson.loads(self.payload)
        return event


@dataclass(slots=True)
class Receiver:
    """Keeps what came. `answers` are the next statuses; without any it is 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)

    @property
    def types(self) -> list[str]:
        return [one.event["type"] for one in self.received]

    async def handle(self, request: web.Request) -> web.Response:
        signature = request.headers["Stripe-Signature"]
        self.received.append(Received(await request.read(), signature))
        return web.Response(status=self.answers.popleft() if self.answers else 200)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()
