"""Settings, read once from the environment into one frozen object.

Each has a unit, a default and a reason. What cannot work together is refused at start, in a
sentence that says which setting, what is wrong and how to mend it.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "GATEWAY_"
LIVE_PREFIXES = ("sk_live", "rk_live")


class SettingsRefused(Exception):
    """One or more settings are wrong; the message says which, what and how to mend it."""


class Settings(BaseSettings):
    """Everything that can be set. Names in the environment carry the prefix GATEWAY_."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on; loopback keeps it private.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 lets the system choose.")
    backend: Literal["memory", "stripe"] = Field(
        "memory", description="What supplies the answers: the embedded twin, or Stripe."
    )
    fixtures: Path | None = Field(
        None, description="File with the data of the memory backend; the demo when unset."
    )
    stripe_api_key: SecretStr | None = Field(
        None,
        validation_alias="STRIPE_API_KEY",
        description="Stripe's secret or restricted key; needed by the stripe backend only.",
    )
    stripe_api_base: str | None = Field(
        None, description="Where Stripe's API is, if not at Stripe: the sandbox, for example."
    )
    stripe_version: str = Field(
        "2026-10-28.endive", description="The pinned Stripe-Version of every call but previews."
    )
    stripe_preview_version: str = Field(
        "2026-09-30.preview", description="The Stripe-Version of detach and of partial attach."
    )
    stripe_account: str = Field(
        "default", description="Name of the account in keys and log entries; never sent to Stripe."
    )
    stripe_webhook_secrets: SecretStr = Field(
        SecretStr(""),
        description="Signing secrets of the webhook endpoint, separated by commas; several while "
        "one replaces another.",
    )
    catch_up_seconds: float = Field(
        300.0, gt=0, description="Seconds between two looks at Stripe's own list of events."
    )
    stripe_calls_per_second: float | None = Field(
        None, gt=0, description="Calls a second to the account; by default 100 live, 25 in test."
    )
    stripe_endpoint_calls_per_second: float = Field(
        25.0, gt=0, description="Calls a second to one endpoint, as Stripe allows by default."
    )
    upstream_calls_max: int = Field(
        60, ge=1, description="Calls to Stripe that one operation may make; beyond it are nulls."
    )
    data_dir: Path = Field(
        Path("gateway-data"), description="Folder of the event log and the write journal."
    )
    log: Literal["auto", "memory", "sqlite"] = Field(
        "auto",
        description="Where events and writes are kept: auto is memory with the memory backend, "
        "and a SQLite file in the data folder with Stripe.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="redis:// address of the event log, the journal and the rate budget that "
        "replicas share; a server that evicts nothing and keeps an append-only file.",
    )
    redis_allow_loss: bool = Field(
        False, description="Take a Redis that may lose what it was given; for trying things out."
    )
    cache_url: SecretStr | None = Field(
        None,
        description="redis:// address of the cache that replicas share; needed with a shared log.",
    )
    cache_entries_max: int = Field(
        50_000, ge=1, description="Objects and lists that the cache keeps."
    )
    cache_bytes_max: int = Field(
        67_108_864, ge=1_000_000, description="Bytes that the cache keeps; about 64 MiB."
    )
    allowed_origins: str = Field(
        "",
        description="Origins, separated by commas, whose pages may call the gateway and open "
        "WebSockets; its own pages always may.",
    )
    body_bytes_max: int = Field(
        100_000, ge=1_000, description="Bytes of one request body; documents are a few kilobytes."
    )
    operation_timeout_seconds: float = Field(
        30.0, gt=0, description="Seconds until a query is given up; mutations are never given up."
    )
    sockets_per_viewer_max: int = Field(
        50, ge=1, description="WebSockets that one caller may hold; a client needs one."
    )
    streams_per_viewer_max: int = Field(
        50, ge=1, description="Event streams over HTTP that one caller may hold at once."
    )
    stream_queue_max: int = Field(
        256, ge=1, description="Events a subscriber may lag behind before it is told to resume."
    )
    stream_heartbeat_seconds: float = Field(
        15.0, gt=0, description="Seconds of quiet before a stream sends a checkpoint."
    )
    log_entries_max: int = Field(
        100_000, ge=1, description="Events that the memory log keeps; about 600 bytes each."
    )
    retention_entries_max: int = Field(
        1_000_000, ge=1, description="Events that a durable log keeps; about 600 bytes each."
    )
    retention_days: int = Field(
        30, ge=1, description="Days that a durable log keeps events; Stripe lists its own for 30."
    )
    depth_max: int = Field(15, ge=1, description="Levels of nesting in one document.")
    aliases_max: int = Field(15, ge=0, description="Aliases in one document, fragments spread out.")
    tokens_max: int = Field(1000, ge=10, description="Lexical tokens in one document.")
    cost_max: int = Field(
        5000, ge=1, description="Objects that one operation may return at most, weighted."
    )

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for origin in filter(None, (one.strip() for one in value.split(","))):
            if not re.fullmatch(r"https?://[^/\s,]+", origin):
                raise ValueError(f"{origin!r} is no origin: write it like https://app.example.com")
        return value

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(filter(None, (one.strip() for one in self.allowed_origins.split(","))))

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        given = self.stripe_webhook_secrets.get_secret_value().split(",")
        return tuple(filter(None, (one.strip() for one in given)))

    @property
    def is_live(self) -> bool:
        """Whether real money moves."""
        key = "" if self.stripe_api_key is None else self.stripe_api_key.get_secret_value()
        return self.backend == "stripe" and key.startswith(LIVE_PREFIXES)

    @property
    def account_calls_per_second(self) -> float:
        """Stripe's limit for the account, unless another is set."""
        return self.stripe_calls_per_second or (100.0 if self.is_live else 25.0)

    @property
    def is_durable(self) -> bool:
        is_wanted = self.log == "sqlite" or (self.log == "auto" and self.backend == "stripe")
        return is_wanted and self.redis_url is None

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach the address."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


def read_settings(**overrides: object) -> Settings:
    """The settings from the environment, with what the command line says on top.

    Raises `SettingsRefused`.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsRefused("\n".join(_sentence(one) for one in error.errors())) from error
    problems = [finding.sentence for finding in findings(settings)]
    if problems:
        raise SettingsRefused("\n".join(problems))
    return settings


def _sentence(error: object) -> str:
    assert isinstance(error, dict)
    name = str(error["loc"][0]) if error["loc"] else "settings"
    variable = name if name.isupper() else f"{PREFIX}{name.upper()}"
    return f"{variable}: {error['msg']}; got {error.get('input')!r}"


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
    if settings.is_public:
        found.append(
            Finding(
                f"{settings.host} can be reached from other machines, and no callers are "
                "configured, so anyone could move payments.",
                "Listen on 127.0.0.1 (--host 127.0.0.1 or GATEWAY_HOST).",
            )
        )
    if settings.backend == "stripe" and settings.stripe_api_key is None:
        found.append(
            Finding(
                "The stripe backend needs a key, and STRIPE_API_KEY is not set.",
                "Set it to a test key (sk_test_ or rk_test_), or use --backend memory, which "
                "needs none.",
            )
        )
    if settings.is_live:
        found.append(
            Finding(
                "STRIPE_API_KEY is a live key, and no callers are configured, so anyone on this "
                "machine could move real money.",
                "Use a test key.",
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


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"


def settings_page() -> str:
    """The page that documents every setting; a test holds the committed one against it."""
    rows = [
        f"| `{variable_of(name)}` | {_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    head = (
        "# Settings\n\n"
        "Read once at start, from the environment. What cannot work together is refused with a\n"
        "sentence that says how to mend it; `invoice-gateway doctor` says it without starting.\n\n"
        "| variable | default | unit and reason |\n| --- | --- | --- |\n"
    )
    return head + "\n".join(rows) + "\n"


def _default(value: object) -> str:
    return "unset" if value is None or value == "" else f"`{value}`"
