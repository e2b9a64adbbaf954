"""One call of the API on its way through the sandbox, and the operation that answers it. Plain."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.parameters import CURSORS, EXPAND, Table


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation is asked: the ids of its path, its checked parameters, and for whom."""

    ids: Mapping[str, str]
    params: Mapping[str, Any]
    request: Request
    version: str

    @property
    def id(self) -> str:
        """The one id of the path."""
        return next(iter(self.ids.values()))

    def picked(self, *names: str) -> dict[str, Any]:
        """The parameters of these names that were given."""
        return {name: self.params[name] for name in names if name in self.params}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list, of records or of objects that are printed already."""

    url: str
    items: list[Any]
    has_more: bool


Run = Callable[[Account, Call], Any]
"""Does what is asked; answers a record, a `Listed`, or an object that is printed already."""


@dataclass(frozen=True)
class Operation:
    """One operation of the API. `answers` is Stripe's name of the object, or of a list's members.

    `preview` operations do not exist for other versions.
    """

    method: str
    path: str
    answers: str
    run: Run
    takes: Table = field(default_factory=dict)
    is_list: bool = False
    preview: bool = False

    @cached_property
    def parameters(self) -> Table:
        return {**EXPAND, **(CURSORS if self.is_list else {}), **self.takes}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))

    def ids_in(self, method: str, path: str) -> dict[str, str] | None:
        """The ids in this path; None where it is not the path of this operation."""
        match = self._pattern.fullmatch(path) if method == self.method else None
        return None if match is None else match.groupdict()
