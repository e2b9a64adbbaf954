"""Settings, read once from the environment into one frozen object.

Each has a unit, a default and a reason. What cannot work together is refused at start, in a
sentence that says which setting, what is wrong and how to mend it.
"""

from gateway.settings.environment import (
    SettingsRefused,
    findings,
    parsed_settings,
    read_settings,
    variable_of,
    without_effect,
)
from gateway.settings.parts import Limits, TokenSettings, WebSettings
from gateway.settings.settings import Settings

__all__ = [
    "Limits",
    "Settings",
    "SettingsRefused",
    "TokenSettings",
    "WebSettings",
    "findings",
    "parsed_settings",
    "read_settings",
    "variable_of",
    "without_effect",
]
