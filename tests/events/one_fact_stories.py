"""What happens at Stripe in an interleaving, by us and by others; and what the log owes for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from gateway.backends.memory.twin import TwinEvent
from gateway.events.hints import THIN_PREFIX, event_type
from gateway.events.log import LogEntry, encode_position
from gateway.ledger.facts import NO_SNAPSHOT
from schema.ports import (
    AttachPayment,
    CreateCreditNote,
    CreditNoteDraft,
    DetachPayment,
    EventType,
)
from schema.records import InvoicePayment
from tests.events.channel import EPOCH
from tests.events.one_fact import Scene, fact_id

Key = tuple[str, str | None]
Story = Callable[[Scene], Awaitable[None]]
OF_ONE_PAYMENT = {one.value for one in (EventType.ATTACHED, EventType.PAID)} | {
    one.value for one in (EventType.CANCELED, EventType.DETACHED)
}


async def a_while(scene: Scene) -> None:
    """Long enough for some of the sources to be through, or not at all."""
    await asyncio.sleep(scene.chance.choice((0.0, 0.0, 0.125, 0.5, 1.0, 4.0)))


async def attached_by_us(scene: Scene) -> None:
    """An intent that succeeds later, if at all, or has already."""
    stage = scene.stage
    invoice_id = stage.open_invoice(500)
    intent_id = stage.intent(500) if scene.chance.random() < 0.5 else stage.succeeded(500)
    await scene.write(AttachPayment(invoice_id, stage.ids.new("key"), payment_intent_id=intent_id))


async def attached_elsewhere_and_paid(scene: Scene) -> None:
    invoice_id, intent_id = scene.stage.open_invoice(500), scene.stage.intent(500)
    scene.stage.twin.attach(invoice_id, intent_id)
    await a_while(scene)
    scene.stage.twin.progress(intent_id, "succeeded")


async def default_paid(scene: Scene) -> None:
    invoice_id = scene.stage.open_invoice()
    await a_while(scene)
    scene.stage.twin.pay(invoice_id)


async def canceled_by_its_intent(scene: Scene) -> None:
    """Which pays one invoice or two."""
    stage = scene.stage
    intent_id = stage.intent(1000)
    for amount in scene.chance.choice(((600,), (600, 400))):
        stage.twin.attach(stage.open_invoice(amount), intent_id, amount_requested=amount)
    await a_while(scene)
    stage.twin.progress(intent_id, "canceled")


async def default_canceled(scene: Scene) -> None:
    """With its invoice."""
    invoice_id = scene.stage.open_invoice()
    await a_while(scene)
    scene.stage.twin.void(invoice_id)


async def detached_by_us(scene: Scene) -> None:
    invoice_id, (_, second) = scene.stage.paid_by(700, 300)
    await a_while(scene)
    await scene.write(DetachPayment(invoice_id, second, scene.stage.ids.new("key")))


async def detached_elsewhere(scene: Scene) -> None:
    invoice_id, (_, second) = scene.stage.paid_by(700, 300)
    await a_while(scene)
    scene.stage.twin.detach(invoice_id, second)


async def overpaid(scene: Scene) -> None:
    """By an intent that was attached before it was too much, or by one that came too late."""
    stage = scene.stage
    invoice_id, intents = stage.open_invoice(1000), [stage.intent(800), stage.intent(800)]
    for intent_id in intents:
        stage.twin.attach(invoice_id, intent_id)
    for intent_id in intents:
        await a_while(scene)
        stage.twin.progress(intent_id, "succeeded")


async def changed(scene: Scene) -> None:
    invoice_id = scene.stage.draft()
    scene.stage.twin.finalize(invoice_id, number=f"N-{invoice_id}")
    await a_while(scene)
    scene.stage.twin.update_metadata(invoice_id, (("a", "b"),))


async def credited_by_us(scene: Scene) -> None:
    draft = CreditNoteDraft(scene.stage.open_invoice(1000), 250)
    await scene.write(CreateCreditNote(draft, scene.stage.ids.new("key")))


async def credited_elsewhere(scene: Scene) -> None:
    scene.stage.twin.credit(CreditNoteDraft(scene.stage.open_invoice(1000), 250))


STORIES: tuple[Story, ...] = (
    attached_by_us,
    attached_elsewhere_and_paid,
    default_paid,
    canceled_by_its_intent,
    default_canceled,
    detached_by_us,
    detached_elsewhere,
    overpaid,
    changed,
    credited_by_us,
    credited_elsewhere,
)


async def played(seed: int) -> Scene:
    """One interleaving to its end."""
    scene = Scene(seed)
    await scene.begin()
    stories = scene.chance.choices(STORIES, k=scene.chance.choice((1, 1, 2, 3)))
    await asyncio.gather(
        *(story(scene) for story in stories),
        scene.catch_up_now_and_then(),
        scene.kill_now_and_then(),
    )
    await scene.come_to_rest()
    return scene


def owed(fact: TwinEvent) -> Key | None:
    """What is to be in the log once for a fact; None for what is no entry, or is told by others: an
    intent was canceled where its payments were."""
    prefix = THIN_PREFIX if fact.type in NO_SNAPSHOT else ""
    kind, subject = event_type(prefix + fact.type), fact.object
    if kind is None or fact.type == "payment_intent.canceled":
        return None
    if isinstance(subject, InvoicePayment) and kind.value in OF_ONE_PAYMENT:
        if kind is EventType.ATTACHED and subject.is_default:
            return EventType.INVOICE_CHANGED.value, fact.id
        return kind.value, subject.id
    return kind.value, fact.id


def told(entry: LogEntry) -> Key:
    """Which of those an entry is."""
    if entry.type in OF_ONE_PAYMENT:
        return entry.type, entry.invoice_payment_id
    if entry.source_event_id is None:
        return entry.type, entry.idempotency_key
    return entry.type, fact_id(entry.source_event_id)


def may_be_lost(scene: Scene) -> set[Key]:
    """A payment that was attached elsewhere and is gone before anybody has read it, where nobody
    knows its invoice: there is nobody who could be shown it."""
    gone = gone_payments(scene)
    return {
        key
        for one in scene.facts
        if one.type == "invoice_payment.open" and one.object.id in gone
        if (key := owed(one)) is not None
    }


def wrong(scene: Scene, entries: list[LogEntry]) -> Iterator[str]:
    """What the log and its readers have too much, too little, or in another order."""
    due = Counter(key for one in scene.facts if (key := owed(one)) is not None)
    due.update((EventType.INVOICE_CHANGED.value, key) for key in scene.credit_note_keys)
    held = Counter(map(told, entries))
    yield from (f"doubled: {one}" for one in held - due)
    yield from (f"lost: {one}" for one in (due - held).keys() - may_be_lost(scene))
    order = [encode_position(EPOCH, one.position) for one in entries]
    for one in scene.replicas:
        if one.heard != order or one.gaps:
            yield f"replica {one.number} told {one.heard} of {order}, and {one.gaps}"


def calls_too_many(scene: Scene) -> Iterator[str]:
    """A fact costs one call. One more where its thin event does not say which snapshot event tells
    the same, and that is asked. What broke off after its call is asked again; and so is, for each
    event, an invoice payment that is gone, as nothing is noted of what is told to nobody."""
    facts = {one.id: one for one in scene.facts if is_entry(one)}
    gone = gone_payments(scene)
    in_all: Counter[tuple[str, bool]] = Counter()
    for attempt in scene.attempts:
        fact = facts.get(attempt.fact_id)
        if fact is None:
            continue
        asked = Counter(
            (fact.id, call == "event")
            for call in attempt.calls
            if not (call == "invoice_payment" and fact.object.id in gone)
        )
        if attempt.was_in_vain and any(count > 1 for count in asked.values()):
            yield f"{fact.type} broke off after {attempt.calls}"
        if not attempt.was_in_vain:
            in_all.update(asked)
    for (of, is_event), count in in_all.items():
        if count > 1 or (is_event and of not in scene.unsaid):
            calls = [one.calls for one in scene.attempts if one.fact_id == of and one.calls]
            yield f"{facts[of].type} {of} took {calls}"


def is_entry(fact: TwinEvent) -> bool:
    return owed(fact) is not None or fact.type == "payment_intent.canceled"


def gone_payments(scene: Scene) -> set[str]:
    return {one.object.id for one in scene.facts if one.type == "invoice_payment.detached"}
