"""The keys that JSON Web Tokens are signed with: one shared secret, or a set from a URL (JWKS).

A set is fetched when first needed, renewed when it is old or a token names an unknown key, and
kept while its server is away. Source: RFC 7517.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import jwt

log = logging.getLogger(__name__)

FRESH_SECONDS = 600.0
"""How long a fetched set is used without asking again: issuers announce new keys for hours."""
RETRY_SECONDS = 10.0
"""Between two fetches, whatever tokens come in: a flood of unknown key ids costs one fetch."""
STALE_SECONDS = 86_400.0
"""How long a set is used while its server is away."""

ASYMMETRIC = frozenset({"RSA", "EC", "OKP"})


class KeysUnavailable(Exception):
    """The keys cannot be had now, so nobody can tell whether a token is good."""


class KeySource(Protocol):
    """Where the key of a token comes from."""

    async def key(self, key_id: str | None) -> Any:
        """The key by its id. Raises `jwt.PyJWTError` if there is none, `KeysUnavailable`."""
        ...


class SharedSecret:
    """The secret of HS256."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    async def key(self, key_id: str | None) -> Any:
        return self._secret


class KeySet:
    """The set behind a URL. `fetch` answers its JSON, or raises `OSError` or `ValueError`."""

    def __init__(self, fetch: Callable[[], Awaitable[Any]], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str | None) -> Any:
        if not self._is_younger_than(FRESH_SECONDS):
            await self._renew()
        found = self._find(key_id)
        if found is None:
            await self._renew()
            found = self._find(key_id)
        if not self._is_younger_than(STALE_SECONDS):
            raise KeysUnavailable("the keys of the token's issuer cannot be fetched")
        if found is None:
            raise jwt.InvalidKeyError("no such key")
        return found

    def _is_younger_than(self, seconds: float) -> bool:
        return self._fetched_at is not None and self._monotonic() - self._fetched_at < seconds

    def _find(self, key_id: str | None) -> jwt.PyJWK | None:
        """A token may leave the id out where there is only one key."""
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _renew(self) -> None:
        async with self._fetching:
            now = self._monotonic()
            if self._asked_at is not None and now - self._asked_at < RETRY_SECONDS:
                return
            self._asked_at = now
            try:
                self._keys = _public_keys(await self._fetch())
                self._fetched_at = self._monotonic()
            except (OSError, ValueError, TypeError, jwt.PyJWTError) as trouble:
                log.warning("the key set could not be fetched: %s", type(trouble).__name__)


def _public_keys(document: Any) -> list[jwt.PyJWK]:
    """The signing keys of the set. A symmetric key has no business in a public set."""
    if not isinstance(document, dict):
        raise ValueError("a key set is an object")
    keys = jwt.PyJWKSet.from_dict(document).keys
    return [
        key for key in keys if key.key_type in ASYMMETRIC and key.public_key_use in (None, "sig")
    ]
