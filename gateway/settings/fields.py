"""Every setting with its unit, its default and its reason, in one frozen object."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.settings.web_origins import checked_origin

PREFIX = "GATEWAY_"
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
"""A field name of RFC 9110."""
LIVE_PREFIXES = ("sk_live", "rk_live")


def _parts(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(filter(None, (one.strip() for one in text.split(","))))


class Settings(BaseSettings):
    """Everything that can be set. Names in the environment carry the prefix GATEWAY_."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )

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
    webhook_body_bytes_max: int = Field(
        32_000_000,
        ge=256_000,
        description="Bytes of one webhook; the default is beyond what Stripe's own limits allow, "
        "and at most four above 256 kB are held at once.",
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
    log_format: Literal["auto", "json", "text"] = Field(
        "auto",
        description="How the process's own log is written to stderr: auto is text on a terminal, "
        "and else a JSON object a line.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least grave lines of that log; info has one for each operation."
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="TCP port of `/metrics` for Prometheus; unset: none is served.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address of that port; keep it from the public."
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
        50_000,
        ge=1,
        description="Entries that the cache in this process keeps: objects, lists, and about as "
        "many tokens, which say what still counts.",
    )
    cache_bytes_max: int = Field(
        67_108_864, ge=1_000_000, description="Bytes that the cache keeps; about 64 MiB."
    )
    clients_file: Path | None = Field(
        None,
        description="TOML file of the clients that may call, each with the hash of its token; "
        "read again on SIGHUP.",
    )
    jwt_secret: SecretStr | None = Field(
        None, description="Secret of at least 32 bytes that signs users' tokens with HS256."
    )
    jwt_jwks_url: str | None = Field(
        None,
        description="Where the key set of users' tokens is, if they are signed with RS256, ES256 "
        "or EdDSA; https, or http on this machine.",
    )
    jwt_issuer: str | None = Field(None, description="The `iss` that users' tokens must have.")
    jwt_audience: str | None = Field(None, description="The `aud` that users' tokens must have.")
    jwt_leeway_seconds: int = Field(
        30, ge=0, le=600, description="Seconds that the clocks of issuer and gateway may differ."
    )
    jwt_tenant_claim: str = Field(
        "", description="The claim that names a token's tenant; unset: its issuer and subject."
    )
    jwt_scopes_claim: str = Field(
        "scope", description="The claim with a token's scopes: a list, or words in one text."
    )
    jwt_customers_claim: str = Field(
        "customers",
        description='The claim that lists the customers a token may see, or holds "*" for all; a '
        "token without it is refused. Empty: tokens see all customers.",
    )
    jwt_trusted_documents_only: bool = Field(
        False, description="Whether users' tokens may run trusted documents only."
    )
    cost_per_minute: int | None = Field(
        None,
        ge=1,
        description="Budget of each caller that has none of its own, in cost; unset: no budget.",
    )
    read_only: bool = Field(
        False, description="Refuse every mutation with READ_ONLY; reads and streams go on."
    )
    read_only_file: Path | None = Field(
        None,
        description="While this file exists every mutation is refused; looked for on SIGHUP. "
        "Default: `read-only` in the data folder.",
    )
    audit_file: Path | None = Field(
        None,
        description="File for the audit trail of writes, a JSON object a line, opened anew on "
        "SIGHUP; unset: it goes to the log, under the logger `gateway.audit`.",
    )
    ide: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether browsers get the GraphiQL page: auto gives it while no callers are "
        "configured.",
    )
    aiocache_disable: str = Field(
        "",
        validation_alias="AIOCACHE_DISABLE",
        description="aiocache's own switch, which it heeds in every process; 1 is refused with "
        "Stripe, as nothing would be cached.",
    )
    allowed_origins: str = Field(
        "",
        description="Origins, separated by commas, whose pages may call the gateway and open "
        "WebSockets; its own pages always may.",
    )
    allowed_headers: str = Field(
        "",
        description="Names of headers, separated by commas, that those pages may send besides the "
        "known ones of GraphQL clients and of tracing (Traceparent, Baggage, Sentry-Trace, "
        "X-Datadog-*, B3, Newrelic and the like).",
    )
    body_bytes_max: int = Field(
        100_000, ge=1_000, description="Bytes of one request body; documents are a few kilobytes."
    )
    head_timeout_seconds: float = Field(
        10.0,
        gt=0,
        description="Seconds for the whole head of a request, and how long an idle connection is "
        "kept; behind a proxy that reuses connections longer than its own idle time.",
    )
    read_timeout_seconds: float = Field(
        10.0, gt=0, description="Seconds for a whole body; longer is a stuck or hostile sender."
    )
    init_timeout_seconds: float = Field(
        10.0, gt=0, description="Seconds from the opened WebSocket to its `connection_init`."
    )
    operation_timeout_seconds: float = Field(
        30.0, gt=0, description="Seconds until a query is given up; mutations are never given up."
    )
    operations_under_way_max: int = Field(
        4000, ge=1, description="Operations over HTTP at once; beyond it is 503 with Retry-After."
    )
    operations_per_viewer_max: int = Field(
        1000, ge=1, description="Those of one caller at once; beyond it is 429 with Retry-After."
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
    stall_timeout_seconds: float = Field(
        5.0, gt=0, description="Seconds until a peer that takes not one byte is aborted."
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
    limits_mode: Literal["enforce", "warn"] = Field(
        "enforce",
        description="What happens to an operation beyond a limit: enforce refuses it; warn runs, "
        "logs and counts it. Tokens, fields and depth of input protect the process, as does a "
        "ceiling of 60 for nesting, and are always enforced.",
    )
    tokens_max: int = Field(
        1000, ge=10, le=20_000, description="Lexical tokens in one document; always enforced."
    )
    depth_max: int = Field(15, ge=1, description="Levels of nesting in one document.")
    aliases_max: int = Field(15, ge=0, description="Aliases in one document, fragments spread out.")
    root_fields_max: int = Field(
        25, ge=1, description="Root fields of one operation, fragments spread out."
    )
    directives_per_location_max: int = Field(
        10, ge=0, description="Directives in one place of a document."
    )
    directives_max: int = Field(
        50, ge=0, description="Directives in one document, fragments spread out."
    )
    fields_max: int = Field(
        2000,
        ge=1,
        description="Fields in one document, fragments spread out; always enforced.",
    )
    input_depth_max: int = Field(
        10,
        ge=1,
        description="Lists and objects in each other, in an argument or a variable; always "
        "enforced.",
    )
    cost_max: int = Field(
        5000, ge=1, description="Objects that one operation may return at most, weighted."
    )
    trusted_documents_file: Path | None = Field(
        None,
        description="JSON manifest of documents that callers may name by their hash, and that some "
        "are restricted to; read again on SIGHUP.",
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for origin in _parts(value):
            checked_origin(origin)
        return value

    @field_validator("allowed_headers")
    @classmethod
    def _headers(cls, value: str) -> str:
        for name in _parts(value):
            if _HEADER.fullmatch(name) is None:
                raise ValueError(f"must be names of headers separated by commas, got {name!r}")
        return value

    @property
    def more_headers(self) -> tuple[str, ...]:
        return _parts(self.allowed_headers)

    @property
    def origins(self) -> tuple[str, ...]:
        return _parts(self.allowed_origins)

    @property
    def has_tokens(self) -> bool:
        """Whether users' tokens are accepted."""
        return self.jwt_secret is not None or self.jwt_jwks_url is not None

    @property
    def has_callers(self) -> bool:
        """Whether a caller has to say who it is."""
        return self.clients_file is not None or self.has_tokens

    @property
    def read_only_flag(self) -> Path:
        return self.read_only_file or self.data_dir / "read-only"

    @property
    def gives_page(self) -> bool:
        """The page lives from introspection, which only a caller with that right may do."""
        return self.ide == "on" or (self.ide == "auto" and not self.has_callers)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        return _parts(self.stripe_webhook_secrets.get_secret_value())

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


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"
