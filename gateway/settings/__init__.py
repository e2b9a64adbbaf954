"""Settings, read once from the environment into one frozen object.

Each has a unit, a default and a reason. What cannot work together is refused at start, in a
sentence that says which setting, what is wrong and how to mend it.
"""

from gateway.settings.checks import findings
from gateway.settings.fields import Settings, variable_of
from gateway.settings.page import settings_page
from gateway.settings.reading import SettingsRefused, read_settings

__all__ = [
    "Settings",
    "SettingsRefused",
    "findings",
    "read_settings",
    "settings_page",
    "variable_of",
]
