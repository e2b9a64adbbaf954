"""Reads the settings from the environment, and refuses them in sentences that tell no secret.

It also prints the page that documents them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gateway.settings.checks import findings
from gateway.settings.fields import PREFIX, Settings
from gateway.settings.groups import Limits, TokenSettings, WebSettings

_CONSTANT = "is a constant now"
REMOVED = {
    "GATEWAY_CACHE_ENTRIES_MAX": "follows GATEWAY_CACHE_BYTES_MAX now",
    "GATEWAY_DIRECTIVES_MAX": _CONSTANT,
    "GATEWAY_DIRECTIVES_PER_LOCATION_MAX": _CONSTANT,
    "GATEWAY_INPUT_DEPTH_MAX": _CONSTANT,
    "GATEWAY_LOG_ENTRIES_MAX": "follows GATEWAY_RETENTION_ENTRIES_MAX now",
}
"""Variables of earlier versions, and what has become of each."""


PARTS: dict[type[BaseModel], str] = {
    Settings: "The process, its backend and its stores",
    WebSettings: "HTTP, WebSocket and event streams",
    Limits: "Limits of documents",
    TokenSettings: "Users' tokens",
}
"""The groups of settings, as the page has them."""


class SettingsRefused(Exception):
    """One or more settings are wrong; the message says which, what and how to mend it."""


def read_settings(**overrides: object) -> Settings:
    """The settings from the environment, with what the command line says on top.

    Raises `SettingsRefused`.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsRefused("\n".join(_sentence(one) for one in error.errors())) from error
    if problems := findings(settings):
        raise SettingsRefused("\n".join(problems))
    return settings


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


def settings_page() -> str:
    """The page that documents every setting; a test holds the committed one against it."""
    head = (
        "# Settings\n\n"
        "Read once at start, from the environment. What cannot work together is refused with a\n"
        "sentence that says how to mend it; `invoice-gateway doctor` says it without starting.\n"
    )
    return head + "".join(map(_section, PARTS))


def _section(group: type[BaseModel]) -> str:
    others = {name for part in list(PARTS)[1:] for name in part.model_fields}
    rows = [
        f"| `{variable_of(name)}` | {_default(field.default)} | {_reason(field)} |\n"
        for name, field in group.model_fields.items()
        if not field.exclude and (group is not Settings or name not in others)
    ]
    head = "| variable | default | unit and reason |\n| --- | --- | --- |\n"
    return f"\n## {PARTS[group]}\n\n{head}{''.join(rows)}"


def _reason(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _default(value: object) -> str:
    return "unset" if value is None or value in ("", ()) else f"`{value}`"


def _sentence(error: object) -> str:
    assert isinstance(error, dict)
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
