"""Reads JSON Web Tokens: who their bearer is, what they may do, and until when.

The signature and the form are PyJWT's work; times are checked here, by the gateway's own clock.
Algorithms come from the configuration and never from the token. The keys are one shared secret, or
a set from a URL (JWKS) that is fetched when first needed, renewed before it is old or when a token
names an unknown key, and kept while its server is away: nobody who names a known key waits for a
server that did not answer the last time. Sources: RFC 7517, RFC 7519, RFC 8725.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from jwt.types import Options

from gateway.callers import Grant, KeysUnavailable, TokenRefused
from gateway.settings import TokenSettings
from schema.ports import SCOPES, Viewer

log = logging.getLogger(__name__)

TOKEN_CHARACTERS_MAX = 8_000
"""What a request head has room for; a token with a page of claims is a tenth of it."""
CUSTOMERS_MAX = 1_000
ALL_CUSTOMERS = "*"

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@|-]{0,127}")
_CUSTOMER = re.compile(r"cus_[A-Za-z0-9_]+")
_OPTIONS: Options = {
    "require": ["exp", "iss", "aud", "sub"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}

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


@dataclass(frozen=True, slots=True)
class JsonWebTokens:
    """Verifies tokens by one set of rules, signed with one of these algorithms."""

    _rules: TokenSettings
    _keys: KeySource
    _now: Callable[[], float]
    _algorithms: Sequence[str]

    async def read(self, token: str) -> Grant:
        """Who a good token speaks for, and how long it still does. Raises `TokenRefused`;
        `KeysUnavailable` when nobody can tell."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise TokenRefused("the token is too long")
        claims = await self._verified(token)
        viewer = Viewer(
            tenant=_tenant(claims, self._rules.jwt_tenant_claim),
            scopes=_scopes(claims.get(self._rules.jwt_scopes_claim)),
            customers=_customers(claims, self._rules.jwt_customers_claim),
            caller=_bearer_id(claims),
            trusted_documents_only=self._rules.jwt_trusted_documents_only,
        )
        return Grant(viewer, self._remaining_seconds(claims))

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = await self._keys.key(header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                audience=self._rules.jwt_audience,
                issuer=self._rules.jwt_issuer,
                options=_OPTIONS,
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenRefused("the token is not valid here") from None
        return claims

    def _remaining_seconds(self, claims: dict[str, Any]) -> float:
        leeway = self._rules.jwt_leeway_seconds
        remaining = _time(claims, "exp") + leeway - self._now()
        if remaining <= 0:
            raise TokenRefused("the token has expired: get a new one")
        for claim in ("nbf", "iat"):
            if claim in claims and _time(claims, claim) - leeway > self._now():
                raise TokenRefused("the token is not valid yet")
        return remaining


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**53:
        raise TokenRefused(f"the token's claim {name} is no time")
    return float(value)


def _tenant(claims: dict[str, Any], claim: str) -> str:
    if not claim:
        return _bearer_id(claims)
    tenant = claims.get(claim)
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise TokenRefused(f"the token's claim {claim} names no tenant")
    return tenant


def _bearer_id(claims: dict[str, Any]) -> str:
    """A stable id of issuer and subject that tells neither: subjects may be e-mail addresses."""
    told = f"{claims['iss']}\0{claims['sub']}".encode("utf-8", "surrogatepass")
    return "jwt:" + hashlib.sha256(told).hexdigest()[:32]


def _scopes(claimed: Any) -> frozenset[str]:
    """Ours among those claimed; tokens carry other systems' scopes as well."""
    given = claimed.split() if isinstance(claimed, str) else claimed
    if not isinstance(given, list):
        return frozenset()
    return frozenset(one for one in given if isinstance(one, str) and one in SCOPES)


def _customers(claims: dict[str, Any], claim: str) -> frozenset[str] | None:
    """A token that forgets its customers would see all of them, so it is refused."""
    if not claim:
        return None
    claimed = claims.get(claim)
    given = [claimed] if isinstance(claimed, str) else claimed
    if given == [ALL_CUSTOMERS]:
        return None
    if not isinstance(given, list) or not 0 < len(given) <= CUSTOMERS_MAX:
        raise TokenRefused(
            f"the token's claim {claim} must list customer ids, or be {ALL_CUSTOMERS!r} for all"
        )
    if not all(isinstance(one, str) and _CUSTOMER.fullmatch(one) for one in given):
        raise TokenRefused(f"the token's claim {claim} must hold ids like cus_...")
    return frozenset(given)


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
        """The key by its id. Raises `jwt.PyJWTError` if there is none, `KeysUnavailable`."""
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


KeySource = SharedSecret | KeySet


def _signing_keys(document: Any) -> list[jwt.PyJWK]:
    if not isinstance(document, dict):
        raise ValueError("a key set is an object")
    keys = jwt.PyJWKSet.from_dict(document).keys
    return [
        key for key in keys if key.key_type in _ASYMMETRIC and key.public_key_use in (None, "sig")
    ]


def key_session() -> ClientSession:
    """Connections that trust the system's certificates, read for them: aiohttp's own were read
    when it was imported, or not at all (`gateway.cli`)."""
    return ClientSession(connector=TCPConnector(ssl=ssl.create_default_context()))


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
