"""Everyone who may call, who a token belongs to, and what is open with a client's rights.

The clients can be replaced while the gateway runs; who was let in with an entry that has changed
is told to come again. Tokens are looked up by their hash.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.callers import Grant, TokenRefused
from gateway.callers.clients import Client, digest_of

if TYPE_CHECKING:
    from gateway.callers.json_web_tokens import JsonWebTokens


class Standing(enum.Enum):
    """What has become of the rights of a caller since it was let in, if they are not kept."""

    CHANGED = enum.auto()
    REMOVED = enum.auto()


End = Callable[[Standing], None]
"""Ends a socket or a stream at once; must not raise."""


class Callers:
    """One per process."""

    def __init__(
        self, clients: tuple[Client, ...] = (), tokens: JsonWebTokens | None = None
    ) -> None:
        self._clients = clients
        self._by_digest = _by_digest(clients)
        self._tokens = tokens
        self._open: set[Joined] = set()

    @property
    def origins(self) -> frozenset[str]:
        """The pages that clients may call from."""
        return frozenset().union(*(client.origins for client in self._clients))

    async def identify(self, token: str) -> Grant:
        """Who bears this token. Raises `TokenRefused`, `KeysUnavailable`."""
        digest = digest_of(token)
        client = self._by_digest.get(digest)
        if client is not None:
            return Grant(
                client.viewer, origins=client.origins, digest=digest, reading=self._clients
            )
        if self._tokens is None or token.count(".") != 2:
            raise TokenRefused("the token is not known here")
        return await self._tokens.read(token)

    def still(self, grant: Grant) -> bool:
        """Whether it is of the clients that there are now; a user's token has to be read again."""
        return grant.digest is not None and grant.reading is self._clients

    def joined(self, grant: Grant, end: End) -> Joined:
        """Be ended, while inside, when the caller's rights are changed or gone."""
        return Joined(self, grant, end)

    def replace(self, clients: tuple[Client, ...]) -> None:
        """From now on these are the clients, also for what is open already."""
        self._clients = clients
        self._by_digest = _by_digest(clients)
        for one in list(self._open):
            self._review(one)

    def enter(self, joined: Joined) -> None:
        self._open.add(joined)
        self._review(joined)  # The rights may have gone since they were read.

    def leave(self, joined: Joined) -> None:
        self._open.discard(joined)

    def _review(self, joined: Joined) -> None:
        grant, end = joined.grant, joined.end
        if grant.digest is None:
            return
        client = self._by_digest.get(grant.digest)
        if client is None:
            end(Standing.REMOVED)
        elif (client.viewer, client.origins) != (grant.viewer, grant.origins):
            end(Standing.CHANGED)


class Joined:
    """What is open with a caller's rights. Small, as every open socket holds one."""

    __slots__ = ("_callers", "end", "grant")

    def __init__(self, callers: Callers, grant: Grant, end: End) -> None:
        self._callers = callers
        self.grant = grant
        self.end = end

    def __enter__(self) -> None:
        self._callers.enter(self)

    def __exit__(self, *_: object) -> None:
        self._callers.leave(self)


def _by_digest(clients: tuple[Client, ...]) -> dict[str, Client]:
    """How long a look takes tells at most of the hash, from which no token can be found."""
    return {digest: client for client in clients for digest in client.digests}
