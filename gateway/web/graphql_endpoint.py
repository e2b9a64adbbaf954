"""The GraphQL endpoint over HTTP: one operation a request, by POST or by GET.

It checks the request from the outside in (method, caller, types, size, JSON) and executes nothing
before all of that holds. Sockets are let through to `websocket`, streams to `sse`.
Source: https://graphql.github.io/graphql-over-http/draft/ (read November 2026)
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from gateway.callers import Grant
from gateway.execution.operation import Answer, OperationKind, OperationRequest
from gateway.web.connections import ConcurrencyLimit
from gateway.web.content_negotiation import (
    Accept,
    Representation,
    representation_for,
    retry_headers,
    status_of,
)
from gateway.web.fast_lane import QUERIED_BY, FastLane
from gateway.web.graphql_request import decode_object, operation_from, operation_from_query_string
from gateway.web.http_errors import HttpRefusal, InvalidRequest
from gateway.web.middleware import request_id_of
from gateway.web.operations import Call, Services, encoded
from gateway.web.request_body import read_json_body, refuse_other_than_json
from gateway.web.sse import EventStreams
from gateway.web.websocket import WebSocketEndpoint, is_upgrade

GRAPHIQL_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Everything from our own origin. The editor sets styles from scripts, and its style sheets hold
small fonts and images, hence 'unsafe-inline' and `data:`."""

_NOT_BUILT = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>GraphQL</title>"
    b"<p>The GraphiQL page has not been built yet: run <code>make console</code> and reload.</p>"
)

_SHARE_USED_UP = "Too many of your operations are under way; try again."
_BUSY = "The gateway is busy; try again."

_OPERATION_PARAMETERS = frozenset({"query", "documentId", "extensions"})
_RESUME_AFTER_CHARACTERS_MAX = 256
"""Our cursors are far shorter."""


class GraphQLEndpoint:
    """Answers the one path of GraphQL, whatever the method."""

    def __init__(
        self, services: Services, page: bytes | None, sdl: Callable[[], str] | None = None
    ) -> None:
        self._services = services
        self._sdl = sdl
        self._settings = settings = services.settings
        self._page = _NOT_BUILT if page is None else page
        self._sockets = WebSocketEndpoint(services)
        self._streams = EventStreams(services)
        self._of_caller = ConcurrencyLimit(
            settings.operations_per_viewer_max, _SHARE_USED_UP, retry_after_seconds=1
        )
        self._of_all = ConcurrencyLimit(
            settings.operations_under_way_max, _BUSY, status=503, retry_after_seconds=1
        )
        self.fast_lane = FastLane(
            services.operations,
            services.authenticator,
            (self._of_caller, self._of_all),
            services.new_id,
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        match request.method:
            case "GET" if is_upgrade(request):
                return await self._sockets.open(request)
            case "GET":
                return await self._get(request)
            case "POST":
                return await self._post(request)
            case "OPTIONS":
                cors = self._services.origins.preflight_headers(request)
                return web.Response(status=204, headers={"Allow": "GET, POST", **cors})
        raise HttpRefusal(405, "Use GET or POST.", {"Allow": "GET, POST"})

    async def schema(self, request: web.Request) -> web.Response:
        """The printed schema, for tools that take a file and not an introspection."""
        grant = await self._identified(request)
        if not grant.viewer.may_introspect:
            raise HttpRefusal(403, "This needs the scope schema:introspect, which you lack.")
        assert self._sdl is not None
        return web.Response(text=self._sdl(), headers={"Cache-Control": "private, no-cache"})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        accept = _parsed_accept(request)
        representation_for(accept, None)  # Refuse before the body what could read no answer.
        grant = await self._identified(request)
        refuse_other_than_json(request)
        body = await read_json_body(
            request,
            bytes_max=self._settings.body_bytes_max,
            timeout_seconds=self._settings.read_timeout_seconds,
        )
        operation = operation_from(decode_object(body, what="The request body"))
        return await self._run(request, accept, grant, operation)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        accept = _parsed_accept(request)
        asks_nothing = request.query.keys().isdisjoint(_OPERATION_PARAMETERS)
        if self._settings.gives_page and asks_nothing and accept.prefers_page():
            policy = {"Content-Security-Policy": GRAPHIQL_POLICY}
            return web.Response(
                body=self._page, content_type="text/html", charset="utf-8", headers=policy
            )
        representation_for(accept, None)
        operation = operation_from_query_string(request.query)
        # What a trusted document does is known, so a foreign page may as well make it run.
        if operation.query and not self._services.origins.guards_get(request):
            raise InvalidRequest("A GET needs the header `GraphQL-Preflight: 1`, or use POST.")
        grant = await self._identified(request)
        return await self._run(request, accept, grant, operation)

    async def _identified(self, request: web.Request) -> Grant:
        outcome = await self._services.authenticator.identify(request)
        if isinstance(outcome, Grant):
            return outcome
        try:
            raise outcome
        finally:
            del outcome  # Its own traceback would hold it, and the request with it.

    async def _run(
        self, request: web.Request, accept: Accept, grant: Grant, operation: OperationRequest
    ) -> web.StreamResponse:
        operations = self._services.operations
        call = Call(operation, grant.viewer, request_id_of(request), _resume_after(request))
        with self._of_caller.slot(grant.viewer.tenant), self._of_all.slot():
            prepared = await operations.prepare(call)
            kind = None if isinstance(prepared, Answer) else prepared.kind
            if request.method == "GET" and kind is OperationKind.MUTATION:
                raise HttpRefusal(405, "Mutations need POST.", {"Allow": "POST"})
            representation = representation_for(accept, kind)
            if representation is not Representation.EVENT_STREAM:
                answer = await operations.execute(prepared, call)
                if kind is OperationKind.QUERY and request.method == "POST":
                    request[QUERIED_BY] = grant
                return web.Response(
                    body=encoded(answer),
                    status=status_of(answer, representation),
                    headers=retry_headers(answer),
                    content_type=representation.value,
                    charset="utf-8",
                )
        # Streams are counted by themselves, as they stay.
        return await self._streams.respond(request, prepared, call, grant)


def _parsed_accept(request: web.Request) -> Accept:
    return Accept.parse(",".join(request.headers.getall("Accept", [])))


def _resume_after(request: web.Request) -> str | None:
    """The cursor that a browser's EventSource sends when it comes back.
    event-source-polyfill puts it into the URL, where it needs no preflight."""
    given = request.headers.get("Last-Event-ID") or request.query.get("lastEventId", "")
    return given[:_RESUME_AFTER_CHARACTERS_MAX] or None
