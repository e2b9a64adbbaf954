"""The keys that JSON Web Tokens are signed with: one shared secret, or a set from a URL (JWKS).

A set is fetched when first needed, renewed before it is old or when a token names an unknown key,
and kept while its server is away. Nobody who names a known key waits for a server that did not
answer the last time. Source: RFC 7517.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import jwt
import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

log = logging.getLogger(__name__)

FRESH_SECONDS = 600.0
"""How long a fetched set is used without asking again: issuers announce new keys for hours."""
RENEWED_SECONDS = FRESH_SECONDS / 2
"""From this age on it is renewed beside the answers, so that nobody has to wait for it."""
RETRY_SECONDS = 10.0
"""Between two fetches, whatever tokens come in: a flood of unknown key ids costs one fetch."""
STALE_SECONDS = 86_400.0
"""How long a set is used while its server is away."""

DOCUMENT_BYTES_MAX = 1_000_000
_TIMES = ClientTimeout(total=5)
_ASYMMETRIC = frozenset({"RSA", "EC", "OKP"})
"""A symmetric key has no business in a public set."""


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
        self._fetched_at = self._asked_at = -math.inf
        self._renewing: asyncio.Task[None] | None = None
        self._is_in_trouble = False

    async def key(self, key_id: str | None) -> Any:
        found = self._find(key_id)
        usable_seconds = STALE_SECONDS if self._is_in_trouble else FRESH_SECONDS
        if found is None or self._age_seconds() >= usable_seconds:
            self._renew()
            if self._renewing is not None:
                await asyncio.shield(self._renewing)
            found = self._find(key_id)
        elif self._age_seconds() >= RENEWED_SECONDS:
            self._renew()
        if self._age_seconds() >= STALE_SECONDS:
            raise KeysUnavailable("the keys of the token's issuer cannot be fetched")
        if found is None:
            raise jwt.InvalidKeyError("no such key")
        return found

    def _age_seconds(self) -> float:
        return self._monotonic() - self._fetched_at

    def _find(self, key_id: str | None) -> jwt.PyJWK | None:
        """A token may leave the id out where there is only one key."""
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    def _renew(self) -> None:
        """Begin a fetch, unless one is under way or was lately."""
        now = self._monotonic()
        if self._renewing is None and now - self._asked_at >= RETRY_SECONDS:
            self._asked_at = now
            self._renewing = asyncio.create_task(self._fetch_and_keep())
            self._renewing.add_done_callback(self._fetched)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled() and (mistake := task.exception()) is not None:
            log.error("the key set could not be fetched", exc_info=mistake)

    async def _fetch_and_keep(self) -> None:
        try:
            self._keys = _signing_keys(await self._fetch())
            self._fetched_at, self._is_in_trouble = self._monotonic(), False
        except (OSError, ValueError, TypeError, jwt.PyJWTError) as trouble:
            self._is_in_trouble = True
            log.warning("the key set could not be fetched: %s", type(trouble).__name__)


def _signing_keys(document: Any) -> list[jwt.PyJWK]:
    if not isinstance(document, dict):
        raise ValueError("a key set is an object")
    keys = jwt.PyJWKSet.from_dict(document).keys
    return [
        key for key in keys if key.key_type in _ASYMMETRIC and key.public_key_use in (None, "sig")
    ]


async def fetch_json(session: ClientSession, url: str) -> Any:
    """The document. Raises `OSError`, or `ValueError` for what is no JSON."""
    try:
        async with session.get(url, timeout=_TIMES, allow_redirects=False) as response:
            if response.status != 200:
                raise OSError(f"status {response.status}")
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > DOCUMENT_BYTES_MAX:
                    raise OSError("the document is too long")
    except (TimeoutError, ClientError) as trouble:
        raise OSError(type(trouble).__name__) from None
    return orjson.loads(body)
