"""Kinds of fields in groups of settings: constants beside what an operator sets, and lists."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode


class Group(BaseModel):
    """Settings that one part of the gateway is given, under the names that all of it knows."""

    model_config = ConfigDict(frozen=True)


def constant(value: Any, reason: str) -> Any:
    """A ceiling or a time that no operator has a reason to turn, so that no variable sets it.

    It stands among the settings for those who read both, and for tests that cannot wait.
    """
    return Field(value, description=reason, exclude=True)


def comma_separated(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(filter(None, (one.strip() for one in text.split(","))))


def _words(value: object) -> object:
    return comma_separated(value) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
"""In the environment one text, with commas between the words."""
