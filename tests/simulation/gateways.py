"""The gateways of one history: started from the composition root, called by GraphQL, and killed.

Each run of a gateway is a `Process`. What it is given of the outside crosses a boundary; nothing
inside of it is looked at, save the parts that the web layer itself would hold.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import SecretStr

from gateway.clock import Ids
from gateway.composition.gateway import Gateway, opened_gateway
from gateway.composition.upstream import Outside
from gateway.events.event_ids import Ignored
from gateway.events.webhook import WebhookRefused
from gateway.execution.documents import Documents
from gateway.execution.operation import Answer, OperationRequest
from gateway.settings import Settings
from schema.ports import EventOrigin, Failed, Viewer
from schema.root import make_schema
from tests.simulation.boundary import CALL, PROCESS, Boundary, Process
from tests.simulation.history import Call
from tests.simulation.plan import Plan
from tests.simulation.stores import Durable
from tests.simulation.stripe_side import StripeSide
from tests.simulation.transport import InProcessClient

SECRET = "whsec_simulated"
VIEWER = Viewer("desk", caller="desk")
WEBHOOK_SECONDS_MAX = 20.0


class Lost(Exception):
    """The connection to the gateway went away."""


@cache
def shared_schema() -> Any:
    return make_schema()


@cache
def shared_documents() -> Documents:
    """Parsed once for all gateways of all histories in this process."""
    return Documents(shared_schema()._schema, Settings())


@cache
def settings_of(
    heartbeat: float, queue_max: int, calls: float, catch_up: float, read_only_file: Any
) -> Settings:
    return Settings(
        backend="stripe",
        stripe_api_key=SecretStr("sk_test_simulated"),
        stripe_webhook_secrets=SecretStr(SECRET),
        log="memory",
        stream_heartbeat_seconds=heartbeat,
        stream_queue_max=queue_max,
        stripe_calls_per_second=calls,
        catch_up_seconds=catch_up,
        read_only_file=read_only_file,
    )


@dataclass(slots=True)
class SimulatedClock:
    """Stripe's time and how far this gateway is off."""

    true_now: Callable[[], int]
    skew: Callable[[], int]

    def now(self) -> int:
        return self.true_now() + self.skew()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Host:
    """One place where a gateway runs, is killed and starts again."""

    number: int
    plan: Plan
    side: StripeSide
    durable: Durable
    boundary: Boundary
    ids: Ids
    true_now: Callable[[], int]
    read_only_file: Any
    process: Process | None = None
    gateway: Gateway | None = None
    skew: int = 0
    starts: int = 0
    came_up: asyncio.Event = field(default_factory=asyncio.Event)
    serving: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return "ABC"[self.number]

    @property
    def is_up(self) -> bool:
        return self.gateway is not None and self.process is not None and self.process.is_alive

    def start(self) -> None:
        """Begin to run; `is_up` says when it is there."""
        self.starts += 1
        loop = asyncio.get_running_loop()
        self.process = Process(
            f"{self.name}{self.starts}", self.number, lambda: self.skew, loop.create_future()
        )
        self.boundary.tell("{}: starts", self.process.name)
        self.serving = self.within(self._serve(self.process))

    async def _serve(self, process: Process) -> None:
        clock = SimulatedClock(self.true_now, lambda: self.skew)
        settings = settings_of(
            self.plan.heartbeat_seconds,
            self.plan.queue_max,
            self.plan.calls_per_second,
            self.plan.catch_up_seconds,
            self.read_only_file,
        )
        while True:
            outside = Outside(
                stores=self.durable.across(),
                cache=self.durable.cache_across(),
                http_client=InProcessClient(self.side, self.boundary),
                random=lambda: self.boundary.draw("jitter", 16) / 16,
                schema=shared_schema(),
                documents=shared_documents(),
            )
            try:
                async with opened_gateway(
                    settings, clock=clock, ids=self.ids, outside=outside
                ) as gateway:
                    _in_order(gateway)
                    if self.process is process and process.is_alive:
                        self.gateway = gateway
                        self.came_up.set()
                    self.boundary.tell("{}: is up", process.name)
                    await process.gone
                return
            except OSError as trouble:
                self.boundary.tell("{}: cannot start: {}", process.name, trouble)
                await asyncio.sleep(1.0)  # whoever supervises it starts it again

    def within(self, work: Coroutine[Any, Any, Any], call: Call | None = None) -> Any:
        """A task of this gateway's process."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, self.process)
        context.run(CALL.set, call)
        return asyncio.get_running_loop().create_task(work, context=context)

    def die(self) -> None:
        """kill -9."""
        if self.process is None or not self.process.is_alive:
            return
        self.boundary.tell("{}: is killed", self.process.name)
        self.gateway = None
        self.came_up.clear()
        self.process.kill()

    async def stop(self) -> None:
        """SIGTERM: what is under way may end."""
        if not self.is_up or self.process is None or self.serving is None:
            return
        self.boundary.tell("{}: is told to stop", self.process.name)
        process, self.gateway = self.process, None
        self.came_up.clear()
        process.gone.set_result(None)
        await asyncio.wait({self.serving}, timeout=60)
        process.kill()

    async def ask(
        self, document: str, variables: dict[str, Any], call: Call | None = None
    ) -> Answer:
        """One operation to its end. Raises `Lost` where the gateway dies or is not there."""
        gateway, process = self.gateway, self.process
        if gateway is None or process is None or not process.is_alive:
            raise Lost
        request = OperationRequest(query=document, variables=variables)

        async def operation() -> Answer:
            prepared = await gateway.runner.prepare(request, VIEWER)
            if isinstance(prepared, Answer):
                return prepared
            return await gateway.runner.execute(prepared, request, VIEWER, "req_1")

        return await self._answered(process, self.within(operation(), call))

    async def _answered(self, process: Process, task: asyncio.Task[Any]) -> Any:
        try:
            await asyncio.wait({task, process.gone}, return_when=asyncio.FIRST_COMPLETED)
            if not process.is_alive or (task.done() and task.cancelled()):
                raise Lost
            if not task.done():  # It is stopping, and may still answer.
                await asyncio.wait({task})
                if task.cancelled():
                    raise Lost
            return task.result()
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def listen(
        self, document: str, variables: dict[str, Any], take: Callable[[Answer], Any]
    ) -> None:
        """Hand over each item until the stream ends. Raises `Lost`."""
        gateway, process = self.gateway, self.process
        if gateway is None or process is None or not process.is_alive:
            raise Lost
        request = OperationRequest(query=document, variables=variables)

        async def stream() -> None:
            prepared = await gateway.runner.prepare(request, VIEWER)
            assert not isinstance(prepared, Answer), prepared
            answers: Any = gateway.runner.subscribe(prepared, request, VIEWER, "req_1")
            async with aclosing(answers) as items:
                async for item in items:
                    pause = take(item)
                    if pause:
                        await asyncio.sleep(pause)

        task = self.within(stream())
        try:
            await asyncio.wait({task, process.gone}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
                raise Lost
            if task.cancelled():
                raise Lost
            task.result()
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def deliver(self, body: bytes, signature: str) -> int:
        """One webhook as the route handles it; the status that Stripe gets, 0 for none."""
        gateway, process = self.gateway, self.process
        if gateway is None or process is None or not process.is_alive:
            return 0

        async def route() -> int:
            assert gateway.webhooks is not None
            try:
                read = gateway.webhooks.hint_from(body, signature)
                if not isinstance(read, Ignored):
                    async with asyncio.timeout(WEBHOOK_SECONDS_MAX):
                        await gateway.intake.receive(read, EventOrigin.WEBHOOK)
            except WebhookRefused:
                return 400
            except (Failed, OSError):
                return 503
            return 200

        try:
            return int(await self._answered(process, self.within(route())))
        except Lost:
            return 0


class InOrder(dict[Any, None]):
    """A set that is gone through in the order in which things were added."""

    def add(self, one: Any) -> None:
        self[one] = None

    def discard(self, one: Any) -> None:
        self.pop(one, None)


def _in_order(gateway: Gateway) -> None:
    """Subscribers are told one after the other, by a set in no order: a seed needs one."""
    if isinstance(getattr(gateway.feed, "_live", None), set):
        gateway.feed._live = InOrder()  # type: ignore[assignment]
