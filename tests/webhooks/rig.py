"""The intake as Stripe meets it: the real route, the real intake, a sandbox as upstream.

Nothing is pretended. The log can be told to be down, as its store may be; upstream breaks by the
sandbox's own faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import count
from typing import Any

import orjson
import stripe
from aiohttp import ClientSession, web

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.reads.event_reads import StripeLookup
from gateway.backends.stripe.reads.intake_reads import StripeEventReader, StripeThinEventReader
from gateway.composition.event_lists import if_to_be_had
from gateway.events.all_lists import SNAPSHOT, THIN, CatchUp
from gateway.events.catch_up import ListCatchUp
from gateway.events.catch_up_progress import MemoryProgress
from gateway.events.hints import THIN_TYPES
from gateway.events.intake import Intake
from gateway.events.intake_ports import Touched
from gateway.events.log import LogEntry, MemoryEventLog
from gateway.events.webhook import WebhookReader
from gateway.sandbox.stripe_api import Sandbox, running_sandbox
from gateway.sandbox.twin_events import Uncached
from gateway.settings import WebSettings
from gateway.web.app import FAST_LANE, make_runner
from gateway.web.middleware import error_middleware
from gateway.web.webhook_endpoint import WebhookEndpoint
from tests.sandbox.driving import sdk_of
from tests.support.stage import Stage
from tests.support.upstream import Waits, stripe_api
from tests.webhooks.signing import ACCOUNT, OLD_SECRET, SECRET, signed

HANG_SECONDS_MAX = 20.0
"""What is owed and does not come fails the test by this time."""


class StoppableLog(MemoryEventLog):
    """A log whose store can be away."""

    def __init__(self) -> None:
        super().__init__("test")
        self.is_down = False

    async def append(self, entry: LogEntry) -> LogEntry | None:
        if self.is_down:
            raise ConnectionError("the store is away")
        return await super().append(entry)

    async def knows(self, names: Sequence[str]) -> bool:
        if self.is_down:
            raise ConnectionError("the store is away")
        return await super().knows(names)


async def nobody(stripe_key: str) -> tuple[str, str] | None:
    """No write of ours carried this key."""
    return None


@dataclass(slots=True)
class NotedDrops(Uncached):
    """No cache, but what it would have to forget is noted."""

    dropped: list[Touched]

    async def drop(self, touched: Touched) -> None:
        self.dropped.append(touched)

    @asynccontextmanager
    async def renewing(self, touched: Sequence[Touched]) -> AsyncIterator[Uncached]:
        self.dropped.extend(touched)
        yield self


class NoLane:
    """There is no GraphQL here that could be answered without aiohttp."""

    def response_to(self, *given: Any) -> None:
        """Nothing."""

    def learn(self, *given: Any) -> None:
        """Nothing."""


@dataclass(slots=True)
class Alarm:
    """A sleep that ends when the test says so; `asked` is what was asked for."""

    asked: list[float] = field(default_factory=list)
    _begun: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._begun.set()
        await self._over.wait()
        self._over.clear()

    async def begun(self) -> None:
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await self._begun.wait()
        self._begun.clear()

    def ring(self) -> None:
        self._over.set()


@dataclass(slots=True)
class Rig:
    """One gateway's event intake and everything around it."""

    stage: Stage
    sandbox: Sandbox
    api: StripeApi
    sdk: stripe.StripeClient
    log: MemoryEventLog
    published: list[LogEntry]
    dropped: list[Touched]
    reader: WebhookReader
    progress: MemoryProgress
    alarm: Alarm
    catch_up: ListCatchUp
    thin_catch_up: ListCatchUp
    catch_ups: CatchUp
    app: web.Application
    session: ClientSession
    url: str = ""

    async def post(
        self, body: bytes, signature: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """One delivery, signed now with the newer secret unless told otherwise."""
        if signature is None:
            signature = signed(body, self.stage.clock.now())
        sent = {"Stripe-Signature": signature, "Content-Type": "application/json", **headers}
        async with self.session.post(self.url, data=BytesIO(body), headers=sent) as response:
            return response.status, await response.json()

    def bodies(self, *types: str) -> list[bytes]:
        """What has happened so far of these types, oldest first, as Stripe prints it."""
        return [one.body for one in self.sandbox.account.events if one.type in types]

    async def held(self) -> list[LogEntry]:
        return await self.log.read(0, 1000)

    async def types(self) -> list[str]:
        """Stripe's names of what is in the log."""
        return [entry.raw_type for entry in await self.held()]

    def reads(self, path: str) -> int:
        """How often the gateway has asked Stripe for this."""
        return sum(one.path == path for one in self.sandbox.requests)


@asynccontextmanager
async def rigged(
    *,
    log: MemoryEventLog | None = None,
    secrets: tuple[str, ...] = (SECRET, OLD_SECRET),
    **options: Any,
) -> AsyncIterator[Rig]:
    """Everything running on the loopback; `options` go to the view."""
    stage = Stage.empty()
    log = log or StoppableLog()
    async with (
        running_sandbox(stage.twin, retry_delays_seconds=(0.0, 0.0)) as sandbox,
        sdk_of(sandbox) as sdk,
        ClientSession() as session,
    ):
        api = stripe_api(sandbox.url)
        rig = _assembled(stage, sandbox, api, sdk, log, session, secrets, options)
        runner = make_runner(rig.app, WebSettings(shutdown_timeout_seconds=2))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            rig.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/stripe"
            yield rig
        finally:
            await runner.cleanup()
            await api.close()


def _assembled(
    stage: Stage,
    sandbox: Sandbox,
    api: StripeApi,
    sdk: stripe.StripeClient,
    log: MemoryEventLog,
    session: ClientSession,
    secrets: tuple[str, ...],
    options: dict[str, Any],
) -> Rig:
    published, dropped = list[LogEntry](), list[Touched]()
    waits = Waits()
    intake = Intake(
        log=log,
        lookup=StripeLookup(api, sleep=waits.sleep),
        cache=NotedDrops(dropped),
        publish=published.append,
        caller_of=nobody,
        account=ACCOUNT,
        livemode=False,
        is_heard=lambda: True,
        owner="this",
    )
    reader = WebhookReader(secrets, now=stage.clock.now, account=ACCOUNT, livemode=False)
    progress, alarm = MemoryProgress(), Alarm()
    of_list = partial(
        ListCatchUp,
        receive=intake.receive,
        now=stage.clock.now,
        account=ACCOUNT,
        livemode=False,
    )
    thin = StripeThinEventReader(api, tuple(THIN_TYPES), now=stage.clock.now)
    catch_up = of_list(read_events=StripeEventReader(api).events_since, progress=progress)
    thin_catch_up = of_list(read_events=if_to_be_had(thin.events_since), progress=MemoryProgress())
    lists = {SNAPSHOT: catch_up, THIN: thin_catch_up}
    ids = count(1)
    app = web.Application(middlewares=[error_middleware(lambda: f"req_{next(ids)}")])
    app[FAST_LANE] = NoLane()  # type: ignore[assignment]
    view = WebhookEndpoint(reader, intake.receive, **options)
    app.router.add_route("*", "/webhooks/stripe", view.handle)
    return Rig(
        stage=stage,
        sandbox=sandbox,
        api=api,
        sdk=sdk,
        log=log,
        published=published,
        dropped=dropped,
        reader=reader,
        progress=progress,
        alarm=alarm,
        catch_up=catch_up,
        thin_catch_up=thin_catch_up,
        catch_ups=CatchUp(lists=lists, sleep=alarm.sleep),
        app=app,
        session=session,
    )


def renamed(body: bytes, event_id: str) -> bytes:
    """The same event under another id."""
    return orjson.dumps({**orjson.loads(body), "id": event_id})
