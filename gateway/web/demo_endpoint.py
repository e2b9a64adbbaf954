"""`POST /demo/{action}`: the controls of a demonstration, for the console's own page.

There is no such path where no twin is in the process. It changes what everybody sees, so it is for
callers who may write and see all customers, and for pages of our own origin only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.settings import WebSettings
from gateway.settings.hosts import is_same_origin
from gateway.web.authentication import Authenticator, Refusal
from gateway.web.graphql_request import decode_object
from gateway.web.http_errors import HttpRefusal, InvalidRequest, json_response
from gateway.web.request_body import read_json_body, refuse_other_than_json
from schema.ports import Refused

PATH = "/demo/{action}"

Act = Callable[[str, Mapping[str, Any]], str | None]
"""Does it and answers the id of what it was done to; None for an unknown action. Raises `Refused`,
and `ValueError` for a body that cannot be understood."""


@dataclass(frozen=True, slots=True)
class DemoEndpoint:
    """Answers the controls' paths, whatever the method."""

    act: Act
    authenticator: Authenticator
    settings: WebSettings

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            raise HttpRefusal(405, "Use POST.", {"Allow": "POST"})
        origin = request.headers.get("Origin")
        if origin is not None and not is_same_origin(origin, request.host):
            raise HttpRefusal(403, "The demo is not for pages of another origin.")
        refuse_other_than_json(request)
        grant = await self.authenticator.identify(request)
        if isinstance(grant, Refusal):
            raise grant
        if not grant.viewer.may("payments:write") or grant.viewer.customers is not None:
            raise HttpRefusal(403, "The demo needs payments:write, for all customers.")
        body = await read_json_body(
            request,
            bytes_max=self.settings.body_bytes_max,
            timeout_seconds=self.settings.read_timeout_seconds,
        )
        return self._answer(request.match_info["action"], body)

    def _answer(self, action: str, body: bytes) -> web.Response:
        try:
            touched = self.act(action, decode_object(body, what="The request body"))
        except ValueError as unfit:
            raise InvalidRequest(f"{unfit}.") from None
        except Refused as refused:
            raise HttpRefusal(409, f"{refused.message}.") from None
        if touched is None:
            raise HttpRefusal(404, "The demo has no such control.")
        return json_response({"id": touched}, 200)
