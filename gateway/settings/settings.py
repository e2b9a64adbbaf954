"""Every setting with its unit, its default and its reason, in one frozen object."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator

from gateway.settings.parts import Limits, TokenSettings, WebSettings, comma_separated

PREFIX = "GATEWAY_"
LIVE_PREFIXES = ("sk_live", "rk_live")


class Settings(WebSettings, Limits, TokenSettings):
    """Everything that can be set. Names in the environment carry the prefix GATEWAY_.

    Each part of the gateway is given the group that it knows, which these settings are.
    """

    model_config = ConfigDict(validate_by_name=True, extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    """Address to listen on; loopback keeps it private."""
    port: int = Field(8000, ge=0, le=65535)
    """TCP port; 0 lets the system choose."""
    backend: Literal["memory", "stripe"] = "memory"
    """What supplies the answers: the embedded twin, or Stripe."""
    fixtures: Path | None = None
    """File with the data of the memory backend; the demo when unset."""
    stripe_api_key: SecretStr | None = Field(None, validation_alias="STRIPE_API_KEY")
    """Stripe's secret or restricted key; needed by the stripe backend only."""
    stripe_api_base: str | None = None
    """Where Stripe's API is, if not at Stripe: the sandbox, for example."""
    stripe_version: str = "2026-10-28.endive"
    """The pinned Stripe-Version of every call but previews."""
    stripe_preview_version: str = "2026-09-30.preview"
    """The Stripe-Version of detach and of partial attach."""
    stripe_account: str = "default"
    """Name of the account in keys and log entries; never sent to Stripe."""
    stripe_webhook_secrets: SecretStr = SecretStr("")
    """Signing secrets of the webhook endpoint, separated by commas; several while one replaces
    another."""
    catch_up_seconds: float = Field(300.0, gt=0)
    """Seconds between two looks at Stripe's own list of events."""
    stripe_calls_per_second: float | None = Field(None, gt=0)
    """Calls a second to the account; by default 100 live, 25 in test."""
    stripe_endpoint_calls_per_second: float = Field(25.0, gt=0)
    """Calls a second to one endpoint, as Stripe allows by default."""
    upstream_calls_max: int = Field(60, ge=1)
    """Calls to Stripe that one operation may make; beyond it are nulls."""
    data_dir: Path = Path("gateway-data")
    """Folder of the event log and the write journal."""
    log: Literal["auto", "memory", "sqlite"] = "auto"
    """Where events and writes are kept: auto is memory with the memory backend, and a SQLite file
    in the data folder with Stripe."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """How the process's own log is written to stderr: auto is text on a terminal, and else a JSON
    object a line."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least grave lines of that log; info has one for each operation."""
    metrics_port: int | None = Field(None, ge=0, le=65535)
    """TCP port of `/metrics` for Prometheus; unset: none is served."""
    metrics_host: str = "127.0.0.1"
    """Address of that port; keep it from the public."""
    redis_url: SecretStr | None = None
    """redis:// address of the event log, the journal and the rate budget that replicas share; a
    server that evicts nothing and keeps an append-only file."""
    redis_allow_loss: bool = False
    """Take a Redis that may lose what it was given; for trying things out."""
    cache_url: SecretStr | None = None
    """redis:// address of the cache that replicas share; needed with a shared log."""
    cache_bytes_max: int = Field(67_108_864, ge=1_000_000)
    """Bytes that the cache in this process keeps; about 64 MiB."""
    clients_file: Path | None = None
    """TOML file of the clients that may call, each with the hash of its token; read again on
    SIGHUP."""
    cost_per_minute: int | None = Field(None, ge=1)
    """Budget of each caller that has none of its own, in cost; unset: no budget."""
    read_only: bool = False
    """Refuse every mutation with READ_ONLY; reads and streams go on."""
    read_only_file: Path | None = None
    """While this file exists every mutation is refused; looked for on SIGHUP. Default: `read-only`
    in the data folder."""
    audit_file: Path | None = None
    """File for the audit trail of writes, a JSON object a line; a file that was moved away is
    followed by a new one. Unset: it goes to the log, under the logger `gateway.audit`."""
    aiocache_disable: str = Field("", validation_alias="AIOCACHE_DISABLE")
    """aiocache's own switch, which it heeds in every process; 1 is refused with Stripe, as nothing
    would be cached."""
    operation_timeout_seconds: float = Field(30.0, gt=0)
    """Seconds until a query is given up; mutations are never given up."""
    compiled_plans: bool = True
    """Whether operations are shown by compiled plans; off, graphql-core executes all of them, tens
    of times slower and to the same answers."""
    warm_answers: bool = True
    """Whether an answer is kept, and given again while nothing that it was made of has changed; up
    to 32 MiB of them."""
    federation: bool = False
    """Whether the schema is a subgraph of Apollo Federation 2: with `_entities` and `_service`, for
    a router that composes it with others."""
    stream_queue_max: int = Field(256, ge=1)
    """Events a subscriber may lag behind before it is told to resume."""
    stream_heartbeat_seconds: float = Field(15.0, gt=0)
    """Seconds of quiet before a stream sends a checkpoint."""
    retention_entries_max: int = Field(1_000_000, ge=1)
    """Events that the log keeps, of 600 bytes each; in memory at most 100,000."""
    retention_days: int = Field(30, ge=1)
    """Days that a durable log keeps events; Stripe lists its own for 30."""
    trusted_documents_file: Path | None = None
    """JSON manifest of documents that callers may name by their hash, and that some are restricted
    to; read again on SIGHUP."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

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
    def gives_console(self) -> bool:
        """The console needs no more than a caller's own rights, and is for people."""
        return self.console == "on" or (self.console == "auto" and not self.has_callers)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        return comma_separated(self.stripe_webhook_secrets.get_secret_value())

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
