"""What a crash, a lost answer or a lost log has left open is finished later, once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from gateway.backends.journal.backend import STRIPE_KEY_SECONDS, Announced, JournaledBackend
from gateway.backends.journal.records import MemoryJournalStore, WriteRecord
from gateway.backends.memory.backend import MemoryBackend
from schema.ports import (
    Detached,
    DetachPayment,
    EventType,
    RefusalCode,
    Refused,
    Viewer,
)
from tests.support.stage import ACME, GLOBEX, Stage

OPERATOR = Viewer("operator")


class LossyBackend(MemoryBackend):
    """The memory backend, whose answers to writes get lost while `is_lossy`."""

    is_lossy = False

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        outcome = await super().detach_payment(viewer, command)
        if self.is_lossy:
            raise Refused(RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, "lost", "lost", retryable=True)
        return outcome


@dataclass
class Settling:
    """One journal that outlives the backends over it, as a durable one outlives processes."""

    stage: Stage = field(default_factory=Stage.empty)
    told: list[Announced] = field(default_factory=list)
    is_log_down: bool = False

    def __post_init__(self) -> None:
        self.inner = LossyBackend(self.stage.twin)
        self.store = MemoryJournalStore(self.stage.clock.now)

    async def announce(self, announced: Announced) -> None:
        if self.is_log_down:
            raise OSError("no disk")
        self.told.append(announced)

    def process(self) -> JournaledBackend:
        """A process that was just started over the same journal."""
        return JournaledBackend(self.inner, self.store, self.announce, self.stage.clock.now)


@pytest.fixture
def settling() -> Settling:
    return Settling()


async def test_write_that_was_done_and_not_told_is_told_later(settling: Settling) -> None:
    """The log was down when the write succeeded: the answer stood, and the event comes after."""
    invoice_id, (intent_id,) = settling.stage.paid_by(500)
    settling.is_log_down = True
    command = DetachPayment(invoice_id, intent_id, "key-1")
    await settling.process().detach_payment(OPERATOR, command)
    settling.is_log_down = False

    await settling.process().settle(older_than_seconds=0)
    await settling.process().settle(older_than_seconds=0)

    assert [one.type for one in settling.told] == [EventType.DETACHED]
    assert await settling.store.unfinished() == []


async def test_retry_announces_what_was_done_and_not_told(settling: Settling) -> None:
    """Announced before it is answered: nobody is told of a write that no stream will hear of."""
    invoice_id, (intent_id,) = settling.stage.paid_by(500)
    settling.is_log_down = True
    command = DetachPayment(invoice_id, intent_id, "key-1")
    await settling.process().detach_payment(OPERATOR, command)
    settling.is_log_down = False

    again = await settling.process().detach_payment(OPERATOR, command)
    once_more = await settling.process().detach_payment(OPERATOR, command)

    assert (again.replayed, once_more.replayed) == (True, True)
    assert [one.type for one in settling.told] == [EventType.DETACHED]


async def test_write_whose_answer_was_lost_is_found_done(settling: Settling) -> None:
    """Sent again with its own key it changes nothing, and its outcome is known."""
    invoice_id, (intent_id,) = settling.stage.paid_by(500)
    command = DetachPayment(invoice_id, intent_id, "key-1")
    settling.inner.is_lossy = True
    with pytest.raises(Refused):
        await settling.process().detach_payment(OPERATOR, command)
    settling.inner.is_lossy = False

    await settling.process().settle(older_than_seconds=0)
    again = await settling.process().detach_payment(OPERATOR, command)

    assert len(settling.told) == 1
    assert again.replayed is True


async def test_write_that_never_went_out_is_sent_once(settling: Settling) -> None:
    """The process ended between the record and the call."""
    invoice_id, (intent_id,) = settling.stage.paid_by(500)
    record = unsent(settling, DetachPayment(invoice_id, intent_id, "key-1"))
    await settling.store.begin(record)

    await settling.process().settle(older_than_seconds=0)

    assert settling.stage.twin.invoice(invoice_id).status == "open"
    assert len(settling.told) == 1


async def test_unfinished_write_keeps_to_its_callers_rights(settling: Settling) -> None:
    """Finishing it later must not do what its caller could not."""
    invoice_id, (intent_id,) = settling.stage.paid_by(500, customer_id=GLOBEX)
    record = unsent(settling, DetachPayment(invoice_id, intent_id, "key-1"))
    await settling.store.begin(replace(record, customers=(ACME,)))

    await settling.process().settle(older_than_seconds=0)

    assert settling.stage.twin.invoice(invoice_id).status == "paid"
    assert settling.told == []
    assert await settling.store.unfinished() == []


async def test_young_writes_are_left_to_those_who_make_them(settling: Settling) -> None:
    """Another replica may be in the middle of it."""
    invoice_id, (intent_id,) = settling.stage.paid_by(500)
    await settling.store.begin(unsent(settling, DetachPayment(invoice_id, intent_id, "key-1")))
    settling.stage.clock.advance(29)

    await settling.process().settle(older_than_seconds=30)

    assert settling.stage.twin.invoice(invoice_id).status == "paid"


async def test_write_older_than_stripes_memory_is_not_sent_again(
    settling: Settling, caplog: pytest.LogCaptureFixture
) -> None:
    """Stripe has forgotten the key, so a repeat could be done twice. It is said once, and not at
    every look for thirty days."""
    invoice_id, (intent_id,) = settling.stage.paid_by(500)
    await settling.store.begin(unsent(settling, DetachPayment(invoice_id, intent_id, "key-1")))
    settling.stage.clock.advance(STRIPE_KEY_SECONDS)

    process = settling.process()
    for _ in range(3):
        await process.settle(older_than_seconds=0)

    assert settling.stage.twin.invoice(invoice_id).status == "paid"
    assert len(await settling.store.unfinished()) == 1
    assert len(caplog.records) == 1


def unsent(settling: Settling, command: DetachPayment) -> WriteRecord:
    """A record as a process leaves it that ends before it sends."""
    from gateway.backends.journal.backend import input_hash

    return WriteRecord(
        tenant=OPERATOR.tenant,
        operation="detach",
        key=command.idempotency_key,
        input_hash=input_hash(command),
        command=command,
        recorded_at=settling.stage.clock.now(),
    )
