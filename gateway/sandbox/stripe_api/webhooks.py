"""Events, the endpoints that ask for them, and the signed webhooks that are sent there.

An event is printed once, when it happens, kept for a while, and listed. What an update changed is
found by printing the object as it was and as it is, so that the names and the nesting of
`previous_attributes` are those of the API; includable fields are in no event. Deliveries to one
endpoint keep the order of the events, save for those that failed and come again. Delays between
retries are the only place where the sandbox waits by the wall clock.
Source: https://docs.stripe.com/api/events, https://docs.stripe.com/api/webhook_endpoints and
https://docs.stripe.com/webhooks (signatures, retries), 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from gateway.backends.memory.twin import EVENTS_KEPT_MAX, TwinEvent
from gateway.sandbox.stripe_api.account import Account, StoredEvent, WebhookEndpoint
from gateway.sandbox.stripe_api.api_call import Call, page_of
from gateway.sandbox.stripe_api.api_errors import exclusive, invalid
from gateway.sandbox.stripe_api.faults import FaultKind
from gateway.sandbox.stripe_api.rendering import render
from gateway.stripe_objects.writing import deleted

RETRY_DELAYS_SECONDS = (1.0, 5.0, 25.0)
"""Stripe retries a test account three times over hours; a sandbox must not take that long."""
TIMEOUT_SECONDS = 10.0
"""Stripe states none; others saw 10 to 30 seconds."""
DELIVERIES_KEPT_MAX = 1_000
WITHHELD_MAX = 10_000
UNDER_WAY_MAX = 10_000
"""Beyond it events are only listed: a receiver that is down must not fill memory."""
ENDPOINTS_MAX = 16
"""Per account. Source: https://docs.stripe.com/webhooks."""
NOT_BY_NAME = frozenset({"invoice_payment.detached"})
"""Types of events that no endpoint can ask for by name; `*` is the way.

Source: the changelog of stripe-node 22.4.0-beta.1 (2026-06-24.preview).
"""
TYPES_MAX = 20
"""How many `types` one list takes."""


class EventBook:
    """Takes the twin's events in, prints them, and hands each to the sender of webhooks."""

    def __init__(
        self, account: Account, version: str, announce: Callable[[StoredEvent], None]
    ) -> None:
        self._account = account
        self._version = version
        self._announce = announce
        for event in account.twin.events:
            self._store(event)

    def take(self, event: TwinEvent) -> None:
        stored = self._store(event)
        endpoints = self._account.webhook_endpoints
        stored.waiting.update(one.id for one in endpoints if one.wants(event.type))
        self._announce(stored)

    def _store(self, event: TwinEvent) -> StoredEvent:
        subject, account = event.object, self._account
        content: dict[str, Any] = {"object": render(account, subject)}
        kept_before = account.replaced.pop(subject.id, None)
        if event.type.endswith(".updated"):
            before = render(account, replace(subject, **dict(event.previous)), kept_before)
            content["previous_attributes"] = difference(before, content["object"])
        body: dict[str, Any] = {
            "id": event.id,
            "object": "event",
            "api_version": self._version,
            "created": event.created,
            "data": content,
            "livemode": account.twin.livemode,
            "request": asdict(event.request),
            "type": event.type,
        }
        stored = StoredEvent(event.id, event.created, event.type, orjson.dumps(body))
        account.events.put(stored)
        if len(account.events) > EVENTS_KEPT_MAX:
            account.events.remove(next(iter(account.events)).id)
        return stored


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What stood in `before` where `after` differs; within a hash only what changed in it."""
    found: dict[str, Any] = {}
    for name, value in before.items():
        now = after.get(name)
        if value == now:
            continue
        if isinstance(value, dict) and isinstance(now, dict):
            found[name] = difference(value, now)
        else:
            found[name] = value
    return found


def list_events(account: Account, call: Call) -> dict[str, Any]:
    kind, kinds = call.params.get("type"), call.params.get("types")
    if kind is not None and kinds is not None:
        raise exclusive("type", "types", param="types")
    if kinds is not None and len(kinds) > TYPES_MAX:
        raise invalid(f"You can give at most {TYPES_MAX} types.", "types")
    patterns = kinds if kinds is not None else [kind] if kind is not None else ["*"]
    delivered = call.params.get("delivery_success")

    def check(event: StoredEvent) -> bool:
        if delivered is not None and delivered == bool(event.waiting):
            return False
        return any(fnmatchcase(event.type, pattern) for pattern in patterns)

    return page_of(account, call, "event", check)


def create(account: Account, call: Call) -> dict[str, Any]:
    """The endpoint with its secret, which is shown this once."""
    if len(account.webhook_endpoints) >= ENDPOINTS_MAX:
        raise invalid(f"You have reached the maximum of {ENDPOINTS_MAX} endpoints.", None)
    given = call.params
    endpoint = WebhookEndpoint(
        **account.fresh("we", given),
        url=_url(given["url"]),
        secret=account.twin.new_id("whsec"),
        enabled_events=_events(given["enabled_events"]),
        api_version=given.get("api_version"),
        description=given.get("description"),
    )
    account.webhook_endpoints.put(endpoint)
    return {**render(account, endpoint), "secret": endpoint.secret}


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url")
    return url


def _events(names: list[str]) -> tuple[str, ...]:
    for at, name in enumerate(names):
        if name in NOT_BY_NAME or (name != "*" and "." not in name):
            raise invalid(f"Invalid enabled_events[{at}]: {name}", f"enabled_events[{at}]")
    if not names:
        raise invalid("Invalid array: enabled_events must not be empty", "enabled_events")
    return tuple(names)


def update(account: Account, call: Call) -> WebhookEndpoint:
    endpoint: WebhookEndpoint = account.get("webhook_endpoint", call.id)
    given, changes = call.params, call.changes(endpoint.metadata, "description")
    if "url" in given:
        changes["url"] = _url(given["url"])
    if "enabled_events" in given:
        changes["enabled_events"] = _events(given["enabled_events"])
    if "disabled" in given:
        changes["enabled"] = not given["disabled"]
    changed = replace(endpoint, **changes)
    account.webhook_endpoints.put(changed)
    return changed


def delete(account: Account, call: Call) -> dict[str, Any]:
    endpoint = account.get("webhook_endpoint", call.id)
    account.webhook_endpoints.remove(endpoint.id)
    return deleted("webhook_endpoint", endpoint.id)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt: `status` None where no answer came."""

    endpoint_id: str
    event_id: str
    type: str
    attempt: int
    status: int | None


def signature(secret: str, payload: bytes, timestamp: int) -> str:
    """The value of `Stripe-Signature`: HMAC-SHA256 over the time and the raw body."""
    signed = f"{timestamp}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class WebhookSender:
    """Sends events to whoever registered for them. It sends nothing before `start`."""

    def __init__(
        self, account: Account, version: str, retry_delays_seconds: Sequence[float]
    ) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT_MAX)
        self._account = account
        self._version = version
        self._delays = tuple(retry_delays_seconds)
        self._session: ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._batch: list[StoredEvent] | None = None
        self._withheld: deque[StoredEvent] = deque(maxlen=WITHHELD_MAX)

    async def start(self) -> None:
        self._session = ClientSession(timeout=ClientTimeout(total=TIMEOUT_SECONDS))

    async def close(self) -> None:
        """Stop what is under way; nothing is sent any more."""
        session, self._session = self._session, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if session is not None:
            await session.close()

    async def idle(self) -> None:
        """Wait until nothing is under way, retries included."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def offer(self, event: StoredEvent) -> None:
        """Send the event, with the others of its call where there is one."""
        if self._batch is None:
            self._send([event])
        else:
            self._batch.append(event)

    @contextmanager
    def batch(self, manner: FaultKind | None) -> Iterator[None]:
        """Hold the events of one call until its end, then send them in this manner."""
        self._batch = []
        try:
            yield
        finally:
            events, self._batch = self._batch, None
            match manner:
                case FaultKind.WEBHOOKS_WITHHELD:
                    self._withheld.extend(events)
                case FaultKind.WEBHOOKS_DOUBLED:
                    self._send([event for event in events for _ in range(2)])
                case FaultKind.WEBHOOKS_SHUFFLED:
                    self._send(events[::-1])
                case _:
                    self._send(events)

    def release(self) -> int:
        """Send what was withheld; answers how many events that were."""
        events = list(self._withheld)
        self._withheld.clear()
        self._send(events)
        return len(events)

    def _send(self, events: Sequence[StoredEvent]) -> None:
        if self._session is None or len(self._tasks) >= UNDER_WAY_MAX:
            return
        for endpoint in self._account.webhook_endpoints:
            wanted = [event for event in events if endpoint.id in event.waiting]
            if wanted:
                self._run(self._deliver_all(endpoint.id, wanted))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_all(self, endpoint_id: str, events: Sequence[StoredEvent]) -> None:
        for event in events:
            if not await self._attempt(endpoint_id, event, 1):
                self._run(self._retry(endpoint_id, event))

    async def _retry(self, endpoint_id: str, event: StoredEvent) -> None:
        for attempt, delay in enumerate(self._delays, start=2):
            await asyncio.sleep(delay)
            if await self._attempt(endpoint_id, event, attempt):
                return

    async def _attempt(self, endpoint_id: str, event: StoredEvent, attempt: int) -> bool:
        """Whether the endpoint took the event, or is not there to take it any more."""
        endpoint = self._account.webhook_endpoints.get(endpoint_id)
        if endpoint is None or not endpoint.enabled:
            event.waiting.discard(endpoint_id)
            return True
        status = await self._post(endpoint, event)
        self.deliveries.append(Delivery(endpoint_id, event.id, event.type, attempt, status))
        if status is None or not 200 <= status < 300:
            return False
        event.waiting.discard(endpoint_id)
        return True

    async def _post(self, endpoint: WebhookEndpoint, event: StoredEvent) -> int | None:
        """The receiver's status; None where it gave none."""
        if self._session is None:
            return None
        body = render(self._account, event)
        payload = orjson.dumps({**body, "api_version": endpoint.api_version or self._version})
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature(endpoint.secret, payload, self._account.twin.now()),
        }
        try:
            async with self._session.post(
                endpoint.url, data=payload, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (ClientError, TimeoutError, OSError):
            return None
