"""Which web pages may call: CORS, the check of `Origin`, and the proof that a GET needs.

Everything here protects users of browsers from foreign pages. It must not be taken for
authentication: programs can send any header.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from gateway.callers.registry import Callers
from gateway.settings.hosts import is_same_origin
from gateway.web.request_body import media_type

_PREFLIGHT_HEADERS = ("Apollo-Require-Preflight", "X-Apollo-Operation-Name", "GraphQL-Preflight")
KNOWN_HEADERS = (
    *("Content-Type", "Authorization", "Last-Event-ID", "X-Request-Id", "X-Correlation-Id"),
    *_PREFLIGHT_HEADERS,
    *("Apollographql-Client-Name", "Apollographql-Client-Version", "X-Apollo-Operation-Id"),
    *("X-Apollo-Operation-Type", "GraphQL-Client-Name", "GraphQL-Client-Version"),
    *("X-Requested-With", "Cache-Control", "Pragma"),
    # Need a preflight only where they are long.
    *("Accept", "Accept-Language", "Content-Language"),
    # What tracing adds to every request of a page: W3C, Sentry, B3, Datadog, and others.
    *("Traceparent", "Tracestate", "Baggage", "Sentry-Trace"),
    *("B3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags"),
    *("X-Datadog-Trace-Id", "X-Datadog-Parent-Id", "X-Datadog-Origin"),
    *("X-Datadog-Sampling-Priority", "X-Datadog-Sampled", "X-Datadog-Tags"),
    *("Newrelic", "Elastic-Apm-Traceparent", "Uber-Trace-Id", "X-Amzn-Trace-Id"),
    *("X-Cloud-Trace-Context", "X-Instana-T", "X-Instana-S", "X-Instana-L"),
    *("Request-Id", "Request-Context", "X-Dtpc", "X-Dtreferer"),
)
"""What a page may send: where one of its headers is not named, a browser sends nothing at all."""


class Origins:
    """The foreign origins that are allowed, by the settings or as a client's; a page of our own
    origin always is."""

    def __init__(
        self, allowed: Iterable[str], callers: Callers, more_headers: Iterable[str]
    ) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed)
        self._callers = callers
        self._headers = ", ".join((*KNOWN_HEADERS, *more_headers))

    def admits(self, request: web.Request) -> bool:
        """Whether no page, one of ours or an allowed one is behind the request.

        Browsers set `Origin` themselves; what sends none is no page of another origin that could
        read the answer or open a socket.
        """
        origin = request.headers.get("Origin")
        return origin is None or is_same_origin(origin, request.host) or self._allows(origin)

    def cors_headers(self, request: web.Request) -> dict[str, str]:
        """What lets a page of an allowed origin read the answer; nothing for any other."""
        origin = request.headers.get("Origin")
        if origin is None or not self._allows(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "X-Request-Id, Retry-After",
        }

    def preflight_headers(self, request: web.Request) -> dict[str, str]:
        """The answer to a browser that asks before it sends; nothing for foreign origins."""
        if not self.cors_headers(request):
            return {}
        return {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": self._headers,
            "Access-Control-Max-Age": "7200",
        }

    def guards_get(self, request: web.Request) -> bool:
        """Whether CORS stands between this GET and any foreign page.

        A foreign page can make a browser send a plain GET (an image, a script, a link), so a GET
        must carry what such a page cannot: a header that needs a preflight, or the browser's own
        word (`Sec-Fetch-Mode: cors`, which scripts cannot set) that it applies CORS, with an
        `Origin` that we admit. Not `Accept`: a page may set it on a `no-cors` fetch. A native
        EventSource and Node's fetch give that word, and the audits of graphql-http rely on it.
        """
        if any(request.headers.get(name) for name in _PREFLIGHT_HEADERS):
            return True
        if media_type(request)[0] == "application/json":
            return True
        return self.admits(request) and request.headers.get("Sec-Fetch-Mode") == "cors"

    def _allows(self, origin: str) -> bool:
        given = origin.lower()
        return given in self._allowed or given in {one.lower() for one in self._callers.origins}
