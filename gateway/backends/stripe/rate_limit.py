"""One budget of calls per Stripe account, shared fairly by all callers.

`Tokens` says whether a call may go now; `RateBudget` lets those that may not wait their turn, the
callers in rotation, so that one caller's flood delays nobody else, and for a bounded time only.
The gateway's own reads go before clients', who also leave a share of the allowance untouched for
them: a webhook that waits too long has to come again.
Written here because no limiter on PyPI rotates between callers: aiolimiter 1.3 and pyrate-limiter
4.5 each serve one line of waiters. It sends nothing.
Source: https://docs.stripe.com/rate-limits, read in November 2026.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from schema.ports import ErrorCode, Failed

ACCOUNT_PER_SECOND_LIVE = 100.0
ACCOUNT_PER_SECOND_TEST = 25.0
ENDPOINT_PER_SECOND = 25.0
"""What Stripe allows by default, for an account in each mode and for one endpoint of it."""

WAIT_SECONDS_MAX = 5.0
"""Half of what a call may take altogether: who has waited longer is better told."""
WAITING_PER_CALLER_MAX = 500
"""Several full operations of one caller; beyond that it is a flood."""
SYSTEM_WAIT_SECONDS_MAX = 15.0
"""A webhook may wait longer than a client: with what follows it is still answered in time."""
SYSTEM_WAITING_MAX = 2_000
"""One for each invoice that events are about at once."""
LEFT_FREE = 0.2
"""The part of a full bucket that clients' calls leave to the gateway's own."""
SYSTEM_CALLER = "the gateway"
"""The line of the gateway's own reads: those that webhooks and catch-up need. It goes first, so it
has a name that no tenant can have: theirs have no spaces."""
SYSTEM_TURNS = 4
"""Turns of the gateway's own reads before each of a client's: the rest of five stays with them."""
PAUSE_SECONDS_MIN = 0.005
"""The line is looked at no more often than this."""


class Tokens(Protocol):
    """The allowance of one account and of each of its endpoints."""

    async def take(self, endpoint: str, left_free: float = 0.0) -> float:
        """Take one of each: 0 when they were there, else the seconds until they may be.

        Takes both or none, and none of what makes up the part of a full bucket that is to be
        `left_free`. Never raises.
        """
        ...


@dataclass(slots=True)
class _Bucket:
    """Fills steadily up to one second's worth, as Stripe's own limiter does, and at least one."""

    per_second: float
    held: float
    seen: float

    def fill(self, now: float, left_free: float) -> float:
        """Bring it up to now; the seconds until it holds one more than what is to be left."""
        full = max(1.0, self.per_second)
        self.held = min(full, self.held + (now - self.seen) * self.per_second)
        self.seen = now
        needed = 1.0 + min(left_free * full, full - 1.0)
        return max(0.0, (needed - self.held) / self.per_second)


class LocalTokens:
    """The whole allowance for this process; for several replicas, give each its share."""

    def __init__(
        self,
        *,
        account_per_second: float,
        endpoint_per_second: float = ENDPOINT_PER_SECOND,
        monotonic: Callable[[], float],
    ) -> None:
        self._monotonic = monotonic
        self._endpoint_per_second = endpoint_per_second
        self._account = _Bucket(account_per_second, max(1.0, account_per_second), monotonic())
        self._endpoints: dict[str, _Bucket] = {}

    async def take(self, endpoint: str, left_free: float = 0.0) -> float:
        now = self._monotonic()
        bucket = self._endpoints.get(endpoint)
        if bucket is None:
            rate = self._endpoint_per_second
            bucket = self._endpoints[endpoint] = _Bucket(rate, max(1.0, rate), now)
        wait = max(self._account.fill(now, left_free), bucket.fill(now, left_free))
        if wait <= 0:
            self._account.held -= 1
            bucket.held -= 1
        return wait


@dataclass(frozen=True, slots=True)
class _Waiter:
    turn: asyncio.Future[None]
    deadline: float
    is_excusable: bool = False


Lines = OrderedDict[str, deque[_Waiter]]
"""One caller's waiters per endpoint, first in first out; in the order of their next turn."""


class RateBudget:
    """One per account and process; `sleep` and `monotonic` own its time."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
        wait_seconds_max: float = WAIT_SECONDS_MAX,
        system_wait_seconds_max: float = SYSTEM_WAIT_SECONDS_MAX,
        waiting_per_caller_max: int = WAITING_PER_CALLER_MAX,
    ) -> None:
        self._tokens = tokens
        self._sleep = sleep
        self._monotonic = monotonic
        self._wait_seconds_max = wait_seconds_max
        self._system_wait_seconds_max = system_wait_seconds_max
        self._waiting_per_caller_max = waiting_per_caller_max
        self._callers: OrderedDict[str, Lines] = OrderedDict()
        self._serving: asyncio.Task[None] | None = None
        self._system_turns = 0

    async def admit(self, caller: str, endpoint: str, *, is_excusable: bool = False) -> None:
        """Return when the call may go. Raises `Failed` UPSTREAM_RATE_LIMITED after a bounded
        wait, or at once where the caller has too many waiting. Nothing is taken in that case. The
        wait of one that is excusable may be ended by `excuse`."""
        if self._may_pass(caller) and await self._take(caller, endpoint) <= 0:
            if self._callers:
                self._system_turns += 1
            return
        await self._queue(caller, endpoint, is_excusable=is_excusable)

    def excuse(self, caller: str, endpoint: str) -> None:
        """Let go all that wait in this line and are excusable: another call answers what they were
        for, and nothing is taken for them."""
        lines = self._callers.get(caller) or OrderedDict()
        for waiter in lines.get(endpoint, ()):
            if waiter.is_excusable and not waiter.turn.done():
                waiter.turn.set_result(None)

    def _may_pass(self, caller: str) -> bool:
        """Whether it need not stand in line: a call of the gateway's own passes clients, so many
        times before each of theirs."""
        if caller != SYSTEM_CALLER or not self._callers:
            return not self._callers
        return SYSTEM_CALLER not in self._callers and self._system_turns < SYSTEM_TURNS

    def _take(self, caller: str, endpoint: str) -> Awaitable[float]:
        """Take from the allowance. What clients leave free is theirs as well where it is their turn
        and the gateway's own calls are waiting, or they would never get any."""
        is_turn = SYSTEM_CALLER in self._callers and self._system_turns >= SYSTEM_TURNS
        left_free = 0.0 if caller == SYSTEM_CALLER or is_turn else LEFT_FREE
        return self._tokens.take(endpoint, left_free)

    def waiting(self, caller: str) -> int:
        """How many calls of this caller wait for their turn."""
        return sum(len(line) for line in self._callers.get(caller, {}).values())

    def _queue(self, caller: str, endpoint: str, *, is_excusable: bool) -> asyncio.Future[None]:
        is_system = caller == SYSTEM_CALLER
        waiting_max = SYSTEM_WAITING_MAX if is_system else self._waiting_per_caller_max
        if self.waiting(caller) >= waiting_max:
            raise _too_busy()
        seconds = self._system_wait_seconds_max if is_system else self._wait_seconds_max
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lines = self._callers.setdefault(caller, OrderedDict())
        line = lines.setdefault(endpoint, deque())
        line.append(_Waiter(turn, self._monotonic() + seconds, is_excusable))
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        return turn

    async def _serve(self) -> None:
        """Give out turns until nobody waits."""
        try:
            while self._callers:
                pause = await self._round()
                if self._callers:
                    await self._sleep(max(pause, PAUSE_SECONDS_MIN))
        finally:
            self._serving = None
            # Nobody is left waiting for turns that no one gives out any more.
            self._send_away(math.inf)

    async def _round(self) -> float:
        """Give one turn after the other while any endpoint has room.

        Returns the seconds until the first of the endpoints may have room again.
        """
        full: dict[tuple[bool, str], float] = {}
        self._send_away(self._monotonic())
        while await self._serve_one(full):
            self._send_away(self._monotonic())
        return min(full.values(), default=0.0)

    async def _serve_one(self, full: dict[tuple[bool, str], float]) -> bool:
        """Whether there was room for the next caller, on the first of its endpoints with room: what
        is full for clients may not be so for the gateway's own."""
        for caller in self._in_turn():
            is_system = caller == SYSTEM_CALLER
            for endpoint in list(self._callers.get(caller, {})):
                if (is_system, endpoint) in full:
                    continue
                wait = await self._take(caller, endpoint)
                if wait <= 0:
                    self._give(caller, endpoint)
                    return True
                full[is_system, endpoint] = wait
        return False

    def _in_turn(self) -> list[str]:
        """Who is next: the gateway itself up to so many times, then whoever has waited longest."""
        is_first = self._system_turns < SYSTEM_TURNS
        own = [SYSTEM_CALLER] if SYSTEM_CALLER in self._callers else []
        clients = [one for one in self._callers if one != SYSTEM_CALLER]
        return [*own, *clients] if is_first else [*clients, *own]

    def _give(self, caller: str, endpoint: str) -> None:
        """Hand the turn to who has waited longest, and put the caller and endpoint at the end."""
        lines = self._callers[caller]
        line = lines[endpoint]
        while line and line[0].turn.done():
            line.popleft()
        if line:
            line.popleft().turn.set_result(None)
        lines.move_to_end(endpoint)
        self._callers.move_to_end(caller)
        self._system_turns = self._system_turns + 1 if caller == SYSTEM_CALLER else 0
        self._tidy(caller, endpoint)

    def _send_away(self, until: float) -> None:
        """Who has waited until then, or has gone; they stand first in their lines."""
        for caller, lines in list(self._callers.items()):
            for endpoint, line in list(lines.items()):
                while line and (line[0].turn.done() or line[0].deadline <= until):
                    waiter = line.popleft()
                    if not waiter.turn.done():
                        waiter.turn.set_exception(_too_busy())
                self._tidy(caller, endpoint)

    def _tidy(self, caller: str, endpoint: str) -> None:
        lines = self._callers[caller]
        if not lines[endpoint]:
            del lines[endpoint]
        if not lines:
            del self._callers[caller]


def _too_busy() -> Failed:
    return Failed(
        ErrorCode.UPSTREAM_RATE_LIMITED,
        "too many calls to Stripe are waiting: repeat in 1 s",
        retryAfterSeconds=1,
    )
