"""Doubt, then a second failure, then health: every kind of write is done once and told once.

The first try of a write ends unknown, in each way in which it can. The next two, the caller's
repeat and the settling of another process, meet a failure that lets nothing out, or nothing back.
Then all is well, and the caller repeats. The journal, the intake and the log are the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.backends.guarded import AuditTrail
from gateway.backends.journal.attempt import STRIPE_KEY_SECONDS
from gateway.backends.journal.open_writes import Settling
from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.records import State, WriteRecord
from gateway.backends.journal.writes import JournaledWrites
from gateway.backends.stripe.backend import StripeBackend
from gateway.backends.stripe.client import Pacing, StripeApi
from gateway.backends.stripe.rate_limit import LocalTokens, RateBudget
from gateway.backends.stripe.retries import FAILURES_MAX
from gateway.backends.stripe.writes.stripe_write import PREVIEW_VERSION, STORED_FAILURE
from gateway.composition.gateway import callers_of, entry_of
from gateway.events.intake import Intake
from gateway.events.log import MemoryEventLog
from gateway.sandbox.stripe_api import Sandbox, running_sandbox
from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from gateway.sandbox.twin_events import TwinLookup, Uncached
from schema.ports import Failed, Meter, Outcome, RefusalCode, Refused, Viewer
from tests.storage.redis_server import free_port
from tests.stripe_edge.trials import MOVES, TRIALS, Trial, detach
from tests.support.stage import Stage
from tests.support.upstream import API_KEY, Waits

OPERATOR = Viewer("operator")
ACCOUNT = "acct_sandbox"
UNKNOWN = RefusalCode.UPSTREAM_OUTCOME_UNKNOWN


@dataclass
class World:
    """An account and a journal, which outlive the processes of the gateway."""

    stage: Stage
    sandbox: Sandbox
    calls_nobody: str
    """An address where nobody listens."""
    log: MemoryEventLog = field(default_factory=lambda: MemoryEventLog("log"))
    waits: Waits = field(default_factory=Waits)

    def __post_init__(self) -> None:
        self.store = MemoryJournalStore(self.stage.clock.now)
        self.apis: list[StripeApi] = []

    def api(self, url: str | None = None, *, waiting_max: int = 500) -> StripeApi:
        """One attempt a call, so that each failure ends a call of its own."""
        waits = self.waits
        tokens = LocalTokens(
            account_per_second=1e6 if waiting_max else 1.0, monotonic=waits.monotonic
        )
        budget = RateBudget(
            tokens,
            sleep=waits.sleep,
            monotonic=waits.monotonic,
            waiting_per_caller_max=waiting_max,
        )
        pacing = Pacing(sleep=waits.sleep, random=waits.random, monotonic=waits.monotonic)
        base = url or self.sandbox.url
        api = StripeApi(
            API_KEY, budget=budget, pacing=pacing, api_base=base, attempts_max=1, attempt_seconds=5
        )
        self.apis.append(api)
        return api

    def process(self, api: StripeApi | None = None) -> JournaledWrites:
        """A process that was just started."""
        inner = StripeBackend(
            api or self.api(), account=ACCOUNT, livemode=False, preview_version=PREVIEW_VERSION
        )
        intake = Intake(
            log=self.log,
            lookup=TwinLookup(self.stage.twin),
            cache=Uncached(),
            publish=lambda entry: None,
            caller_of=callers_of(self.store),
            account=ACCOUNT,
            livemode=False,
            is_heard=lambda: True,
            owner="this",
        )

        async def announce(record: WriteRecord, outcome: Outcome) -> None:
            entry = entry_of(record, outcome, inner.describe(), self.stage.clock.now())
            await intake.announce(entry, record.stripe_key)

        return JournaledWrites(inner, self.store, announce, self.stage.clock.now)

    async def settle(self, api: StripeApi | None = None) -> None:
        trail = AuditTrail(self.stage.clock.now, lambda line: None)
        await Settling(self.process(api), self.store, trail).settle()

    def fail(self, kind: FaultKind, method: str = "*", **fault: Any) -> None:
        self.sandbox.faults.add(Fault(kind, **fault), method=method, times=None)

    def heal(self) -> None:
        self.sandbox.faults.clear()

    async def entries(self) -> list[Any]:
        return await self.log.read(0, 100)

    @property
    def keys_sent(self) -> set[str]:
        """Stripe's keys, without the steps of a write that takes several."""
        keys = [one.idempotency_key for one in self.sandbox.requests if one.method == "POST"]
        return {key.split("-")[0] for key in keys if key is not None}


@asynccontextmanager
async def made_world() -> AsyncIterator[World]:
    stage = Stage.empty()
    async with running_sandbox(stage.twin) as sandbox:
        world = World(stage, sandbox, f"http://127.0.0.1:{free_port()}")
        try:
            yield world
        finally:
            for api in world.apis:
                await api.close()


DOUBTS = {
    "applied, answer lost": Fault(FaultKind.RESET_AFTER),
    "applied, body cut": Fault(FaultKind.CUT_BODY),
    "lost on the way": Fault(FaultKind.RESET_BEFORE),
    "stored failure, applied": Fault(FaultKind.SERVER_ERROR, applied=True),
    "stored failure, not applied": Fault(FaultKind.SERVER_ERROR),
}


Second = Callable[["World"], Awaitable[StripeApi | None]]
"""Lets a failure loose, or makes the client of Stripe that has it."""


async def no_limit(world: World) -> StripeApi | None:
    world.fail(FaultKind.RATE_LIMITED)
    return None


async def no_limit_for_writes(world: World) -> StripeApi | None:
    world.fail(FaultKind.RATE_LIMITED, "POST")
    return None


async def locked(world: World) -> StripeApi | None:
    world.fail(FaultKind.LOCK_TIMEOUT, "POST")
    return None


async def no_look(world: World) -> StripeApi | None:
    world.fail(FaultKind.SERVER_ERROR, "GET")
    return None


async def lost_again(world: World) -> StripeApi | None:
    world.fail(FaultKind.RESET_BEFORE, "POST")
    return None


def answered(status: int, kind: str, method: str, message: str = "no") -> Second:
    async def second(world: World) -> StripeApi | None:
        body = {"error": {"type": kind, "message": message}}
        world.fail(FaultKind.ANSWER, method, status=status, body=body)
        return None

    return second


async def no_connection(world: World) -> StripeApi | None:
    return world.api(world.calls_nobody)


async def open_breaker(world: World) -> StripeApi | None:
    api = world.api(world.calls_nobody)
    for _ in range(FAILURES_MAX):
        with pytest.raises(Failed):
            await api.get("/v1/invoices/in_1", {}, Meter("t"))
    return api


async def own_budget(world: World) -> StripeApi | None:
    api = world.api(waiting_max=0)
    await api.get("/v1/events", {}, Meter("t"))  # the only call that it allows
    return api


SECONDS: dict[str, Second] = {
    "429": no_limit,
    "429 for writes": no_limit_for_writes,
    "lock timeout": locked,
    "own budget": own_budget,
    "open breaker": open_breaker,
    "no connection": no_connection,
    "401": answered(401, "invalid_request_error", "*"),
    "403 for writes": answered(403, "invalid_request_error", "POST"),
    "failed look": no_look,
    "lost again": lost_again,
    "key in use": answered(409, "idempotency_error", "POST"),
    "other parameters": answered(400, "idempotency_error", "POST"),
    "unknown URL": answered(
        404, "invalid_request_error", "POST", "Unrecognized request URL (POST: /v1/x)."
    ),
}


@pytest.mark.parametrize("trial", [*TRIALS, *MOVES], ids=lambda one: one.__name__)
@pytest.mark.parametrize("first", DOUBTS.values(), ids=DOUBTS)
@pytest.mark.parametrize("second", SECONDS.values(), ids=SECONDS)
async def test_doubt_outlives_a_second_failure(
    trial: Callable[[Stage], Trial], first: Fault, second: Second
) -> None:
    """Whatever keeps the next tries from an answer proves nothing about the first one."""
    async with made_world() as world:
        given = trial(world.stage)
        await in_doubt(world, given, first)

        api = await second(world)
        told = [await outcome(world.process(api), given)]
        await world.settle(api)
        told.append(await outcome(world.process(api), given))
        world.heal()
        done = await repeated(world, given)

        assert {word(one) for one in told} <= {"unknown", "done", "failed, did nothing"}
        assert word(done) == "done"
        assert given.once(done) == given.wanted
        assert len(await world.entries()) == given.entries


@pytest.mark.parametrize("trial", [*TRIALS, *MOVES], ids=lambda one: one.__name__)
@pytest.mark.parametrize("first", DOUBTS.values(), ids=DOUBTS)
async def test_doubt_ends_when_another_process_settles(
    trial: Callable[[Stage], Trial], first: Fault
) -> None:
    """Nobody repeats it: it is finished all the same, once, or found to have done nothing."""
    async with made_world() as world:
        given = trial(world.stage)
        await in_doubt(world, given, first)
        world.heal()

        await world.settle()
        await world.settle()

        assert await world.store.open_records() == []
        assert len(world.keys_sent) == 1 or given.entries > 1  # each step has its own
        done = await repeated(world, given)
        assert given.once(done) == given.wanted
        assert len(await world.entries()) == given.entries


@pytest.mark.parametrize("trial", TRIALS, ids=[one.__name__ for one in TRIALS])
@pytest.mark.parametrize("first", DOUBTS.values(), ids=DOUBTS)
@pytest.mark.parametrize("who", ["caller", "settling"])
async def test_a_key_that_stripe_has_forgotten_is_sent_by_nobody(
    trial: Callable[[Stage], Trial], first: Fault, who: str
) -> None:
    """What was done is found by looking. What was not is left to a person, and the caller is told
    what to look at."""
    async with made_world() as world:
        given = trial(world.stage)
        await in_doubt(world, given, first)
        world.heal()
        world.stage.clock.advance(STRIPE_KEY_SECONDS)
        sent = len([one for one in world.sandbox.requests if one.method == "POST"])

        if who == "settling":
            await world.settle()
        told = await outcome(world.process(), given)
        again = await outcome(world.process(), given)

        assert len([one for one in world.sandbox.requests if one.method == "POST"]) == sent
        is_applied = first.applied or first.kind in (FaultKind.RESET_AFTER, FaultKind.CUT_BODY)
        if is_applied and given.steps_after == 0:
            assert given.once(told) == given.wanted
            assert len(await world.entries()) == 1
            return
        assert isinstance(told, Refused)
        assert isinstance(again, Refused)
        assert (told.code, told.retryable) == (UNKNOWN, False)
        assert (again.code, again.retryable) == (UNKNOWN, False)
        assert told.invoice_id is not None
        assert told.invoice_id in told.message
        (record,) = await world.store.open_records()
        assert record.state is State.UNDECIDABLE
        assert await world.entries() == []


async def test_a_detach_that_a_crash_has_cut_off_is_announced_once_with_its_payment() -> None:
    """It was applied; the process died before the answer; at the next start Stripe's events cannot
    be read. What the look found is in the record, so the payment that left has its name."""
    async with made_world() as world:
        given = detach(world.stage)
        is_applied = asyncio.Event()
        world.stage.twin.listeners.append(lambda event: is_applied.set())
        world.fail(FaultKind.HANG, "POST", applied=True)
        dying = world.process()
        call = asyncio.create_task(outcome(dying, given))
        await is_applied.wait()
        for task in [call, *dying._tasks]:
            task.cancel()
        await asyncio.wait({call, *dying._tasks})
        (left,) = await world.store.open_records()
        world.heal()
        world.sandbox.faults.add(
            Fault(FaultKind.SERVER_ERROR), method="GET", path="/v1/events", times=None
        )

        await world.settle()
        done = await outcome(world.process(), given)

        assert left.state is State.SENDING
        assert given.once(done) == given.wanted
        (entry,) = await world.entries()
        assert (entry.type, entry.invoice_payment_id) == ("DETACHED", done.invoice_payment_id)


async def in_doubt(world: World, given: Trial, first: Fault) -> None:
    """The first try ends unknown: the write goes wrong, and the look back fails."""
    world.sandbox.faults.add(first, method="POST", path=given.path)
    failure = Fault(FaultKind.SERVER_ERROR)
    world.sandbox.faults.add(failure, method="GET", times=None, after=given.looks)
    told = await outcome(world.process(), given)
    assert word(told) == "unknown", told
    world.heal()


async def outcome(writes: JournaledWrites, given: Trial) -> Any:
    try:
        return await given.write(writes, OPERATOR)
    except Refused as refused:
        return refused


def word(told: Any) -> str:
    """`failed, did nothing` is Stripe's own word for it, stored under the key: a new attempt."""
    if not isinstance(told, Refused):
        return "done"
    if told.rule == STORED_FAILURE and told.retryable:
        return "failed, did nothing"
    return "unknown" if told.code is UNKNOWN and told.retryable else str(told.code)


async def repeated(world: World, given: Trial) -> Any:
    """What a good client does: the same call with the same key, while it is told to."""
    for _ in range(3):
        told = await outcome(world.process(), given)
        if word(told) == "done":
            break
    return told
