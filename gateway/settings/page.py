"""Prints the page that documents every setting, with its unit and its reason."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise

from pydantic import BaseModel

from gateway.settings.environment import variable_of
from gateway.settings.parts import Limits, TokenSettings, WebSettings
from gateway.settings.settings import Settings

PARTS: dict[type[BaseModel], str] = {
    Settings: "The process, its backend and its stores",
    WebSettings: "HTTP, WebSocket and event streams",
    Limits: "Limits of documents",
    TokenSettings: "Users' tokens",
}
"""The groups of settings, as the page has them."""


def settings_page() -> str:
    """The page; a test holds the committed one against it."""
    head = (
        "# Settings\n\n"
        "Read once at start, from the environment. What cannot work together is refused with a\n"
        "sentence that says how to mend it; `invoice-gateway doctor` says it without starting.\n"
    )
    return head + "".join(map(_section, PARTS))


def _section(group: type[BaseModel]) -> str:
    others = {name for part in list(PARTS)[1:] for name in part.model_fields}
    said = reasons(group)
    rows = [
        f"| `{variable_of(name)}` | {_default(field.default)} | {said[name]} |\n"
        for name, field in group.model_fields.items()
        if not field.exclude and (group is not Settings or name not in others)
    ]
    head = "| variable | default | unit and reason |\n| --- | --- | --- |\n"
    return f"\n## {PARTS[group]}\n\n{head}{''.join(rows)}"


def reasons(group: type[BaseModel]) -> dict[str, str]:
    """What stands below each setting of the group itself, in its module. pydantic could read it as
    well, but at every start."""
    (made,) = ast.parse(inspect.getsource(group)).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for setting, below in pairwise(made.body):
        if isinstance(setting, ast.AnnAssign) and isinstance(setting.target, ast.Name):
            assert isinstance(below, ast.Expr), setting.target.id
            found[setting.target.id] = " ".join(ast.literal_eval(below.value).split())
    return found


def _default(value: object) -> str:
    return "unset" if value is None or value in ("", ()) else f"`{value}`"
