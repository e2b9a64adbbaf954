"""The page that documents every setting."""

from __future__ import annotations

from gateway.settings.fields import Settings, variable_of


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
