"""Users' tokens: what a good one says, and every way in which one can be bad."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.callers import KeysUnavailable, TokenRefused
from gateway.callers.json_web_tokens import (
    FRESH_SECONDS,
    RENEWED_SECONDS,
    RETRY_SECONDS,
    STALE_SECONDS,
    JsonWebTokens,
    KeySet,
    SharedSecret,
)
from gateway.settings import TokenSettings
from tests.support.time_and_ids import START, ManualClock

SECRET = "a-secret-for-tests-that-is-long-enough"
RULES = TokenSettings(jwt_issuer="https://login.example", jwt_audience="gateway")
HS256 = ("HS256",)
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example",
    "aud": "gateway",
    "sub": "user-1",
    "exp": START + 600,
    "scope": "openid invoices:read payments:write",
    "customers": ["cus_1"],
}


def reader(rules: TokenSettings = RULES) -> JsonWebTokens:
    return JsonWebTokens(rules, SharedSecret(SECRET), ManualClock().now, HS256)


def signed(changes: dict[str, Any] | None = None, secret: str = SECRET, **options: Any) -> str:
    """A good token with these claims changed; None takes one out."""
    claims = {name: one for name, one in {**CLAIMS, **(changes or {})}.items() if one is not None}
    return jwt.encode(claims, secret, options.pop("algorithm", "HS256"), **options)


async def test_a_good_token_says_who_may_do_what_and_how_long() -> None:
    bearer = await reader().read(signed())

    assert bearer.viewer.scopes == {"invoices:read", "payments:write"}
    assert bearer.viewer.customers == {"cus_1"}
    assert bearer.expires_in_seconds == 600 + RULES.jwt_leeway_seconds


async def test_issuer_and_subject_make_the_tenant_and_cannot_be_read_from_it() -> None:
    """Subjects may be e-mail addresses, and the tenant stands in logs and keys."""
    one = (await reader().read(signed({"sub": "ada@example.com"}))).viewer.tenant
    same = (await reader().read(signed({"sub": "ada@example.com"}))).viewer.tenant
    other = (await reader().read(signed({"sub": "eve@example.com"}))).viewer.tenant

    assert one == same != other
    assert "ada" not in one


async def test_a_claim_may_name_the_tenant() -> None:
    rules = RULES.model_copy(update={"jwt_tenant_claim": "org"})

    assert (await reader(rules).read(signed({"org": "acme"}))).viewer.tenant == "acme"
    for bad in (None, 7, "", "a b", ["acme"]):
        with pytest.raises(TokenRefused, match="names no tenant"):
            await reader(rules).read(signed({"org": bad}))


@pytest.mark.parametrize(
    ("claimed", "scopes"),
    [
        ("invoices:read", {"invoices:read"}),
        (["invoices:read", "events:read", 7], {"invoices:read", "events:read"}),
        ("admin *", set()),
        (None, set()),
        (7, set()),
    ],
)
async def test_only_our_scopes_count(claimed: Any, scopes: set[str]) -> None:
    assert (await reader().read(signed({"scope": claimed}))).viewer.scopes == scopes


@pytest.mark.parametrize(
    ("claimed", "customers"),
    [(["cus_1", "cus_2"], {"cus_1", "cus_2"}), ("cus_1", {"cus_1"}), ("*", None), (["*"], None)],
)
async def test_customers_are_listed_or_all(claimed: Any, customers: set[str] | None) -> None:
    assert (await reader().read(signed({"customers": claimed}))).viewer.customers == customers


@pytest.mark.parametrize("claimed", [None, [], "", 7, ["*", "cus_1"], ["pi_1"], [7], {"cus_1": 1}])
async def test_a_token_that_does_not_say_its_customers_is_refused(claimed: Any) -> None:
    """It would see everybody's invoices."""
    with pytest.raises(TokenRefused, match="customers"):
        await reader().read(signed({"customers": claimed}))


async def test_tokens_see_all_customers_only_where_the_operator_says_so() -> None:
    rules = RULES.model_copy(update={"jwt_customers_claim": ""})

    assert (await reader(rules).read(signed({"customers": None}))).viewer.customers is None


def unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, CLAIMS]
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join([*encoded, b""]).decode()


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "another secret": lambda: signed(secret="another-secret-that-is-long-enough-too"),
    "no signature": unsigned,
    "another algorithm": lambda: signed(secret=SECRET * 2, algorithm="HS512"),
    "cut": lambda: signed()[:-4],
    "no token at all": lambda: "a.b.c",
    "empty parts": lambda: "..",
    "not base64": lambda: "ä.ö.ü",
    "longer than a request head": lambda: signed({"more": "x" * 9_000}),
    "another issuer": lambda: signed({"iss": "https://evil.example"}),
    "another audience": lambda: signed({"aud": "shop"}),
    "no issuer": lambda: signed({"iss": None}),
    "no audience": lambda: signed({"aud": None}),
    "no subject": lambda: signed({"sub": None}),
    "no end": lambda: signed({"exp": None}),
    "an end that is no time": lambda: signed({"exp": "soon"}),
    "an end that is true": lambda: signed({"exp": True}),
    "an end beyond all times": lambda: signed({"exp": 10**400}),
    "expired": lambda: signed({"exp": START - RULES.jwt_leeway_seconds}),
    "not valid yet": lambda: signed({"nbf": START + RULES.jwt_leeway_seconds + 1}),
    "issued in the future": lambda: signed({"iat": START + RULES.jwt_leeway_seconds + 1}),
    "a key id that is no text": lambda: signed(headers={"kid": "x"}).replace("eyJ", "eyK", 1),
}


@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
async def test_a_bad_token_is_refused(make: Callable[[], str]) -> None:
    with pytest.raises(TokenRefused):
        await reader().read(make())


@pytest.mark.parametrize(
    "changes",
    [{"exp": START - RULES.jwt_leeway_seconds + 1}, {"nbf": START + RULES.jwt_leeway_seconds}],
)
async def test_clocks_may_differ_by_the_leeway(changes: dict[str, int]) -> None:
    await reader().read(signed(changes))


class Issuer:
    """An issuer's key server that a test plays."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.fetched = 0
        self.is_away = False
        self.hangs: asyncio.Event | None = None
        self.clock = ManualClock()

    async def fetch(self) -> Any:
        self.fetched += 1
        if self.hangs is not None:
            await self.hangs.wait()
        if self.is_away:
            raise OSError("away")
        documents = [
            {**json.loads(_jwk(key)), "kid": name, "use": "sig"} for name, key in self.keys.items()
        ]
        return {"keys": documents}

    async def has_answered(self, times: int) -> None:
        """So many fetches have begun, and come as far as they can."""
        for _ in range(20):
            await asyncio.sleep(0)
        assert self.fetched == times

    def token(self, key_id: str, algorithm: str = "ES256") -> str:
        claims = {**CLAIMS, "exp": self.clock.now() + 600}
        return jwt.encode(claims, self.keys[key_id], algorithm, headers={"kid": key_id})

    def reader(self) -> JsonWebTokens:
        keys = KeySet(self.fetch, self.clock.monotonic)
        return JsonWebTokens(RULES, keys, self.clock.now, ("RS256", "ES256"))


def _jwk(key: Any) -> str:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else None
    return (kind or jwt.algorithms.ECAlgorithm).to_jwk(key.public_key())


@pytest.fixture
def issuer() -> Issuer:
    issuer = Issuer()
    issuer.keys["k1"] = ec.generate_private_key(ec.SECP256R1())
    return issuer


async def test_a_key_set_is_fetched_once_and_then_known(issuer: Issuer) -> None:
    reader = issuer.reader()

    await reader.read(issuer.token("k1"))
    await reader.read(issuer.token("k1"))

    assert issuer.fetched == 1


async def test_rsa_and_elliptic_curves_are_read(issuer: Issuer) -> None:
    issuer.keys["k2"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    reader = issuer.reader()

    await reader.read(issuer.token("k1"))
    await reader.read(issuer.token("k2", "RS256"))


async def test_a_new_key_is_found_without_a_restart(issuer: Issuer) -> None:
    reader = issuer.reader()
    await reader.read(issuer.token("k1"))

    issuer.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    issuer.clock.advance(int(RETRY_SECONDS))
    await reader.read(issuer.token("k2"))

    assert issuer.fetched == 2


async def test_a_flood_of_unknown_key_ids_costs_one_fetch(issuer: Issuer) -> None:
    reader = issuer.reader()
    await reader.read(issuer.token("k1"))
    stranger = Issuer()
    stranger.keys = {f"x{n}": ec.generate_private_key(ec.SECP256R1()) for n in range(5)}

    issuer.clock.advance(int(RETRY_SECONDS))
    for name in stranger.keys:
        with pytest.raises(TokenRefused):
            await reader.read(stranger.token(name))

    assert issuer.fetched == 2


async def test_a_key_that_was_withdrawn_is_no_good_any_more(issuer: Issuer) -> None:
    reader = issuer.reader()
    token = issuer.token("k1")
    await reader.read(token)

    issuer.keys = {"k2": ec.generate_private_key(ec.SECP256R1())}
    issuer.clock.advance(int(FRESH_SECONDS))

    with pytest.raises(TokenRefused):
        await reader.read(token)


async def test_while_the_issuer_is_away_known_keys_serve_for_a_day(issuer: Issuer) -> None:
    reader = issuer.reader()
    await reader.read(issuer.token("k1"))
    issuer.is_away = True

    issuer.clock.advance(int(STALE_SECONDS) - 1)
    await reader.read(issuer.token("k1"))
    issuer.clock.advance(int(RETRY_SECONDS))
    with pytest.raises(KeysUnavailable):
        await reader.read(issuer.token("k1"))


@pytest.mark.parametrize("age", [RENEWED_SECONDS, FRESH_SECONDS, STALE_SECONDS - 3 * RETRY_SECONDS])
async def test_a_hanging_issuer_delays_nobody_with_a_known_key(issuer: Issuer, age: float) -> None:
    """Its set is renewed beside the answers: a token is good or not by what is known."""
    reader = issuer.reader()
    await reader.read(issuer.token("k1"))
    issuer.clock.advance(int(RENEWED_SECONDS))
    issuer.is_away = True
    await reader.read(issuer.token("k1"))
    await issuer.has_answered(2)
    issuer.hangs = asyncio.Event()
    issuer.clock.advance(int(max(age - RENEWED_SECONDS, RETRY_SECONDS)))

    for _ in range(3):
        async with asyncio.timeout(1):
            await reader.read(issuer.token("k1"))

    await issuer.has_answered(3)
    issuer.hangs.set()


async def test_unknown_keys_wait_for_one_fetch_together(issuer: Issuer) -> None:
    """Only the issuer can tell whether they exist."""
    reader = issuer.reader()
    await reader.read(issuer.token("k1"))
    issuer.clock.advance(int(RETRY_SECONDS))
    issuer.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    issuer.hangs = asyncio.Event()
    waiting = [asyncio.create_task(reader.read(issuer.token("k2"))) for _ in range(5)]
    await issuer.has_answered(2)
    are_done = [one.done() for one in waiting]

    issuer.hangs.set()
    await asyncio.gather(*waiting)

    assert not any(are_done)
    assert issuer.fetched == 2


async def test_a_set_in_use_is_renewed_before_it_is_old(issuer: Issuer) -> None:
    """So a key that was withdrawn is no good soon, though nobody waits for the issuer."""
    reader = issuer.reader()
    token = issuer.token("k1")
    await reader.read(token)
    issuer.keys = {"k2": ec.generate_private_key(ec.SECP256R1())}
    issuer.clock.advance(int(RENEWED_SECONDS))
    await reader.read(token)
    await issuer.has_answered(2)

    with pytest.raises(TokenRefused):
        await reader.read(token)


async def test_before_the_first_keys_nobody_can_tell(issuer: Issuer) -> None:
    issuer.is_away = True

    with pytest.raises(KeysUnavailable):
        await issuer.reader().read(issuer.token("k1"))


async def test_a_public_key_cannot_be_taken_for_a_shared_secret(issuer: Issuer) -> None:
    """The attack on verifiers that believe the token's own `alg`."""
    public = (
        issuer.keys["k1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    header = {"alg": "HS256", "typ": "JWT", "kid": "k1"}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (header, CLAIMS)
    ]
    import hashlib
    import hmac

    signature = hmac.new(public, b".".join(parts), hashlib.sha256).digest()
    forged = b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()

    with pytest.raises(TokenRefused):
        await issuer.reader().read(forged)


async def test_a_symmetric_key_in_a_public_set_is_left_out(issuer: Issuer) -> None:
    async def fetch() -> Any:
        secret = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
        return {"keys": [{"kty": "oct", "k": secret, "kid": "k1", "alg": "HS256"}]}

    keys = KeySet(fetch, ManualClock().monotonic)
    tokens = JsonWebTokens(RULES, keys, ManualClock().now, ("HS256", "ES256"))

    with pytest.raises(TokenRefused):
        await tokens.read(signed(headers={"kid": "k1"}))


@pytest.mark.parametrize("document", [None, [], {}, {"keys": 7}, {"keys": []}, "text"])
async def test_a_document_that_is_no_key_set_is_as_good_as_none(document: Any) -> None:
    async def fetch() -> Any:
        return document

    keys = KeySet(fetch, ManualClock().monotonic)
    tokens = JsonWebTokens(RULES, keys, ManualClock().now, HS256)

    with pytest.raises(KeysUnavailable):
        await tokens.read(signed(headers={"kid": "k1"}))
