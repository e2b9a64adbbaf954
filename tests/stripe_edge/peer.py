"""A peer on the loopback that answers as it was told: the other end of the wire, nothing more.

It knows no rule of Stripe's. A test says, per method and path, what each request in turn is
answered with, and afterwards reads what was sent.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Json:
    """An answer. A body of bytes is sent as it is."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reset:
    """The connection ends without a byte of an answer."""


@dataclass(frozen=True)
class Hang:
    """Nothing comes until the other end goes away."""


@dataclass(frozen=True)
class Cut:
    """Half of the answer comes, then the connection ends."""

    body: Any


Answer = Json | Reset | Hang | Cut


@dataclass(frozen=True)
class Sent:
    """One request as it arrived."""

    method: str
    path: str
    form: dict[str, str]
    headers: Mapping[str, str]
    port: int
    """Of the other end: equal for requests on one connection."""

    @property
    def call(self) -> str:
        return f"{self.method} {self.path}"


def error(status: int, *, headers: Mapping[str, str] | None = None, **fields: str) -> Json:
    """Stripe's envelope."""
    given = {"type": "invalid_request_error", "message": "No.", **fields}
    return Json({"error": given}, status, {"Request-Id": "req_1", **(headers or {})})


class Peer:
    """`answer` says what comes next for one call; the last answer of a call is given for ever."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._answers: defaultdict[str, list[Answer]] = defaultdict(list)
        self._leaving = asyncio.Event()
        self._arrivals: asyncio.Queue[str] = asyncio.Queue()
        self.base = ""

    def answer(self, call: str, *answers: Answer | Mapping[str, Any]) -> None:
        given = [one if isinstance(one, Answer) else Json(one) for one in answers]
        self._answers[call] = given

    def calls(self) -> list[str]:
        return [one.call for one in self.sent]

    def posts(self) -> list[Sent]:
        return [one for one in self.sent if one.method == "POST"]

    def forget(self) -> None:
        """What has come so far counts no more."""
        self.sent.clear()
        self._arrivals = asyncio.Queue()

    async def arrived(self, call: str) -> None:
        """Until a request for this call has come; each counts once."""
        async with asyncio.timeout(20):
            while await self._arrivals.get() != call:
                pass

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = request.query_string if request.method == "GET" else await request.text()
        assert request.transport is not None
        port = request.transport.get_extra_info("peername")[1]
        form = dict(parse_qsl(text))
        sent = Sent(request.method, request.path, form, dict(request.headers), port)
        self.sent.append(sent)
        self._arrivals.put_nowait(sent.call)
        answers = self._answers[sent.call]
        if not answers:
            return web.json_response({"error": {"message": f"unscripted: {sent.call}"}}, status=418)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return await self._give(request, answer)

    async def _give(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        assert request.transport is not None
        if isinstance(answer, Hang):
            await self._leaving.wait()
        if isinstance(answer, Reset | Hang):
            request.transport.abort()
            return web.Response()
        body = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
        if isinstance(answer, Cut):
            response = web.StreamResponse(headers={"Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            request.transport.close()
            return response
        return web.Response(body=body, status=answer.status, headers=answer.headers)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Peer]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        server = TestServer(app)
        await server.start_server()
        self.base = str(server.make_url("")).rstrip("/")
        try:
            yield self
        finally:
            self._leaving.set()
            await server.close()
