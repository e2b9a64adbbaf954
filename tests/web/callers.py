"""Authenticators that let a test decide who calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.callers import Grant
from gateway.web.authentication import Refusal
from schema.ports import ErrorCode, Viewer


class TokenAuthenticator:
    """Takes the token of the header or of `connection_init` for the name of the tenant."""

    def __init__(self, *, expires_in_seconds: float | None = None) -> None:
        self._expires_in_seconds = expires_in_seconds

    async def identify(
        self, request: web.Request, connection_params: Mapping[str, Any] | None = None
    ) -> Grant | Refusal:
        token = (connection_params or {}).get("token") or request.headers.get("Authorization")
        if not token:
            return Refusal(ErrorCode.UNAUTHENTICATED, "A token is needed.")
        return Grant(Viewer(tenant=token), self._expires_in_seconds)


class RefusingAuthenticator:
    """Lets nobody in."""

    def __init__(self, refusal: Refusal) -> None:
        self._refusal = refusal

    async def identify(
        self, request: web.Request, connection_params: Mapping[str, Any] | None = None
    ) -> Grant | Refusal:
        return self._refusal
