"""Who calls: the seam that authentication fills, and the open door for development.

A refusal is data. Nothing here may put a token or a header into a message or a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from schema.ports import SCOPES, ErrorCode, Viewer

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Grant:
    """A caller who was let in. `expires_in_seconds` ends sockets and streams; None: never."""

    viewer: Viewer
    expires_in_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A caller who was not. `code` is UNAUTHENTICATED, FORBIDDEN or RATE_LIMITED."""

    code: ErrorCode
    message: str
    retry_after_seconds: int | None = None


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


class DevelopmentAuthenticator:
    """Everyone who reaches the loopback is one viewer with every right.

    The name in `Host` must be the loopback's too: a foreign page can point its own name at
    127.0.0.1 (DNS rebinding), and would then be of the same origin.
    """

    async def identify(
        self, request: web.Request, connection_params: Mapping[str, Any] | None = None
    ) -> Grant | Refusal:
        if _host_name(request.host) in _LOOPBACK_HOSTS:
            return Grant(Viewer(tenant="dev", scopes=frozenset(SCOPES), customers=None))
        message = "Without configured callers the gateway answers only to localhost."
        return Refusal(ErrorCode.FORBIDDEN, message)


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
