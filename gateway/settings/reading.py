"""Reads the settings from the environment, and refuses them in sentences that tell no secret."""

from __future__ import annotations

from pydantic import ValidationError

from gateway.settings.checks import findings
from gateway.settings.fields import PREFIX, Settings, variable_of


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
    problems = [finding.sentence for finding in findings(settings)]
    if problems:
        raise SettingsRefused("\n".join(problems))
    return settings


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
