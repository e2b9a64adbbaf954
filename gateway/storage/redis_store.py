"""One Redis, reached with bounded waits, its errors translated, and checked before it is trusted.

Nothing is sent twice by itself: a repeat of a write is for those to decide who know what it does.
Connections that Redis has closed are opened again by the next command. The URL may hold a
password and is never part of a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.storage import StoreRefused, StoreUnavailable

SECONDS_MAX = 2.0
"""For each step of a command; a Redis nearby answers in a millisecond, and webhooks must be
answered in seconds."""
CONNECTIONS_MAX = 32
"""Commands at once; more of them wait for their turn."""
PREFIX = "gateway"


class RedisStore:
    """Commands and scripts on keys of one deployment. `prefix` parts those that share a Redis."""

    def __init__(self, client: Any, prefix: str, seconds_max: float) -> None:
        self.seconds_max = seconds_max
        self._client = client
        self._prefix = prefix

    @classmethod
    def connect(
        cls, url: str, *, prefix: str = PREFIX, seconds_max: float = SECONDS_MAX
    ) -> RedisStore:
        """Prepares a client; nothing is sent yet. Raises `StoreRefused` for what is no URL."""
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=seconds_max,
                socket_connect_timeout=seconds_max,
                socket_timeout=seconds_max,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        except ValueError:
            raise StoreRefused(
                "GATEWAY_REDIS_URL is no URL of a Redis: write it like "
                "redis://:password@host:6379/0, or rediss:// for TLS."
            ) from None
        return cls(Redis(connection_pool=pool), prefix, seconds_max)

    def key(self, name: str) -> str:
        """A key of ours. The braces keep all of them on one node of a cluster."""
        return f"{{{self._prefix}}}:{name}"

    async def command(self, *words: str | int) -> Any:
        """What Redis answers. Raises `StoreUnavailable`."""
        return await self.within(self._client.execute_command(*words))

    def script(self, source: str) -> Callable[..., Awaitable[Any]]:
        """Lua that Redis runs as one step, sent again where Redis has forgotten it; given its keys
        and then its arguments. Raises `StoreUnavailable`."""
        script = self._client.register_script(source)

        async def run(keys: Sequence[str], *arguments: str | int) -> Any:
            return await self.within(script(keys=keys, args=arguments))

        return run

    async def within(self, work: Awaitable[Any]) -> Any:
        """The client's errors become one of ours, and waits end, whatever the network does."""
        try:
            async with asyncio.timeout(2 * self.seconds_max):
                return await work
        except (RedisError, OSError) as trouble:
            raise StoreUnavailable(f"Redis: {type(trouble).__name__}: {trouble}") from trouble

    async def check_server(self, *, allow_loss: bool = False) -> None:
        """Whether this Redis keeps what it is given. Raises `StoreRefused`, `StoreUnavailable`.

        INFO is asked and not CONFIG, which hosted servers keep to themselves.
        """
        problems = _problems(await self.command("INFO"), allow_loss=allow_loss)
        if problems:
            raise StoreRefused("\n".join(problems))

    async def close(self) -> None:
        """Let go of the connections. Idempotent."""
        await self._client.aclose()
        await self._client.connection_pool.disconnect()


def _problems(info: dict[str, Any], *, allow_loss: bool) -> list[str]:
    found = []
    policy = info.get("maxmemory_policy", "unknown")
    if info.get("role") == "slave":
        found.append(
            "The Redis of GATEWAY_REDIS_URL is a replica and takes no writes. Give the URL of its "
            "primary."
        )
    if not allow_loss and info.get("maxmemory") != 0 and policy != "noeviction":
        found.append(
            f"The Redis of GATEWAY_REDIS_URL may evict events when its memory is full "
            f"(maxmemory-policy {policy}). Set maxmemory-policy to noeviction, or accept the loss "
            "with GATEWAY_REDIS_ALLOW_LOSS=true."
        )
    if not allow_loss and info.get("aof_enabled") != 1:
        found.append(
            "The Redis of GATEWAY_REDIS_URL keeps no append-only file, so a restart would lose "
            "events. Set appendonly to yes, or accept the loss with GATEWAY_REDIS_ALLOW_LOSS=true."
        )
    return found
