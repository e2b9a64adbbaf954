"""What keeps settings from working together, or from being safe: each finding with its cure."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.settings.fields import Settings

JWT_SECRET_BYTES_MIN = 32
"""As long as the hash of HS256: RFC 7518, section 3.2."""


class Finding:
    """One thing that is wrong, and its cure."""

    def __init__(self, what: str, cure: str) -> None:
        self.what = what
        self.cure = cure

    @property
    def sentence(self) -> str:
        return f"{self.what} {self.cure}"


def findings(settings: Settings) -> list[Finding]:
    """Combinations that cannot work or are not safe. Empty is good."""
    found = []
    if settings.is_public and not settings.has_callers:
        found.append(
            Finding(
                f"{settings.host} can be reached from other machines, and no callers are "
                "configured, so anyone could move payments.",
                f"{_CONFIGURE_CALLERS}, or listen on 127.0.0.1 (--host 127.0.0.1 or GATEWAY_HOST).",
            )
        )
    found += _token_findings(settings)
    if settings.backend == "stripe" and settings.stripe_api_key is None:
        found.append(
            Finding(
                "The stripe backend needs a key, and STRIPE_API_KEY is not set.",
                "Set it to a test key (sk_test_ or rk_test_), or use --backend memory, which "
                "needs none.",
            )
        )
    if settings.is_live and not settings.has_callers:
        found.append(
            Finding(
                "STRIPE_API_KEY is a live key, and no callers are configured, so anyone on this "
                "machine could move real money.",
                f"{_CONFIGURE_CALLERS}, or use a test key.",
            )
        )
    if settings.backend == "stripe" and settings.aiocache_disable == "1":
        found.append(
            Finding(
                "AIOCACHE_DISABLE=1 switches the cache off, so every read would go to Stripe.",
                "Unset it.",
            )
        )
    if settings.redis_url is not None and settings.backend == "memory":
        found.append(
            Finding(
                "GATEWAY_REDIS_URL shares a log between replicas, but each memory backend has "
                "objects of its own.",
                "Use --backend stripe, or leave GATEWAY_REDIS_URL out.",
            )
        )
    if settings.redis_url is not None and settings.cache_url is None:
        found.append(
            Finding(
                "With a shared log the cache must be shared too, or replicas would show what is "
                "older than an event, and GATEWAY_CACHE_URL is not set.",
                "Set it to a Redis for the cache; the same server only if it never evicts.",
            )
        )
    if settings.fixtures is not None and settings.backend == "stripe":
        found.append(
            Finding(
                "Fixtures cannot be loaded into Stripe.",
                "Leave --fixtures out, or use --backend memory.",
            )
        )
    if settings.fixtures is not None and not settings.fixtures.is_file():
        found.append(
            Finding(
                f"The fixtures file {settings.fixtures} does not exist.",
                "Give the path of a JSON file, or leave --fixtures out for the demo data.",
            )
        )
    return found


_CONFIGURE_CALLERS = (
    "Configure who may call: GATEWAY_CLIENTS_FILE (`invoice-gateway token new NAME` makes an "
    "entry) or GATEWAY_JWT_SECRET or GATEWAY_JWT_JWKS_URL for users' tokens"
)


def _token_findings(settings: Settings) -> list[Finding]:
    """What is missing or unsafe in the way users' tokens are checked."""
    found = []
    secret, url = settings.jwt_secret, settings.jwt_jwks_url
    if secret is not None and url is not None:
        found.append(
            Finding(
                "GATEWAY_JWT_SECRET and GATEWAY_JWT_JWKS_URL are both set, and a token is checked "
                "in one way only.",
                "Leave one of them out.",
            )
        )
    if secret is not None and len(secret.get_secret_value().encode()) < JWT_SECRET_BYTES_MIN:
        found.append(
            Finding(
                f"GATEWAY_JWT_SECRET is shorter than {JWT_SECRET_BYTES_MIN} bytes, and could be "
                "guessed.",
                "Use a random one: openssl rand -hex 32.",
            )
        )
    if url is not None and not _is_safe_url(url):
        found.append(
            Finding(
                "GATEWAY_JWT_JWKS_URL could be answered by others than the issuer.",
                "Give an https:// address; http:// is taken on this machine only.",
            )
        )
    missing = [
        variable
        for variable, value in (
            ("GATEWAY_JWT_ISSUER", settings.jwt_issuer),
            ("GATEWAY_JWT_AUDIENCE", settings.jwt_audience),
        )
        if not value
    ]
    if settings.has_tokens and missing:
        found.append(
            Finding(
                f"Users' tokens are accepted, and {' and '.join(missing)} says not whose and for "
                "whom, so a token that was made for another service would do.",
                "Set it to the `iss` and `aud` of your tokens.",
            )
        )
    return found


def _is_safe_url(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    )
