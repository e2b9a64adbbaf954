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
    stream_queue_max: int = Field(
        256, ge=1, description="Events a subscriber may lag behind before it is told to resume."
    )
    stream_heartbeat_seconds: float = Field(
        15.0, gt=0, description="Seconds of quiet before a stream sends a checkpoint."
    )
    log_entries_max: int = Field(
        100_000, ge=1, description="Events that the memory log keeps; about 600 bytes each."
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
    if settings.backend == "stripe":
        found.append(
            Finding(
                "The stripe backend is not part of this version.",
                "Use --backend memory, which needs no key.",
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
