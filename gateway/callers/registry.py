"""Everyone who may call, and who a token belongs to.

The clients can be replaced while the gateway runs; who was let in with an entry that has changed
is told to come again. Tokens are looked up by their hash and compared in constant time.
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.callers.clients import Client, digest_of
from gateway.callers.json_web_tokens import JsonWebTokens, TokenRefused
from schema.ports import Viewer

_UNKNOWN = "the token is not known here"


class Standing(enum.Enum):
    """What has become of a caller's rights since it was let in."""

    KEPT = enum.auto()
    CHANGED = enum.auto()
    REMOVED = enum.auto()


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose token is good. `digest` names the client's entry; None for a user's token."""

    viewer: Viewer
    origins: frozenset[str] = frozenset()
    expires_in_seconds: float | None = None
    digest: str | None = field(default=None, repr=False)


class Callers:
    """One per process."""

    def __init__(self, clients: tuple[Client, ...], tokens: JsonWebTokens | None = None) -> None:
        self._clients = clients
        self._tokens = tokens
        self._listeners: list[Callable[[], None]] = []

    @property
    def origins(self) -> frozenset[str]:
        """The pages that clients may call from."""
        return frozenset().union(*(client.origins for client in self._clients))

    async def identify(self, token: str) -> Caller:
        """Who bears this token. Raises `TokenRefused`, `KeysUnavailable`."""
        digest = digest_of(token)
        client = self._client(digest)
        if client is not None:
            return Caller(client.viewer, client.origins, digest=digest)
        if self._tokens is None or token.count(".") != 2:
            raise TokenRefused(_UNKNOWN)
        bearer = await self._tokens.read(token)
        return Caller(bearer.viewer, expires_in_seconds=bearer.expires_in_seconds)

    def standing(self, caller: Caller) -> Standing:
        """Whether a caller that was let in would be let in the same way now."""
        if caller.digest is None:
            return Standing.KEPT
        client = self._client(caller.digest)
        if client is None:
            return Standing.REMOVED
        same = (client.viewer, client.origins) == (caller.viewer, caller.origins)
        return Standing.KEPT if same else Standing.CHANGED

    def replace(self, clients: tuple[Client, ...]) -> None:
        """From now on these are the clients; whoever listens looks after those let in before."""
        self._clients = clients
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call after every replacement."""
        self._listeners.append(listener)

    def _client(self, digest: str) -> Client | None:
        """Every entry is compared, in constant time, so that the time tells nothing."""
        found = None
        for client in self._clients:
            for known in client.digests:
                if hmac.compare_digest(known, digest):
                    found = client
        return found
