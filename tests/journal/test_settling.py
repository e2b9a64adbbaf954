"""What a crash, a lost answer or a lost log has left open is finished later, once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.backends.guarded import AuditTrail
from gateway.backends.journal.attempt import AHEAD_SECONDS_MAX, LEASE_SECONDS, STRIPE_KEY_SECONDS
from gateway.backends.journal.open_writes import Settling
from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.records import State, WriteRecord, input_hash
from gateway.backends.journal.writes import JournaledWrites
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.supplier import FIRST, Attempt
from schema.ports import (
    Command,
    DetachPayment,
    Meter,
    Outcome,
    RefusalCode,
    Refused,
    Viewer,
)
from tests.journal.writing import Announced
from tests.support.stage import ACME, GLOBEX, Stage

OPERATOR = Viewer("operator")


class LossyBackend(MemoryBackend):
    """The memory backend, whose answers to writes get lost while `is_lossy`."""

    is_lossy = False
    bug_at = ""
    """The key of a write that meets a bug."""

    async def write(
        self, viewer: Viewer, command: Command, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        if command.idempotency_key == self.bug_at:
            raise RuntimeError("a bug")
        outcome = await super().write(viewer, command, meter, attempt)
        if self.is_lossy:
            raise Refused(RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, "lost", "lost", retryable=True)
        return outcome


@dataclass
class World:
    """One journal that outlives the backends over it, as a durable one outlives processes."""

    stage: Stage = field(default_factory=Stage.empty)
    told: list[Announced] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)
    is_log_down: bool = False
    is_read_only: bool = False

    def __post_init__(self) -> None:
        self.inner = LossyBackend(self.stage.twin)
        self.store = MemoryJournalStore(self.stage.clock.now)
        self.invoice_id, (intent_id,) = self.stage.paid_by(500)
        self.command = DetachPayment(self.invoice_id, intent_id, "key-1")

    async def announce(self, record: WriteRecord, outcome: Outcome) -> None:
        if self.is_log_down:
            raise OSError("no disk")
        self.told.append(Announced(record, outcome))

    def process(self, owner: str = "one") -> JournaledWrites:
        """A process that was just started over the same journal."""
        now = self.stage.clock.now
        return JournaledWrites(self.inner, self.store, self.announce, now, owner=owner)

    async def detach(self, owner: str = "one") -> Outcome:
        return await self.process(owner).write(OPERATOR, self.command, Meter(OPERATOR.tenant))

    async def settle(self, owner: str = "one") -> Settling:
        """One look of a process that was just started."""
        trail = AuditTrail(self.stage.clock.now, self.trail.append)
        settling = Settling(self.process(owner), self.store, trail, lambda: self.is_read_only)
        await settling.settle()
        return settling

    async def left(self, state: State, **fields: Any) -> WriteRecord:
        """The detach as a process leaves it that ends in this state."""
        now = self.stage.clock.now()
        given: dict[str, Any] = {
            "tenant": OPERATOR.tenant,
            "operation": "detach",
            "key": self.command.idempotency_key,
            "input_hash": input_hash(self.command),
            "command": self.command,
            "recorded_at": now,
            "state": state,
            "owner": "one",
            "leased_until": now + LEASE_SECONDS,
            "sent_at": None if state is State.RECORDED else now,
        }
        record = WriteRecord(**{**given, **fields})
        await self.store.begin(record)
        return record

    async def state(self) -> State:
        known = await self.store.begin(await self.left(State.RECORDED))
        assert known is not None
        return known.state

    @property
    def is_detached(self) -> bool:
        return self.stage.twin.invoice(self.invoice_id).status == "open"


@pytest.fixture
def world() -> World:
    return World()


async def test_write_that_was_done_and_not_told_is_told_later(world: World) -> None:
    """The log was down when the write succeeded: the answer stood, and the event comes after."""
    world.is_log_down = True
    await world.detach()
    world.is_log_down = False

    await world.settle()
    await world.settle()

    assert [one.record.operation for one in world.told] == ["detach"]
    assert await world.state() is State.ANNOUNCED


async def test_retry_announces_what_was_done_and_not_told(world: World) -> None:
    """Announced before it is answered: nobody is told of a write that no stream will hear of."""
    world.is_log_down = True
    await world.detach()
    world.is_log_down = False

    again = await world.detach()
    once_more = await world.detach()

    assert (again.replayed, once_more.replayed) == (True, True)
    assert [one.record.operation for one in world.told] == ["detach"]


async def test_write_whose_answer_was_lost_is_found_done(world: World) -> None:
    """Sent again with its own key it changes nothing, and its outcome is known."""
    world.inner.is_lossy = True
    with pytest.raises(Refused):
        await world.detach()
    world.inner.is_lossy = False

    await world.settle()
    again = await world.detach()

    assert len(world.told) == 1
    assert again.replayed is True


async def test_write_that_never_went_out_is_closed_and_not_sent(world: World) -> None:
    """The process ended between the record and the call: nobody waits for it, and nothing was
    done. The caller's repeat does it."""
    await world.left(State.RECORDED)

    await world.settle()
    is_sent_by_settling = world.is_detached
    state = await world.state()
    outcome = await world.detach()

    assert (is_sent_by_settling, state) == (False, State.REFUSED)
    assert outcome.replayed is False
    assert len(world.told) == 1


async def test_write_that_may_have_gone_out_is_sent_with_its_own_key(world: World) -> None:
    """The process ended between the word that it goes out and the answer."""
    await world.left(State.SENDING)

    await world.settle()

    assert world.is_detached
    assert len(world.told) == 1
    assert await world.state() is State.ANNOUNCED


async def test_unfinished_write_keeps_to_its_callers_rights(world: World) -> None:
    """Finishing it later must not do what its caller could not."""
    world.invoice_id, (intent_id,) = world.stage.paid_by(500, customer_id=GLOBEX)
    world.command = DetachPayment(world.invoice_id, intent_id, "key-1")
    await world.left(State.SENDING, customers=(ACME,))

    await world.settle()

    assert not world.is_detached
    assert world.told == []
    assert await world.state() is State.REFUSED


@pytest.mark.parametrize("state", [State.RECORDED, State.SENDING])
async def test_another_replicas_write_is_left_to_it_while_it_may_be_at_it(
    world: World, state: State
) -> None:
    """A replica that starts knows nothing of what the others are doing: the lease does."""
    record = await world.left(state)
    world.stage.clock.advance(LEASE_SECONDS - 1)

    await world.settle("two")

    assert not world.is_detached
    assert await world.store.open_records() == [record]


async def test_another_replicas_write_is_finished_once_its_lease_is_over(world: World) -> None:
    """That replica is gone, or it would have said more by now."""
    await world.left(State.SENDING)
    world.stage.clock.advance(LEASE_SECONDS)

    await world.settle("two")

    assert world.is_detached
    assert len(world.told) == 1


async def test_a_lease_that_a_wrong_clock_gave_is_none(world: World) -> None:
    """A replica whose clock was a month ahead died: its write must not wait for a month."""
    ahead = world.stage.clock.now() + 30 * 24 * 3600
    await world.left(State.SENDING, leased_until=ahead)

    await world.settle("two")

    assert world.is_detached


@pytest.mark.parametrize(
    "age",
    [
        pytest.param(STRIPE_KEY_SECONDS, id="older than Stripe remembers"),
        pytest.param(-STRIPE_KEY_SECONDS, id="from a future that nobody can date"),
    ],
)
async def test_write_whose_key_stripe_may_have_forgotten_is_left_to_a_person(
    world: World, caplog: pytest.LogCaptureFixture, age: int
) -> None:
    """A repeat could do it twice. It is said once, and not at every look for thirty days."""
    now = world.stage.clock.now()
    await world.left(State.IN_DOUBT, sent_at=now - age)

    for _ in range(3):
        await world.settle()

    assert not world.is_detached
    assert await world.state() is State.UNDECIDABLE
    errors = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert len(errors) == 1


@pytest.mark.parametrize("age", [STRIPE_KEY_SECONDS - 1, -AHEAD_SECONDS_MAX])
async def test_a_write_younger_by_a_second_is_sent(world: World, age: int) -> None:
    """Stripe still knows the key; so it does where another replica's clock is minutes ahead."""
    await world.left(State.IN_DOUBT, sent_at=world.stage.clock.now() - age)

    await world.settle()

    assert world.is_detached


async def test_a_key_from_the_future_may_be_as_old_as_any(world: World) -> None:
    """Its clock was a day and an hour ahead, and a day has passed since: it looks an hour young
    from the other side, and Stripe has forgotten it."""
    await world.left(State.IN_DOUBT, sent_at=world.stage.clock.now() + 3600)

    await world.settle()

    assert not world.is_detached
    assert await world.state() is State.UNDECIDABLE


async def test_an_old_write_that_was_done_is_found_by_looking(world: World) -> None:
    """What can be proved by reading needs no person."""
    world.inner.is_lossy = True
    with pytest.raises(Refused):
        await world.detach()
    world.inner.is_lossy = False
    world.stage.clock.advance(STRIPE_KEY_SECONDS)

    await world.settle()

    assert await world.state() is State.ANNOUNCED
    assert len(world.told) == 1


@pytest.mark.parametrize("state", [State.SENDING, State.IN_DOUBT])
async def test_nothing_is_sent_while_no_writes_are_taken(world: World, state: State) -> None:
    """The switch is there to keep everything from Stripe; the write waits for it."""
    await world.left(state)
    world.is_read_only = True

    await world.settle()
    is_sent_below_the_switch = world.is_detached
    world.is_read_only = False
    await world.settle()

    assert not is_sent_below_the_switch
    assert world.is_detached


async def test_what_was_done_is_told_while_no_writes_are_taken(world: World) -> None:
    """An event changes nothing at Stripe, and its readers must not stay behind."""
    world.is_log_down = True
    await world.detach()
    world.is_log_down, world.is_read_only = False, True

    await world.settle()

    assert len(world.told) == 1


async def test_of_two_replicas_that_settle_at_once_one_finishes_the_write(world: World) -> None:
    """The other meets the newer version, and leaves it."""
    record = await world.left(State.IN_DOUBT)
    one, two = world.process("one"), world.process("two")

    await one.finished(record, Meter("one"))
    with pytest.raises(Refused) as late:
        await two.finished(record, Meter("two"))

    assert late.value.code is RefusalCode.IDEMPOTENCY_IN_PROGRESS
    assert len(world.told) == 1


async def test_one_writes_trouble_holds_up_no_other(world: World) -> None:
    """A record that nobody can send must not keep all behind it open."""
    broken = replace(world.command, idempotency_key="key-0")
    left = await world.left(State.IN_DOUBT, key="key-0", command=broken)
    world.inner.bug_at = left.stripe_key
    await world.left(State.IN_DOUBT)

    await world.settle()

    assert world.is_detached


async def test_the_counts_tell_how_many_writes_stand_where(world: World) -> None:
    """A write that waits for a person is a number that somebody watches."""
    now = world.stage.clock.now()
    await world.left(State.UNDECIDABLE)
    await world.left(State.RECORDED, key="key-2", owner="two", leased_until=now + LEASE_SECONDS)

    settling = await world.settle()

    counts = {state: count for state, count in settling.open_writes_by_state().items() if count}
    assert counts == {"undecidable": 1, "recorded": 1}


async def test_what_was_settled_stands_in_the_audit_trail(world: World) -> None:
    """Money moved, and nobody was waiting for the answer."""
    await world.left(State.SENDING)

    await world.settle()

    (line,) = world.trail
    assert '"caller":"gateway"' in line
    assert '"outcome":"DONE"' in line
