"""Reads JSON Web Tokens: who their bearer is, what they may do, and until when.

The signature and the form are PyJWT's work; times are checked here, by the gateway's own clock.
Algorithms come from the configuration and never from the token. Sources: RFC 7519, RFC 8725.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import jwt
from jwt.types import Options

from gateway.callers import Grant
from gateway.callers.json_web_keys import KeySource
from gateway.settings import TokenSettings
from schema.ports import SCOPES, Viewer

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


class TokenRefused(Exception):
    """The token is no good; the message may be told to its bearer."""


class JsonWebTokens:
    """Verifies tokens by one set of rules, signed with one of these algorithms."""

    def __init__(
        self,
        rules: TokenSettings,
        keys: KeySource,
        now: Callable[[], float],
        algorithms: Sequence[str],
    ) -> None:
        self._rules = rules
        self._algorithms = algorithms
        self._keys = keys
        self._now = now

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
