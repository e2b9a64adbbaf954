"""Thin events: what each becomes, and that it is one fact with its snapshot event, the
announcement of our own write and a repeat, whichever comes first, on whichever replica; with one
read at most.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations

import pytest

from gateway.backends.memory.twin import Request
from gateway.events.hints import Hint, event_type
from gateway.events.intake_ports import Touched
from gateway.events.log import CLAIM_SECONDS, Claim, LogEntry, MemoryEventLog
from schema.ports import CreditNoteDraft, EventOrigin, EventType
from tests.events.channel import EPOCH, turn
from tests.events.door import Door, hint
from tests.events.unsteady_logs import BrokenAt
from tests.support.stage import ACME, Stage

OPEN, CANCELED = "invoice_payment.open", "invoice_payment.canceled"
PAID, DETACHED = "invoice_payment.paid", "invoice_payment.detached"

TYPES = [
    ("v1.invoice_payment.open", EventType.ATTACHED),
    ("v1.invoice_payment.paid", EventType.PAID),
    ("v1.invoice_payment.canceled", EventType.CANCELED),
    ("v1.invoice_payment.failed", EventType.INVOICE_CHANGED),
    ("v1.invoice_payment.of_the_future", EventType.INVOICE_CHANGED),
    ("v1.invoice.payment_failed", EventType.INVOICE_CHANGED),
    ("v1.invoice.overpaid", EventType.OVERPAID),
    ("v1.invoice.line_item_added", EventType.INVOICE_CHANGED),
    ("v1.invoice.upcoming", None),
    ("v1.credit_note.created", EventType.INVOICE_CHANGED),
    ("v1.payment_intent.canceled", EventType.CANCELED),
    ("v1.payment_intent.succeeded", None),
    ("v1.customer.updated", None),
    ("v1.invoiceitem.created", None),
    ("v1.v1.invoice.paid", None),
    ("v2.core.account.updated", None),
    ("invoice_payment.open", None),
]


@pytest.mark.parametrize(("raw_type", "expected"), TYPES, ids=lambda one: str(one))
def test_a_thin_event_has_the_type_of_its_snapshot_event(
    raw_type: str, expected: EventType | None
) -> None:
    """And those of invoice payments that no snapshot event tells have one too."""
    assert event_type(raw_type) is expected


def attached(stage: Stage, amount: int = 500) -> tuple[str, str, str]:
    """An attach by somebody else: invoice, intent, payment."""
    invoice_id, intent_id = stage.open_invoice(amount), stage.intent(amount)
    payment = stage.twin.attach(invoice_id, intent_id)
    return invoice_id, intent_id, payment.id


def opened(door: Door, payment_id: str) -> Hint:
    """The thin event that this payment was opened."""
    (found,) = [one for one in door.thin(OPEN) if one.invoice_payment_id == payment_id]
    return found


def facts(entries: list[LogEntry]) -> list[tuple[str, str | None]]:
    return [(one.type, one.invoice_payment_id) for one in entries]


async def test_an_attach_made_elsewhere_is_told(door: Door) -> None:
    """Stripe's event names nothing but the payment; one read says the rest."""
    invoice_id, intent_id, payment_id = attached(door.stage)

    taken = await door.receive(opened(door, payment_id))

    (entry,) = await door.held()
    assert taken == [1]
    assert (entry.type, entry.origin) == ("ATTACHED", "WEBHOOK")
    assert entry.raw_type == "v1.invoice_payment.open"
    assert (entry.invoice_id, entry.customer_id) == (invoice_id, ACME)
    assert (entry.invoice_payment_id, entry.payment_intent_id) == (payment_id, intent_id)
    assert (entry.tenant, entry.idempotency_key) == (None, None)


async def test_what_the_read_shows_is_dropped_before_anybody_hears(door: Door) -> None:
    """A thin event says neither invoice nor customer nor intent, and all of them have changed."""
    invoice_id, intent_id, payment_id = attached(door.stage)

    await door.receive(opened(door, payment_id))

    assert door.steps.taken == [
        *("claim", "wait", "drop", "read", "drop", "keep", "append", "publish")
    ]
    assert door.dropped == [
        Touched(None, None, None, payment_id),
        Touched(invoice_id, ACME, intent_id),
    ]


async def test_what_was_read_of_a_payment_once_is_known_of_its_next_event(door: Door) -> None:
    """Its invoice and its intent never change: they are dropped before the read, and the event is
    gathered with the invoice's others."""
    invoice_id, intent_id, payment_id = attached(door.stage)
    await door.receive(opened(door, payment_id))
    door.stage.twin.progress(intent_id, "canceled")
    door.dropped.clear()

    (canceled,) = [one for one in door.thin(CANCELED) if one.invoice_payment_id == payment_id]
    await door.receive(canceled)

    assert door.dropped[0] == Touched(invoice_id, ACME, intent_id, payment_id)
    assert facts(await door.held())[-1] == ("CANCELED", payment_id)


async def test_a_default_payment_was_attached_by_nobody(door: Door) -> None:
    """Stripe opens it with every invoice; that the invoice has changed is all there is to say."""
    door.stage.open_invoice()

    taken = await door.receive(*door.thin(OPEN), *door.thin(OPEN))

    assert taken == [1, 0]
    assert [one.type for one in await door.held()] == ["INVOICE_CHANGED"]


async def test_a_canceled_payment_is_told_without_asking_for_its_intent(door: Door) -> None:
    """One read, of the payment, and no look for others of the intent."""
    _, intent_id, payment_id = attached(door.stage)
    door.stage.twin.progress(intent_id, "canceled")

    taken = await door.receive(*door.thin(CANCELED))

    assert taken == [1]
    assert facts(await door.held()) == [("CANCELED", payment_id)]
    assert "find" not in door.steps.taken


async def test_an_event_of_a_payment_that_only_thin_ones_tell_keeps_its_name(door: Door) -> None:
    """Stripe may come to send what this release has never heard of."""
    invoice_id, _, payment_id = attached(door.stage)
    failed = replace(opened(door, payment_id), type="v1.invoice_payment.failed")

    await door.receive(failed)

    (entry,) = await door.held()
    assert (entry.type, entry.raw_type) == ("INVOICE_CHANGED", "v1.invoice_payment.failed")
    assert entry.invoice_id == invoice_id


def the_last(door: Door, raw_type: str) -> list[Hint]:
    """Both events about the fact of this type that has happened last, the snapshot event first."""
    return [door.hints(raw_type)[-1], door.thin(raw_type)[-1]]


def of_type(door: Door, raw_type: str) -> list[Hint]:
    """Both events about one such fact."""
    stage = door.stage
    match raw_type.partition(".")[0]:
        case "credit_note":
            stage.twin.credit(CreditNoteDraft(stage.open_invoice(1000), 250))
        case _:
            stage.paid_by(500)
    return the_last(door, raw_type)


BOTH = [PAID, "invoice.updated", "invoice.paid", "invoice.finalized", "credit_note.created"]
both = pytest.mark.parametrize("raw_type", BOTH)


@both
@pytest.mark.parametrize(
    "order", list(permutations(range(2))), ids=["snapshot first", "thin first"]
)
async def test_both_events_of_a_fact_are_one_entry_and_one_read(
    raw_type: str, order: tuple[int, ...], door: Door
) -> None:
    """Whichever comes first, and when both come again."""
    events = of_type(door, raw_type)
    in_order = [events[at] for at in order]

    taken = await door.receive(*in_order, *in_order)

    assert taken == [1, 0, 0, 0]
    assert door.reads() == 1


@both
async def test_both_events_at_once_are_one_entry_and_one_read(raw_type: str, door: Door) -> None:
    """Also where the thin one does not say the invoice, so that they are not gathered together."""
    events = of_type(door, raw_type)

    taken = await door.receive_at_once(*events, *events[::-1])

    assert sum(taken) == 1
    assert door.reads() == 1


def replicas(count: int = 2) -> list[Door]:
    """Intakes of one account over one log."""
    stage, log = Stage.empty(), MemoryEventLog(EPOCH)
    return [Door.over(stage, log, owner=f"replica {at}") for at in range(count)]


@both
async def test_both_events_at_once_on_two_replicas_are_one_entry_and_one_read(
    raw_type: str,
) -> None:
    """The second waits for the first instead of asking Stripe as well."""
    one, two = replicas()
    snapshot, thin = of_type(one, raw_type)

    taken = await asyncio.gather(one.receive(thin), two.receive(snapshot))

    assert sum(map(sum, taken)) == 1
    assert one.reads() + two.reads() == 1
    assert len(await one.held()) == 1


async def test_a_replica_goes_on_where_another_has_failed() -> None:
    """Stripe was away for the first: its claim ends with that, and no event waits for it."""
    one, two = replicas()
    snapshot, thin = of_type(one, PAID)
    one.steps.broken = "read"

    with pytest.raises(ConnectionError):
        await one.receive(thin)

    names = [f"event:{thin.event_id}", f"event:{snapshot.event_id}"]
    assert await two.log.claim(names, "replica 1") is Claim.OURS
    assert await two.receive(snapshot) == [1]


async def test_a_replica_that_is_gone_holds_nothing_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has claimed a fact and never came back; the claim is over after a while."""
    log, loop = MemoryEventLog(EPOCH), asyncio.get_running_loop()
    await log.claim(["event:1", "state:1"], "gone")
    before = await log.claim(["state:1"], "other")
    later = loop.time() + CLAIM_SECONDS + 1

    monkeypatch.setattr(loop, "time", lambda: later)
    after = await log.claim(["state:1"], "other")

    assert (before, after) == (Claim.OTHERS, Claim.OURS)


async def test_after_a_restart_what_is_known_is_not_read() -> None:
    """The log remembers names; what the process before had read is gone."""
    stage, log = Stage.empty(), MemoryEventLog(EPOCH)
    before = Door.over(stage, log)
    snapshot, thin = of_type(before, PAID)
    await before.receive(snapshot)

    after = Door.over(stage, log)
    taken = await after.receive(thin)

    assert (taken, after.reads()) == ([0], 0)


async def test_a_log_that_is_away_in_the_middle_loses_and_doubles_nothing() -> None:
    """The thin event was read and not appended; its snapshot event comes before its repeat."""
    door = Door.over(Stage.empty(), BrokenAt(1))
    snapshot, thin = of_type(door, PAID)

    with pytest.raises(OSError, match="no disk"):
        await door.receive(thin)
    taken = await door.receive(snapshot, thin)

    assert taken == [1, 0]
    assert len(door.published) == 1


async def test_what_is_known_by_its_state_is_known_by_its_name_from_then_on(door: Door) -> None:
    """Two events without a word of each other tell one turn; and one of them comes again when the
    payment can no longer be asked."""
    invoice_id, (intent_id,) = door.stage.paid_by(500)
    snapshot, thin = the_last(door, PAID)
    thin = replace(thin, snapshot_event_id=None, is_snapshot_unsaid=True)
    await door.receive(snapshot)
    door.stage.twin.detach(invoice_id, intent_id)

    taken = await door.receive(thin, thin)

    assert taken == [0, 0]
    assert door.reads() == 1


ATTACHED_BY_US = LogEntry(
    type="ATTACHED",
    raw_type="gateway.invoice_payment.attached",
    origin="MUTATION",
    occurred_at=1,
    account="acct_1",
    livemode=False,
    invoice_id="",
    tenant="partner",
    idempotency_key="key-1",
)


class Attach:
    """An attach of ours: Stripe has done it, and somebody has yet to announce it."""

    def __init__(self, *, names_payment: bool = True, doors: list[Door] | None = None) -> None:
        self.doors = doors or [Door.over(Stage.empty(), caller_of=self.caller_of)]
        stage = self.doors[0].stage
        invoice_id, intent_id = stage.open_invoice(500), stage.intent(500)
        request = Request("req_1", "gw_1")
        self.payment_id = stage.twin.attach(invoice_id, intent_id, request=request).id
        self.thin = opened(self.doors[0], self.payment_id)
        self.entry = replace(
            ATTACHED_BY_US,
            invoice_id=invoice_id,
            customer_id=ACME,
            payment_intent_id=intent_id,
            invoice_payment_id=self.payment_id if names_payment else None,
        )

    @staticmethod
    async def caller_of(stripe_key: str) -> tuple[str, str] | None:
        return ("partner", "key-1") if stripe_key == "gw_1" else None

    async def announce(self, door: Door) -> list[int]:
        await door.intake.announce(self.entry, "gw_1")
        return []


@pytest.mark.parametrize("names_payment", [True, False], ids=["by payment", "by key"])
@pytest.mark.parametrize("first", ["announced", "thin", "at once"])
async def test_our_own_attach_and_stripes_event_about_it_are_one(
    first: str, names_payment: bool
) -> None:
    """Whoever caused it is told with the caller's key, so that its client can drop the echo."""
    attach = Attach(names_payment=names_payment)
    (door,) = attach.doors
    steps = [attach.announce(door), door.receive(attach.thin)]

    if first == "at once":
        await asyncio.gather(*steps)
    else:
        for step in steps if first == "announced" else steps[::-1]:
            await step

    (entry,) = await door.held()
    assert (entry.type, entry.idempotency_key) == ("ATTACHED", "key-1")
    assert door.reads() <= 1


async def test_our_own_attach_is_known_before_anything_is_read() -> None:
    """The usual order costs no call."""
    attach = Attach()
    (door,) = attach.doors
    await attach.announce(door)

    taken = await door.receive(attach.thin)

    assert (taken, door.reads()) == ([0], 0)


async def test_our_own_attach_on_one_replica_and_its_event_on_another_are_one() -> None:
    """They share the log and nothing else."""
    attach = Attach(doors=replicas())
    one, two = attach.doors

    await asyncio.gather(attach.announce(one), two.receive(attach.thin))

    assert facts(await one.held()) == [("ATTACHED", attach.payment_id)]


async def test_a_default_that_our_request_has_opened_is_not_its_attach(door: Door) -> None:
    """A request may open two payments, and the event about the default may be the first to come."""
    door.stage.open_invoice(500)
    (default,) = door.thin(OPEN)
    attach = Attach(doors=[door])

    await door.receive(replace(default, request_key="gw_1"))
    await attach.announce(door)
    await door.receive(attach.thin)

    assert [one.type for one in await door.held()] == ["INVOICE_CHANGED", "ATTACHED"]


async def test_a_payment_that_is_gone_before_anybody_has_named_its_invoice_is_told_by_nobody(
    door: Door,
) -> None:
    """Attached and taken off before its event is read: nobody can say whose invoice it was on. That
    it left is told by the event that names the invoice."""
    invoice_id, (intent_id,) = door.stage.paid_by(500)
    attach = door.thin(OPEN)[-1]
    door.stage.twin.detach(invoice_id, intent_id)

    taken = await door.receive(attach, *door.hints(DETACHED))

    assert taken == [0, 1]
    assert [one.type for one in await door.held()] == ["DETACHED"]


async def test_a_payment_that_is_gone_was_attached_where_its_invoice_is_known(door: Door) -> None:
    """Attached, paid, detached, and only then the event about the first of it: still told, once."""
    invoice_id, (intent_id,) = door.stage.paid_by(500)
    attach = door.thin(OPEN)[-1]
    door.stage.twin.detach(invoice_id, intent_id)

    await door.receive(*door.hints(PAID), *door.hints(DETACHED), attach, attach)

    assert [one.type for one in await door.held()] == ["PAID", "DETACHED", "ATTACHED"]
    assert {one.invoice_id for one in await door.held()} == {invoice_id}


async def test_a_payment_that_is_gone_is_not_taken_for_the_one_our_request_attached() -> None:
    """Whether it was the default nobody can say, so the key alone proves nothing."""
    attach = Attach()
    (door,) = attach.doors
    stage = door.stage
    invoice_id, (intent_id,) = stage.paid_by(500)
    gone = replace(door.thin(OPEN)[-1], request_key="gw_1")
    stage.twin.detach(invoice_id, intent_id)

    await door.receive(*door.hints(PAID), gone)
    await attach.announce(door)

    assert [one.type for one in await door.held()] == ["PAID", "ATTACHED", "ATTACHED"]


async def test_a_canceled_intent_and_its_canceled_payments_are_one_fact_each(door: Door) -> None:
    """Stripe tells of the intent by two events and of each payment by one, in any order."""
    stage = door.stage
    intent_id = stage.intent(1000)
    for amount in (600, 400):
        stage.twin.attach(stage.open_invoice(amount), intent_id, amount_requested=amount)
    stage.twin.progress(intent_id, "canceled")
    events = [*the_last(door, "payment_intent.canceled"), *door.thin(CANCELED)]

    for order in permutations(range(len(events))):
        apart = Door.over(stage)
        await apart.receive(*(events[at] for at in order))
        assert [one.type for one in await apart.held()] == ["CANCELED"] * 2, order


async def test_a_canceled_intent_that_is_known_is_not_looked_for_again(door: Door) -> None:
    """By either of its two events, once all its payments are in the log."""
    _, intent_id, _ = attached(door.stage)
    door.stage.twin.progress(intent_id, "canceled")

    taken = await door.receive(*the_last(door, "payment_intent.canceled"))

    assert taken == [1, 0]
    assert door.steps.taken.count("find") == 1


@pytest.mark.parametrize("first", ["snapshot", "thin"])
async def test_an_intent_is_canceled_once(first: str, door: Door) -> None:
    """Its two events may have no word of each other; the second looks for nothing."""
    _, intent_id, _ = attached(door.stage)
    door.stage.twin.progress(intent_id, "canceled")
    snapshot = door.hints("payment_intent.canceled")
    events = snapshot + door.thin("payment_intent.canceled", said=False)

    taken = await door.receive(*(events if first == "snapshot" else events[::-1]))

    assert taken == [1, 0]
    assert door.steps.taken.count("find") == 1


async def test_one_that_does_not_say_is_asked_once_and_its_invoice_is_only_dropped(
    door: Door,
) -> None:
    """Nothing but the name of the snapshot event tells that both are one fact: that is the call
    which the fact may cost, and readers ask for the invoice by themselves."""
    invoice_id = door.stage.open_invoice()
    await door.receive(hint("evt_0", invoice_id=invoice_id))
    (snapshot,), (thin,) = (
        door.hints("invoice.finalized"),
        door.thin("invoice.finalized", said=False),
    )
    door.names_snapshots({thin.event_id: snapshot.event_id})
    before = door.reads()

    taken = await door.receive(thin, snapshot, thin)

    assert taken == [1, 0, 0]
    assert door.reads() - before == 1
    assert door.dropped[-1].invoice_id == invoice_id


async def test_one_that_does_not_say_is_the_fact_that_was_told_before(door: Door) -> None:
    """And is not asked again when it comes again."""
    door.stage.open_invoice()
    (snapshot,), (thin,) = (
        door.hints("invoice.finalized"),
        door.thin("invoice.finalized", said=False),
    )
    door.names_snapshots({thin.event_id: snapshot.event_id})

    taken = await door.receive(snapshot, thin, thin)

    assert taken == [1, 0, 0]
    assert door.steps.taken.count("ask") == 1


async def test_of_two_replicas_one_asks_what_a_thin_event_does_not_say() -> None:
    """The other waits, and finds the fact in the log by the event's own name."""
    one, two = replicas()
    one.stage.open_invoice()
    (thin,) = one.thin("invoice.finalized", said=False)

    taken = await asyncio.gather(one.receive(thin), two.receive(thin))

    assert sorted(taken) == [[0], [1]]
    assert one.steps.taken.count("ask") + two.steps.taken.count("ask") == 1


async def test_another_replica_asks_where_the_first_was_not_told() -> None:
    """Stripe was away: the first holds nothing up."""
    one, two = replicas()
    one.stage.open_invoice()
    (thin,) = one.thin("invoice.finalized", said=False)
    one.steps.broken = "ask"
    with pytest.raises(ConnectionError):
        await one.receive(thin)

    assert await two.log.claim([f"event:{thin.event_id}"], "replica 1") is Claim.OURS
    assert await two.receive(thin) == [1]


@pytest.mark.parametrize("raw_type", [PAID, OPEN, CANCELED])
async def test_one_that_does_not_say_is_not_asked_where_its_state_says_it(
    raw_type: str, door: Door
) -> None:
    """A payment enters a state once."""
    _, intent_id, _ = attached(door.stage)
    door.stage.twin.progress(intent_id, "canceled")
    door.stage.paid_by(500)

    await door.receive(*door.thin(raw_type, said=False))

    assert "ask" not in door.steps.taken


@pytest.mark.parametrize("raw_type", ["payment_intent.succeeded", "customer.updated"])
async def test_a_thin_event_that_is_no_entry_drops_what_is_cached(
    raw_type: str, door: Door
) -> None:
    """As the snapshot event about the same."""
    event = hint(type=f"v1.{raw_type}", payment_intent_id="pi_1", customer_id=ACME)

    taken = await door.receive(event)

    assert (taken, await door.held()) == ([0], [])
    assert door.dropped == [Touched(None, ACME, "pi_1")]


async def test_a_thin_event_about_an_intent_drops_its_customers_lists(door: Door) -> None:
    """Which depend on the customer, whom it does not name."""
    intent_id = door.stage.succeeded()

    await door.receive(*door.thin("payment_intent.succeeded"))

    assert door.dropped == [Touched(None, ACME, intent_id)]


async def test_a_canceled_intent_that_pays_nothing_drops_its_customers_lists(door: Door) -> None:
    """There is no invoice that would say whose it is."""
    intent_id = door.stage.intent()
    door.stage.twin.progress(intent_id, "canceled")

    await door.receive(*door.thin("payment_intent.canceled"))

    assert door.dropped == [Touched(None, None, intent_id), Touched(None, ACME, None)]


async def test_what_is_caught_up_with_says_so(door: Door) -> None:
    """An attach that no webhook brought; whether it is the default is read for it all the same."""
    _, _, payment_id = attached(door.stage)

    taken = await door.intake.receive(opened(door, payment_id), EventOrigin.RECONCILED)

    (entry,) = await door.held()
    assert (taken, entry.type, entry.origin) == (1, "ATTACHED", "RECONCILED")


async def test_a_thin_event_comes_again_while_its_snapshot_event_is_read(door: Door) -> None:
    """It waits, and then finds the fact in the log."""
    snapshot, thin = of_type(door, PAID)
    gate = door.steps.gates["read"] = asyncio.Event()
    first = asyncio.create_task(door.receive(snapshot))
    while "read" not in door.steps.taken:
        await turn()
    second = asyncio.create_task(door.receive(thin))
    await turn()
    is_early = second.done()

    gate.set()

    assert (await first, await second, is_early) == ([1], [0], False)
    assert door.reads() == 1
