"""Reads the settings from the environment, and refuses them in sentences that tell no secret: what
cannot be read, what cannot work together and what is not safe, each with its cure.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.hosts import is_loopback_host
from gateway.settings.settings import PREFIX, Settings

_CONSTANT = "is a constant now"
REMOVED = {
    "GATEWAY_CACHE_ENTRIES_MAX": "follows GATEWAY_CACHE_BYTES_MAX now",
    "GATEWAY_DIRECTIVES_MAX": _CONSTANT,
    "GATEWAY_DIRECTIVES_PER_LOCATION_MAX": _CONSTANT,
    "GATEWAY_INPUT_DEPTH_MAX": _CONSTANT,
    "GATEWAY_LOG_ENTRIES_MAX": "follows GATEWAY_RETENTION_ENTRIES_MAX now",
}
"""Variables of earlier versions, and what has become of each."""


class SettingsRefused(Exception):
    """One or more settings are wrong; the message says which, what and how to mend it."""


def read_settings(**overrides: object) -> Settings:
    """The settings from the environment, with what the command line says on top.

    Raises `SettingsRefused`.
    """
    settings = parsed_settings(**overrides)
    if problems := findings(settings):
        raise SettingsRefused("\n".join(problems))
    return settings


def parsed_settings(**overrides: object) -> Settings:
    """The same, whether or not they can work together."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings.model_validate(_set_variables() | given)
    except ValidationError as error:
        raise SettingsRefused("\n".join(map(_sentence, error.errors()))) from error


def _set_variables() -> dict[str, object]:
    """What the environment says, in capitals or not; constants it cannot set."""
    found = {name.upper(): value for name, value in os.environ.items()}
    return {
        name: found[variable_of(name)]
        for name, field in Settings.model_fields.items()
        if not field.exclude and variable_of(name) in found
    }


def _sentence(error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else "settings"
    variable = name if name.isupper() else f"{PREFIX}{name.upper()}"
    if _is_secret(name):
        return f"{variable}: {error['msg']}"
    return f"{variable}: {error['msg']}; got {error.get('input')!r}"


def _is_secret(name: str) -> bool:
    """Whether the setting's value must not be repeated. A URL may hold a password."""
    names = {variable_of(field): field for field in Settings.model_fields}
    annotation = str(Settings.model_fields[names.get(name, name)].annotation)
    return "SecretStr" in annotation or name.endswith(("_url", "_base"))


def without_effect(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that is set and that this version no longer reads."""
    return [
        f"{name} has no effect: it {became}. Unset it."
        for name, became in REMOVED.items()
        if name in environment
    ]


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"


JWT_SECRET_BYTES_MIN = 32
"""As long as the hash of HS256: RFC 7518, section 3.2."""

_CONFIGURE_CALLERS = (
    "Configure who may call: GATEWAY_CLIENTS_FILE (`invoice-gateway token new NAME` makes an "
    "entry) or GATEWAY_JWT_SECRET or GATEWAY_JWT_JWKS_URL for users' tokens"
)


def findings(settings: Settings) -> list[str]:
    """A sentence for each combination that cannot work or is not safe. Empty is good."""
    rules = (*_about_callers(settings), *_about_stores(settings), *_about_fixtures(settings))
    return [sentence for is_broken, sentence in rules if is_broken]


def _about_callers(settings: Settings) -> list[tuple[bool, str]]:
    secret, url = settings.jwt_secret, settings.jwt_jwks_url
    secret_bytes = None if secret is None else len(secret.get_secret_value().encode())
    parts = urlsplit(url or "")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(parts.netloc))
    whose = {
        "GATEWAY_JWT_ISSUER": settings.jwt_issuer,
        "GATEWAY_JWT_AUDIENCE": settings.jwt_audience,
    }
    missing = [variable for variable, value in whose.items() if not value]
    return [
        (
            settings.is_public and not settings.has_callers,
            f"{settings.host} can be reached from other machines, and no callers are configured, "
            f"so anyone could move payments. {_CONFIGURE_CALLERS}, or listen on 127.0.0.1 "
            "(--host 127.0.0.1 or GATEWAY_HOST).",
        ),
        (
            secret is not None and url is not None,
            "GATEWAY_JWT_SECRET and GATEWAY_JWT_JWKS_URL are both set, and a token is checked in "
            "one way only. Leave one of them out.",
        ),
        (
            secret_bytes is not None and secret_bytes < JWT_SECRET_BYTES_MIN,
            f"GATEWAY_JWT_SECRET is shorter than {JWT_SECRET_BYTES_MIN} bytes, and could be "
            "guessed. Use a random one: openssl rand -hex 32.",
        ),
        (
            url is not None and not is_safe,
            "GATEWAY_JWT_JWKS_URL could be answered by others than the issuer. Give an https:// "
            "address; http:// is taken on this machine only.",
        ),
        (
            settings.has_tokens and bool(missing),
            f"Users' tokens are accepted, and {' and '.join(missing)} says not whose and for "
            "whom, so a token that was made for another service would do. Set it to the `iss` and "
            "`aud` of your tokens.",
        ),
    ]


def _about_stores(settings: Settings) -> list[tuple[bool, str]]:
    is_stripe, is_shared = settings.backend == "stripe", settings.redis_url is not None
    return [
        (
            is_stripe and settings.stripe_api_key is None,
            "The stripe backend needs a key, and STRIPE_API_KEY is not set. Set it to a test key "
            "(sk_test_ or rk_test_), or use --backend memory, which needs none.",
        ),
        (
            settings.is_live and not settings.has_callers,
            "STRIPE_API_KEY is a live key, and no callers are configured, so anyone on this "
            f"machine could move real money. {_CONFIGURE_CALLERS}, or use a test key.",
        ),
        (
            is_stripe and settings.aiocache_disable == "1",
            "AIOCACHE_DISABLE=1 switches the cache off, so every read would go to Stripe. Unset "
            "it.",
        ),
        (
            is_shared and not is_stripe,
            "GATEWAY_REDIS_URL shares a log between replicas, but each memory backend has objects "
            "of its own. Use --backend stripe, or leave GATEWAY_REDIS_URL out.",
        ),
        (
            is_shared and settings.cache_url is None,
            "With a shared log the cache must be shared too, or replicas would show what is older "
            "than an event, and GATEWAY_CACHE_URL is not set. Set it to a Redis for the cache; "
            "the same server only if it never evicts.",
        ),
    ]


def _about_fixtures(settings: Settings) -> list[tuple[bool, str]]:
    file = settings.fixtures
    return [
        (
            file is not None and settings.backend == "stripe",
            "Fixtures cannot be loaded into Stripe. Leave --fixtures out, or use --backend memory.",
        ),
        (
            file is not None and not file.is_file(),
            f"The fixtures file {file} does not exist. Give the path of a JSON file, or leave "
            "--fixtures out for the demo data.",
        ),
    ]
