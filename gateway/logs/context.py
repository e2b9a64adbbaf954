"""What every line tells of the request at hand, so that no log call has to repeat it.

It belongs to the task that handles the request and to those that it starts, as `contextvars` do.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=MappingProxyType({}))


def told_of_request() -> Mapping[str, str]:
    """The fields of this task's lines."""
    return _FIELDS.get()


def tell_from_here(**fields: str) -> None:
    """From now on this task's lines have these fields, and no others from before."""
    _FIELDS.set(fields)
