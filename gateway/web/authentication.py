"""Who calls: by a bearer token, or, for development, by being on the same machine.

Nothing here may put a token or a header into a message or a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from gateway.callers import Grant, KeysUnavailable, TokenRefused
from gateway.callers.registry import Callers
from gateway.settings.hosts import is_loopback_host, is_same_origin
from gateway.web.http_errors import STATUS_OF_CODE, HttpRefusal
from schema.ports import SCOPES, ErrorCode, Viewer


class Refusal(HttpRefusal):
    """A caller who was not let in. `code` is UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, or
    UPSTREAM_ERROR when nobody can tell now."""

    def __init__(
        self, code: ErrorCode, message: str, retry_after_seconds: int | None = None
    ) -> None:
        headers = {}
        if retry_after_seconds is not None:
            headers["Retry-After"] = str(retry_after_seconds)
        if code is ErrorCode.UNAUTHENTICATED:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(STATUS_OF_CODE.get(code, 503), message, headers, code)


class Authenticator(Protocol):
    """Decides who a caller is. Safe for any number of concurrent calls."""

    async def identify(
        self, request: web.Request, connection_params: Mapping[str, Any] | None = None
    ) -> Grant | Refusal:
        """Who sent this request.

        `connection_params` is the payload of a socket's `connection_init`, where browsers have to
        put the token because they cannot set headers on a WebSocket. At a socket's handshake it
        is None and a refusal only means "not known yet". Never raises for what a client sent.
        """
        ...

    def still(self, grant: Grant) -> bool:
        """Whether a request with the same head would get the same rights now. Never blocks: false
        also where only `identify` can tell."""
        ...


class DevelopmentAuthenticator:
    """Everyone who reaches the loopback is one viewer with every right.

    The name in `Host` must be the loopback's too: a foreign page can point its own name at
    127.0.0.1 (DNS rebinding), and would then be of the same origin.
    """

    async def identify(
        self, request: web.Request, connection_params: Mapping[str, Any] | None = None
    ) -> Grant | Refusal:
        if is_loopback_host(request.host):
            return Grant(Viewer(tenant="dev", scopes=frozenset(SCOPES), customers=None))
        message = "Without configured callers the gateway answers only to localhost."
        return Refusal(ErrorCode.FORBIDDEN, message)

    def still(self, grant: Grant) -> bool:
        return True


class BearerAuthenticator:
    """Callers say who they are with `Authorization: Bearer <token>`, and sockets may say it in
    the payload of `connection_init` instead, which then counts."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def identify(
        self, request: web.Request, connection_params: Mapping[str, Any] | None = None
    ) -> Grant | Refusal:
        token = _payload_token(connection_params)
        if token is None:
            token = _header_token(request)
        if token is None:
            message = "This needs a token: send the header `Authorization: Bearer <token>`."
            return Refusal(ErrorCode.UNAUTHENTICATED, message)
        try:
            grant = await self._callers.identify(token)
        except TokenRefused as refused:
            return Refusal(ErrorCode.UNAUTHENTICATED, f"The token was refused: {refused}.")
        except KeysUnavailable:
            message = "Tokens cannot be checked at the moment; try again."
            return Refusal(ErrorCode.UPSTREAM_ERROR, message, retry_after_seconds=10)
        # A caller bound to origins is for their pages, and for programs, which are of no origin.
        origin = request.headers.get("Origin")
        if not grant.origins or origin is None or is_same_origin(origin, request.host):
            return grant
        if origin.lower() in {one.lower() for one in grant.origins}:
            return grant
        message = "This token may not be used by pages of this origin."
        return Refusal(ErrorCode.FORBIDDEN, message)

    def still(self, grant: Grant) -> bool:
        return self._callers.still(grant)


def _header_token(request: web.Request) -> str | None:
    """None: no header was sent; empty, which no token is: it cannot be read."""
    given = request.headers.getall("Authorization", [])
    if len(given) > 1:
        return ""
    return _token(given[0], is_bare_enough=False) if given else None


def _payload_token(payload: Mapping[str, Any] | None) -> str | None:
    """The token in the payload of `connection_init`: flat, as GraphiQL has it, or under `headers`,
    as other clients have it."""
    flat = dict(payload or {})
    nested = next((flat[name] for name in flat if name.lower() == "headers"), None)
    for name, value in [*flat.items(), *(nested.items() if isinstance(nested, dict) else ())]:
        if name.lower() == "authorization" and isinstance(value, str):
            return _token(value, is_bare_enough=True)
    return None


def _token(text: str, *, is_bare_enough: bool) -> str:
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    return scheme if is_bare_enough and not rest else ""
