"""Who may call: clients with tokens from a file, and users with JSON Web Tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from schema.ports import Viewer


@dataclass(frozen=True, slots=True)
class Grant:
    """A caller who was let in. `expires_in_seconds` ends sockets and streams; None: never.

    `origins` are the pages it may be used by, if not by all. `digest` names the client's entry,
    which may change while a socket is open; None for a user's token. `reading` is the reading of
    the clients that it is from.
    """

    viewer: Viewer
    expires_in_seconds: float | None = None
    origins: frozenset[str] = frozenset()
    digest: str | None = field(default=None, repr=False)
    reading: object = field(default=None, repr=False, compare=False)


class TokenRefused(Exception):
    """The token is no good; the message may be told to its bearer."""


class KeysUnavailable(Exception):
    """The keys cannot be had now, so nobody can tell whether a token is good."""
