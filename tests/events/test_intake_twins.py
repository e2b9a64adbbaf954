"""A write of ours and Stripe's own event about it: one fact, whichever comes first."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.writes import JournaledWrites
from gateway.backends.memory.backend import MemoryBackend
from gateway.composition.gateway import callers_of, entry_of
from schema.ports import (
    AttachPayment,
    Command,
    CreateCreditNote,
    CreditNoteDraft,
    Detached,
    DetachPayment,
    Meter,
    Outcome,
    Viewer,
)
from tests.events.door import Door
from tests.support.stage import Stage

DETACHED = "invoice_payment.detached"
PARTNER = Viewer("partner")


class Writer:
    """Writes through a journal that announces through the door, as the gateway does.

    `hurried` names the events whose webhooks are quicker than the announcement.
    """

    def __init__(self, *hurried: str) -> None:
        self.stage = Stage.empty()
        self.hurried = hurried
        now = self.stage.clock.now
        self.memory = MemoryBackend(self.stage.twin)
        self.store = MemoryJournalStore(now)
        self.writes = JournaledWrites(self.memory, self.store, self._announce, now)
        self.door = Door.over(self.stage, caller_of=callers_of(self.store))
        self.announced: list[tuple[WriteRecord, Outcome]] = []

    async def _announce(self, record: WriteRecord, outcome: Outcome) -> None:
        await self.door.receive(*self.door.hints(*self.hurried))
        await self.announce(record, outcome)
        self.announced.append((record, outcome))

    async def announce(self, record: WriteRecord, outcome: Outcome) -> None:
        entry = entry_of(record, outcome, self.memory.describe(), self.stage.clock.now())
        await self.door.intake.announce(entry, record.stripe_key)

    async def write(self, command: Command) -> Outcome:
        return await self.writes.write(PARTNER, command, Meter(PARTNER.tenant))

    async def detach(self, key: str = "key-1") -> None:
        """Take the second of two payments off an invoice."""
        invoice_id, (_, second) = self.stage.paid_by(700, 300)
        await self.write(DetachPayment(invoice_id, second, key))

    async def facts(self) -> list[tuple[str, str, str | None, str | None]]:
        """Type, origin, tenant and key of every entry."""
        return [
            (one.type, one.origin, one.tenant, one.idempotency_key)
            for one in await self.door.held()
        ]


async def test_the_webhook_behind_the_announcement_is_the_same_fact() -> None:
    """The usual order: our answer is quicker than Stripe's delivery."""
    writer = Writer()
    await writer.detach()

    taken = await writer.door.receive(*writer.door.hints(DETACHED))

    assert taken == [0]
    assert await writer.facts() == [("DETACHED", "MUTATION", "partner", "key-1")]


async def test_the_announcement_behind_the_webhook_is_the_same_fact() -> None:
    """The webhook may come while the write waits for its answer; by the key that Stripe was sent
    it carries the caller's own, so that the caller's client can drop the echo."""
    writer = Writer(DETACHED)

    await writer.detach()

    assert await writer.facts() == [("DETACHED", "WEBHOOK", "partner", "key-1")]
    assert len(writer.door.published) == 1


async def test_announcement_and_webhooks_at_once_are_one_fact() -> None:
    """Two deliveries under two event ids race with an announcement that is repeated."""
    writer = Writer()
    await writer.detach()
    (webhook,) = writer.door.hints(DETACHED)
    writer.door = Door.over(writer.stage, caller_of=callers_of(writer.store))

    await asyncio.gather(
        writer.door.receive(webhook),
        writer.announce(*writer.announced[0]),
        writer.door.receive(webhook),
        writer.announce(*writer.announced[0]),
    )

    assert len(await writer.facts()) == 1
    assert len(writer.door.published) == 1


async def test_the_webhook_of_an_announced_write_is_still_the_same_when_repeated() -> None:
    """The repeat shares only the event id with the first webhook, which was no entry itself."""
    writer = Writer()
    await writer.detach()
    (webhook,) = writer.door.hints(DETACHED)

    taken = await writer.door.receive(webhook, webhook)

    assert taken == [0, 0]


async def test_two_detaches_are_two_facts() -> None:
    """Another key is another write, even of the same kind in the same second."""
    writer = Writer()

    await writer.detach("key-1")
    await writer.detach("key-2")
    taken = await writer.door.receive(*writer.door.hints(DETACHED))

    assert taken == [0, 0]
    assert [key for *_, key in await writer.facts()] == ["key-1", "key-2"]


async def test_a_detach_that_was_made_elsewhere_is_nobodys() -> None:
    """Stripe names the key of whoever made the request; one that we never sent has no caller."""
    writer = Writer()
    invoice_id, (_, second) = writer.stage.paid_by(700, 300)
    writer.stage.twin.detach(invoice_id, second)

    taken = await writer.door.receive(*writer.door.hints(DETACHED))

    assert taken == [1]
    assert await writer.facts() == [("DETACHED", "WEBHOOK", None, None)]


@pytest.mark.parametrize("hurried", [(), ("invoice_payment.paid",)], ids=["later", "sooner"])
async def test_attached_and_paid_are_two_facts_of_one_write(hurried: tuple[str, ...]) -> None:
    """Attaching money that is there pays at once. Stripe tells only of the payment, with the key
    of the attach, and the twin of one must not swallow the other."""
    writer = Writer(*hurried)
    invoice_id, intent_id = writer.stage.open_invoice(500), writer.stage.succeeded(500)

    await writer.write(AttachPayment(invoice_id, "key-1", payment_intent_id=intent_id))
    await writer.door.receive(*writer.door.hints("invoice_payment.paid"))

    assert sorted(await writer.facts()) == [
        ("ATTACHED", "MUTATION", "partner", "key-1"),
        ("PAID", "WEBHOOK", "partner", "key-1"),
    ]


async def test_a_credit_note_and_the_changes_it_makes_are_not_merged() -> None:
    """INVOICE_CHANGED names no turn of a payment, so each event of it stands by itself."""
    writer = Writer()
    invoice_id = writer.stage.open_invoice(1000)
    before = len(writer.door.hints("credit_note.created", "invoice.updated"))

    await writer.write(CreateCreditNote(CreditNoteDraft(invoice_id, 250), "key-1"))
    caused = writer.door.hints("credit_note.created", "invoice.updated")[before:]
    taken = await writer.door.receive(*caused)

    assert taken == [1, 1]
    assert {kind for kind, *_ in await writer.facts()} == {"INVOICE_CHANGED"}
    assert {key for *_, key in await writer.facts()} == {"key-1"}


async def test_an_announcement_is_dropped_appended_and_published() -> None:
    """Our own writes come through the same door: the cache is dropped before anybody hears."""
    writer = Writer()

    await writer.detach()

    assert writer.door.steps.taken == ["drop", "append", "publish"]


@pytest.mark.parametrize("broken", ["drop", "append"])
async def test_an_announcement_that_cannot_be_taken_in_says_so(broken: str) -> None:
    """The journal, and not the intake, decides that the write stands all the same."""
    writer = Writer()
    await writer.detach()
    writer.door = Door.over(writer.stage)
    writer.door.steps.broken = broken

    with pytest.raises(OSError, match=f"{broken} is down"):
        await writer.announce(*writer.announced[0])

    assert (await writer.facts(), writer.door.published) == ([], [])


async def test_an_announcement_of_an_unnamed_payment_names_none() -> None:
    """An empty id is no id: who filters or links by it would find nothing."""
    writer = Writer()
    await writer.detach()
    ((record, outcome),) = writer.announced
    assert isinstance(outcome, Detached)
    unnamed = replace(outcome, invoice_payment_id="")

    entry = entry_of(record, unnamed, writer.memory.describe(), writer.stage.clock.now())

    assert entry.invoice_payment_id is None
