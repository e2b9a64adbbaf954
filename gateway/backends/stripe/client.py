"""Stripe's API as two calls, `get` and `post`, over the SDK, with our one retry loop around both.

Every attempt is counted on the operation's meter, passes the account's rate budget, and reuses a
connection. A write is repeated only with the same idempotency key, and ends as exactly one of:
done, refused, certainly not sent, or unknown. It knows no noun of Stripe's.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

from gateway.backends.stripe.errors import Trouble, failed, is_stored, trouble_of, upstream_errors
from gateway.backends.stripe.rate_limit import RateBudget
from gateway.backends.stripe.retries import Breaker, BreakerOpen, Tries, ended, worth_another
from schema.ports import Failed, Meter

if TYPE_CHECKING:
    import aiohttp
    import stripe

STRIPE_VERSION = "2026-10-28.endive"
"""The version whose shapes the edge was written for; only detaching asks for another."""

ATTEMPTS_MAX = 3
"""More would only add to the load that made the first ones fail."""
BUDGET_SECONDS = 10.0
"""All attempts and waits of one call; a caller who waits longer has gone away."""
ATTEMPT_SECONDS = 10.0
"""Stripe answers within 1 s as a rule; a slow write is better waited for than doubted."""
CONNECT_SECONDS = 5.0
BACKOFF_SECONDS = 0.25
BACKOFF_SECONDS_MAX = 2.0
CONNECTIONS_MAX = 64
"""Stripe also limits how many requests run at once, and does not say how many."""
KEEPALIVE_SECONDS = 30.0
"""Short of the minute after which idle connections are usually closed by the other side."""

_PATH = re.compile(r"/v[12](/[A-Za-z0-9_-]+)+", re.ASCII)
_ID = re.compile(r"/(in|inpay|pi|pr|ch|py|cn|cus|evt)_\w+(?![^/])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pacing:
    """Time and chance, so that tests own both. `random` draws from 0 up to 1."""

    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True)
class PostResult:
    """Stripe's answer to a write. `stored` where it replayed what an earlier call had done, and
    `current` where it was made for this very request."""

    body: dict[str, Any] = field(repr=False)
    request_id: str | None
    stored: bool = False
    current: bool = True
    word: ClassVar[str] = "ok"


def always() -> bool:
    """For a request that may be sent at any time."""
    return True


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Mapping[str, Any] = field(repr=False)
    meter: Meter
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    may_go: Callable[[], bool] = always
    has_turn: bool = False

    @property
    def endpoint(self) -> str:
        """The path without ids, as Stripe's limits per endpoint count it."""
        return f"{self.method} {_ID.sub('/{id}', self.path)}"


Observe = Callable[[str, str], None]
"""Counts one attempt by its method and by how it ended: `ok`, or the word of a `Trouble`."""


def nobody_counts(method: str, ending: str) -> None:
    """For whoever needs no counts."""


class StripeApi:
    """One account at one API version. Connections are made lazily, inside the running loop."""

    def __init__(
        self,
        api_key: str,
        *,
        budget: RateBudget,
        pacing: Pacing,
        stripe_version: str = STRIPE_VERSION,
        api_base: str | None = None,
        budget_seconds: float = BUDGET_SECONDS,
        attempt_seconds: float = ATTEMPT_SECONDS,
        attempts_max: int = ATTEMPTS_MAX,
        observe: Observe = nobody_counts,
        http_client: stripe.HTTPClient | None = None,
    ) -> None:
        self.stripe_version = stripe_version
        self._api_key = api_key
        self._api_base = api_base
        self._budget = budget
        self._pacing = pacing
        self._budget_seconds = budget_seconds
        self._attempt_seconds = attempt_seconds
        self._attempts_max = attempts_max
        self._observe = observe
        self._http_client = http_client
        self._breaker = Breaker(pacing.monotonic)
        self._session: aiohttp.ClientSession | None = None
        self._client: stripe.StripeClient | None = None

    def __repr__(self) -> str:
        return f"StripeApi(stripe_version={self.stripe_version!r})"

    async def turn(self, path: str, meter: Meter, *, is_excusable: bool = False) -> None:
        """Wait until a `get` of this path may go, which must then be told that it `has_turn`: for
        who wants to know when the read begins. Raises `Failed` where it waits too long."""
        endpoint = _Request("get", path, {}, meter).endpoint
        await self._budget.admit(meter.caller, endpoint, is_excusable=is_excusable)

    def excuse(self, path: str, meter: Meter) -> None:
        """End the wait of all who are excusable and wait for a turn for paths like this one: they
        make no call."""
        self._budget.excuse(meter.caller, _Request("get", path, {}, meter).endpoint)

    async def get(
        self, path: str, params: Mapping[str, Any], meter: Meter, *, has_turn: bool = False
    ) -> dict[str, Any]:
        """Read one object or page. Safe to repeat; raises `Failed`."""
        tries = Tries(deadline=self._pacing.monotonic() + self._budget_seconds)
        request = _Request("get", path, params, meter, has_turn=has_turn)
        result = await self._send(request, tries)
        if result is None:
            raise failed(tries.last)
        return result.body

    async def post(
        self,
        path: str,
        params: Mapping[str, Any],
        meter: Meter,
        *,
        idempotency_key: str,
        version: str | None = None,
        may_go: Callable[[], bool] = always,
    ) -> PostResult:
        """Write once, however often it is sent: every attempt carries the same key.

        `may_go` is asked before each attempt, as a process may be stopped for a day in between.
        Raises `WriteRejected`, `WriteUnknown`, or `Refused` where nothing was done: retryable
        UPSTREAM_RATE_LIMITED and UPSTREAM_UNAVAILABLE.
        """
        options = {"idempotency_key": idempotency_key}
        if version is not None:
            options["stripe_version"] = version
        tries = Tries(deadline=self._pacing.monotonic() + self._budget_seconds)
        request = _Request("post", path, params, meter, options, may_go)
        try:
            result = await self._send(request, tries)
        except Failed as limited:
            raise ended(tries, limited) from None
        if result is None:
            raise ended(tries, None)
        return result

    async def close(self) -> None:
        """Let go of the connections. Idempotent; a later call makes new ones."""
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    async def _send(self, request: _Request, tries: Tries) -> PostResult | None:
        """The one retry loop; None where no further attempt is worth its while, and the tries say
        why. Raises `Failed` where a budget is used up."""
        while True:
            try:
                outcome = await self._breaker.run(partial(self._try, request, tries))
            except BreakerOpen as stopped:
                tries.add(stopped.trouble)
                return None
            if not isinstance(outcome, Trouble):
                return outcome
            wait = self._wait(request, tries)
            if wait is None:
                return None
            await self._pacing.sleep(wait)

    async def _try(self, request: _Request, tries: Tries) -> PostResult | Trouble | None:
        """One attempt within all budgets, or None for none; its trouble stands with the tries."""
        count = request.meter.count_read if request.method == "get" else request.meter.count_write
        count()
        if tries.count or not request.has_turn:
            await self._budget.admit(request.meter.caller, request.endpoint)
        left = tries.deadline - self._pacing.monotonic()
        if left <= 0 or not request.may_go():
            return None
        tries.count += 1
        outcome: PostResult | Trouble
        try:
            outcome = await self._attempt(request, min(left, self._attempt_seconds), tries.count)
        except upstream_errors() as error:
            outcome = trouble_of(error)
            tries.add(outcome)
        if request.method == "post":
            request.meter.count_answer(outcome.request_id)
        self._observe(request.method, outcome.word)
        return outcome

    async def _attempt(self, request: _Request, seconds: float, count: int) -> PostResult:
        if _PATH.fullmatch(request.path) is None:
            raise AssertionError("a path is built from constants and checked ids only")
        async with asyncio.timeout(seconds):
            response = await self._stripe().raw_request_async(
                request.method, request.path, **request.params, **request.options
            )
        if not isinstance(response.data, dict):
            raise TypeError("Stripe answers with objects")
        was_kept = is_stored(response.headers)
        return PostResult(
            response.data, response.request_id, was_kept and count == 1, current=not was_kept
        )

    def _wait(self, request: _Request, tries: Tries) -> float | None:
        """Seconds until the next attempt, or None where there is to be none.

        Full jitter below an exponential ceiling, and never earlier than Stripe asks for.
        """
        trouble = tries.last
        if tries.count >= self._attempts_max or not worth_another(request.method, trouble):
            return None
        ceiling = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2 ** (tries.count - 1))
        wait = max(self._pacing.random() * ceiling, float(trouble.retry_after_seconds or 0))
        fits = self._pacing.monotonic() + wait < tries.deadline
        return wait if fits else None

    def _stripe(self) -> stripe.StripeClient:
        """The SDK's client on our session or what was handed in, without retries: ours multiply."""
        if self._client is None:
            # Loaded with the first call: it takes as long as a tenth of the start.
            import stripe

            _silence()
            self._client = stripe.StripeClient(
                self._api_key,
                stripe_version=self.stripe_version,
                base_addresses={"api": self._api_base} if self._api_base else {},
                max_network_retries=0,
                http_client=self._http_client or self._own_http_client(stripe.ca_bundle_path),
            )
        return self._client

    def _own_http_client(self, ca_path: str) -> stripe.HTTPClient:
        """Connections that are kept and bounded; without cookies, as each call carries its key."""
        import aiohttp
        import stripe

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_SECONDS, ssl=_trusting(ca_path)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # It would send a read that got no answer once more by itself, past meter, budget and
        # breaker; aiohttp 3.14 has no public word for this, and a test fails if it is gone.
        self._session._retry_connection = False
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        return stripe.AIOHTTPClient(timeout=timeout, session=self._session)


@cache
def _silence() -> None:
    """Let the SDK tell nobody anything by itself."""
    import stripe

    # Telemetry writes a file into the home directory and tells Stripe about this machine.
    stripe.enable_telemetry = False
    # Below WARNING the SDK logs whole bodies, and with them client secrets; told to by the
    # environment (STRIPE_LOG) it prints them as well, past every logger.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    stripe._util.STRIPE_LOG = None


@cache
def _trusting(ca_path: str) -> ssl.SSLContext:
    """Read once in a process, as it takes ten milliseconds; it never changes."""
    return ssl.create_default_context(cafile=ca_path)
