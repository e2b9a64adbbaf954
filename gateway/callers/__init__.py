"""Who may call: clients with tokens from a file, and users with JSON Web Tokens. And what they may
spend, which `budgets` counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from schema.ports import Viewer


@dataclass(frozen=True, slots=True)
class Grant:
    """A caller who was let in. `expires_in_seconds` ends sockets and streams; None: never.

    `origins` are the pages it may be used by, if not by all. `digest` names the client's entry,
    which may change while a socket is open; None for a user's token.
    """

    viewer: Viewer
    expires_in_seconds: float | None = None
    origins: frozenset[str] = frozenset()
    digest: str | None = field(default=None, repr=False)


class TokenRefused(Exception):
    """The token is no good; the message may be told to its bearer."""


class KeysUnavailable(Exception):
    """The keys cannot be had now, so nobody can tell whether a token is good."""


CALLERS_MAX = 10_000
"""Callers whose spending one process keeps; who has been quiet for a minute has spent nothing."""


@dataclass(frozen=True, slots=True)
class Spent:
    """How a budget stands after an operation has asked for its cost.
    `retry_after_seconds` is None when it was granted, and when it never can be."""

    granted: bool
    limit: int
    remaining: int
    resets_in_seconds: int
    retry_after_seconds: int | None = None


class Budget(Protocol):
    """Everybody's budgets."""

    async def spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        """Take `cost` from what the caller has left, or nothing if that is less. Never raises."""
        ...
