"""The promises about events: each told once, in one order, and nothing read older than they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.simulation.history import OK, History, Seen, Snapshot, State, StripeEvent
from tests.simulation.plan import CREDIT_NOTE, DETACH, REALLOCATE, VOID, Plan, Write

PREFIXES = ("invoice.", "credit_note.")
OPENED, DETACHED = "invoice_payment.open", "invoice_payment.detached"
ONE_FACT = {"invoice_payment.paid": "PAID", "invoice_payment.detached": "DETACHED"}
OVERPAID = ("invoice.overpaid", "invoice.payment.overpaid")


def one_order_for_all(plan: Plan, history: History) -> Iterator[str]:
    """Every subscriber gets the log from its beginning on, without gap, repeat or exchange."""
    log = [one.cursor for one in history.log]
    if len(set(log)) != len(log):
        yield "the log holds a cursor twice"
    for subscriber in history.subscribers:
        got = [one.cursor for one in subscriber.seen]
        owed = log if subscriber.begins not in log else log[log.index(subscriber.begins) + 1 :]
        if subscriber.begins is None:
            yield f"{subscriber.name} was never connected"
        elif got != owed and not (subscriber.begins not in log and got == log[-len(got) or 99 :]):
            yield f"{subscriber.name} {_difference(got, owed, history)}"
        for reason in subscriber.gaps:
            if reason != "SLOW_CONSUMER" or plan.queue_max > 64:
                yield f"{subscriber.name} was told of a gap that is none: {reason}"


def _difference(got: list[str], owed: list[str], history: History) -> str:
    names = {one.cursor: f"{one.raw_type} {one.payment_id or ''}" for one in history.log}
    missed = [names[one] for one in owed if one not in got]
    extra = [one for one, count in (Counter(got) - Counter(owed)).items() if count]
    if missed:
        return f"missed {missed}"
    return (
        f"got too much: {[names.get(one, one) for one in extra]}" if extra else "got another order"
    )


def same_for_all(plan: Plan, history: History) -> Iterator[str]:
    """One cursor is one fact, whoever gets it."""
    facts = {one.cursor: (one.raw_type, one.source_event_id, one.payment_id) for one in history.log}
    for subscriber in history.subscribers:
        for one in subscriber.seen:
            fact = (one.raw_type, one.source_event_id, one.payment_id)
            if facts.get(one.cursor, fact) != fact:
                yield f"{subscriber.name} got {fact} for {facts[one.cursor]}"


def told_once_of_stripes_events(plan: Plan, history: History) -> Iterator[str]:
    by_event = Counter(one.source_event_id for one in history.log if one.source_event_id)
    gone = {one.payment_id for one in history.events if one.type == DETACHED}
    turned: Counter[tuple[str, str | None]] = Counter()
    for one in history.log:
        if one.type in ("PAID", "DETACHED"):
            turned[one.type, one.payment_id] += 1
            if not one.payment_id:
                yield f"{one.type} names no payment: {one.raw_type} of {one.key}"
    happened: Counter[tuple[str, str | None]] = Counter()
    for event in history.events:
        count = sum(by_event[one] for one in event.told_as)
        if event.type in ONE_FACT:
            happened[ONE_FACT[event.type], event.payment_id] += 1
        elif event.type.startswith(PREFIXES) and count != 1:
            yield f"{event.type} {event.id} is in the log {count} times"
        elif event.type == OPENED:
            yield from _told_of_opened(plan, history, event, count, event.payment_id in gone)
    for fact in happened.keys() | turned.keys():
        if turned[fact] != happened[fact] and fact[1]:
            yield f"{fact[0]} of {fact[1]} happened {happened[fact]} times, told {turned[fact]}"


def _told_of_opened(
    plan: Plan, history: History, event: StripeEvent, count: int, is_gone: bool
) -> Iterator[str]:
    """Who attached it elsewhere is told by thin events alone. A payment that is gone before anybody
    has read it, and whose invoice nobody knows, is told to nobody."""
    if not event.is_default:
        count = sum(
            (one.type, one.payment_id) == ("ATTACHED", event.payment_id) for one in history.log
        )
    is_owed = "thin" in plan.sends and not is_gone
    if count > 1 or (is_owed and not count):
        yield f"{event.type} of {event.payment_id} is in the log {count} times"


def told_once_of_our_writes(plan: Plan, history: History) -> Iterator[str]:
    attached = Counter(one.payment_id for one in history.log if one.type == "ATTACHED")
    ours = {one.object_id for one in history.effects if one.kind == "attached"}
    for payment_id in attached:
        if payment_id not in ours:
            yield f"ATTACHED names {payment_id!r}, which was never attached"
    for write in plan.writes:
        done = [one for one in history.calls if one.write == write.number and one.code == OK]
        if write.kind == DETACH:
            continue
        mine = [one for one in history.log if one.key == write.key and _is_ours(one, write)]
        is_free = write.kind == REALLOCATE and all(one.placed == "FREE" for one in done)
        if done and len(mine) != (0 if is_free else 1):
            yield f"{write.key} ({write.kind}) was done, and told {len(mine)} times"
        if len(mine) > 1:
            yield f"{write.key} ({write.kind}) was told {len(mine)} times"
    for payment_id, count in attached.items():
        if count > 1:
            yield f"ATTACHED of {payment_id} is in the log {count} times"


def _is_ours(one: Seen, write: Write) -> bool:
    if write.kind == CREDIT_NOTE:
        return one.raw_type == "gateway.credit_note.created"
    if write.kind == VOID:
        return one.raw_type == "gateway.credit_note.voided"
    return one.type == "ATTACHED"


def nothing_older_than_its_event(plan: Plan, history: History) -> Iterator[str]:
    """What is read for an event, or after it, is as it was then or later."""
    since = _versions(history)
    for subscriber in history.subscribers:
        for one in subscriber.seen:
            version = since.get(one.cursor)
            if version is None:
                continue
            if one.state is not None and not is_current(
                history, one.invoice_id, one.state, version
            ):
                yield f"{subscriber.name} got {one.raw_type} {one.cursor} with {one.state}: older"
            yield from _payment_is_current(history, subscriber.name, one, version)
    for read in history.reads:
        version = since.get(read.after.cursor)
        if version is None:
            continue
        later = _from(history.snapshots[read.invoice_id], version)
        # The invoice and its payments are two calls to Stripe, each as new as the event or newer.
        states, payments = {one.state for one in later}, [one.payments for one in later]
        if read.state not in states or not _are_current(read.payments, payments):
            yield (
                f"a reader at {read.gateway} ({read.at:g} s) got {read.state} with "
                f"{sorted(read.payments)}, older than {read.after.raw_type} which it had seen"
            )


EMBEDDED = 10
"""Payments that Stripe's invoice shows by itself; the rest of a list is another call."""


def _are_current(read: frozenset[tuple[str, str]], later: list[frozenset[tuple[str, str]]]) -> bool:
    """Whether these payments are as they were together, or, where they came in two calls, each by
    itself: none that was never there, and none missing that was there all the time."""
    if read in later:
        return True
    ids = {payment_id for payment_id, _ in read}
    lasting = [{payment_id for payment_id, _ in one} for one in later]
    return (
        any(len(one) > EMBEDDED for one in later)
        and read <= frozenset().union(*later)
        and set.intersection(*lasting) <= ids
    )


def _payment_is_current(history: History, name: str, one: Seen, version: int) -> Iterator[str]:
    if one.payment_id is None or one.payment_failed:
        return
    later = _from(history.snapshots.get(one.invoice_id, []), version)
    statuses = {dict(snapshot.payments).get(one.payment_id) for snapshot in later}
    status = None if one.payment is None else one.payment[1]
    if later and status not in statuses:
        yield f"{name} got {one.raw_type} with its payment {status}, which is {statuses}: older"


def _versions(history: History) -> dict[str, int]:
    """From which version on each entry of the log holds."""
    of_event = {each: one.version for one in history.events for each in one.told_as}
    of_effect = {(one.kind, one.object_id): one.version for one in history.effects}
    kinds = {"ATTACHED": "attached", "DETACHED": "detached"}
    found = {}
    for one in history.log:
        if one.source_event_id is not None:
            version = of_event.get(one.source_event_id)
        else:
            version = of_effect.get((kinds.get(one.type, ""), one.payment_id or ""))
        if version is not None:
            found[one.cursor] = version
    return found


def _from(snapshots: list[Snapshot], version: int) -> list[Snapshot]:
    """What was so at the version, and everything after it."""
    at = 0
    for place, snapshot in enumerate(snapshots):
        if snapshot.version <= version:
            at = place
    return snapshots[at:]


def is_current(history: History, invoice_id: str, state: State, version: int) -> bool:
    return any(one.state == state for one in _from(history.snapshots[invoice_id], version))


EVENT_PROMISES = (
    one_order_for_all,
    same_for_all,
    told_once_of_stripes_events,
    told_once_of_our_writes,
    nothing_older_than_its_event,
)
