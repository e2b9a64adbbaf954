"""Two replicas at one write: whoever comes late finds what the other has recorded, and keeps it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.backends.journal.attempt import LEASE_SECONDS
from gateway.backends.journal.records import State, WriteRecord
from gateway.backends.journal.writes import JournaledWrites
from gateway.backends.memory.backend import MemoryBackend
from schema.ports import DetachPayment, Meter, Outcome, RefusalCode, Refused
from tests.journal.writing import OPERATOR, UnsteadyBackend, Writing, detach, refused

GONE_FOR_LONG = LEASE_SECONDS + 1


class Replicas:
    """One replica whose write is held at its gate, and another over the same journal and twin."""

    def __init__(self) -> None:
        self.slow = Writing.over()
        self.command = detach(self.slow.stage)
        self.told: list[WriteRecord] = []
        self.other_inner = UnsteadyBackend(MemoryBackend(self.slow.stage.twin), [])
        # The twin's backend knows the keys that it has seen, as Stripe does for both.
        self.other_inner._inner = self.slow.inner._inner
        now = self.slow.stage.clock.now
        self.other = JournaledWrites(
            self.other_inner, self.slow.store, self._tell, now, owner="other"
        )
        assert isinstance(self.command, DetachPayment)

    async def _tell(self, record: WriteRecord, outcome: Outcome) -> None:
        self.told.append(record)

    async def held(self) -> asyncio.Task[object]:
        """The slow replica's write, which is out and has no answer yet."""
        self.slow.inner.gate.clear()
        write = asyncio.create_task(self.slow.write(self.command))
        await self.slow.is_out()
        return write

    async def other_writes(self) -> Outcome:
        return await self.other.write(OPERATOR, self.command, Meter(OPERATOR.tenant))

    async def record(self) -> WriteRecord:
        found = await self.slow.store.by_stripe_key(self.slow.keys_sent[0])
        assert found is not None
        return found


@pytest.fixture
def replicas() -> Replicas:
    return Replicas()


async def test_a_late_refusal_overwrites_no_outcome(replicas: Replicas) -> None:
    """The slow replica is refused what the other one has done: its caller hears of the outcome,
    and the next repeat does not do it a second time."""
    replicas.slow.inner.before = [refused()]
    write = await replicas.held()
    replicas.slow.stage.clock.advance(GONE_FOR_LONG)
    done = await replicas.other_writes()

    replicas.slow.inner.gate.set()
    late = await write
    again = await replicas.slow.write(replicas.command)

    assert late == replace(done, replayed=True)
    assert again == replace(done, replayed=True)
    assert (await replicas.record()).state is State.ANNOUNCED
    assert len(replicas.told) == 1


async def test_a_late_refusal_overwrites_no_higher_attempt(replicas: Replicas) -> None:
    """The other replica's first attempt was refused, its second is done."""
    replicas.slow.inner.before = [refused()]
    write = await replicas.held()
    replicas.slow.stage.clock.advance(GONE_FOR_LONG)
    replicas.other_inner.before = [refused()]
    with pytest.raises(Refused):
        await replicas.other_writes()
    done = await replicas.other_writes()

    replicas.slow.inner.gate.set()
    late = await write

    record = await replicas.record()
    assert late == replace(done, replayed=True)
    assert (record.state, record.outcome) == (State.ANNOUNCED, done)


async def test_a_replica_that_was_overtaken_sends_nothing(replicas: Replicas) -> None:
    """Its word that it goes out meets a newer version: two that send could both succeed, once the
    first attempt is closed and the second begun."""
    write = await replicas.held()
    replicas.slow.stage.clock.advance(GONE_FOR_LONG)
    replicas.other_inner.before = [refused()]
    with pytest.raises(Refused):
        await replicas.other_writes()

    replicas.slow.inner.gate.set()
    with pytest.raises(Refused) as answer:
        await write

    assert answer.value.code is RefusalCode.IDEMPOTENCY_IN_PROGRESS
    assert replicas.slow.stage.twin.invoice(replicas.command.invoice_id).status == "paid"


async def test_a_replica_takes_nothing_up_that_another_is_at(replicas: Replicas) -> None:
    """The caller's repeat has reached the other replica by way of the load balancer."""
    write = await replicas.held()

    with pytest.raises(Refused) as answer:
        await replicas.other_writes()

    replicas.slow.inner.gate.set()
    done = await write
    assert answer.value.code is RefusalCode.IDEMPOTENCY_IN_PROGRESS
    assert await replicas.other_writes() == replace(
        done,  # type: ignore[type-var]
        replayed=True,
    )
    assert replicas.other_inner.sent == []
