"""The history checker: what clients were told, against Stripe's state, the log and the streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.crash.watcher import Event, Watcher
from tests.crash.world import World
from tests.crash.writers import History, Stranger


def repeated(names: Iterable[Any]) -> list[Any]:
    return [name for name, count in Counter(names).items() if count > 1]


def missing(world: World, history: History, log: list[Event]) -> set[str]:
    """What must be in the log and is not yet: keys of writes and ids of Stripe's events."""
    keys = {f"{write.key} {write.type}" for write in history.acknowledged}
    changes = set(world.event_ids("invoice.", "payment_intent.canceled"))
    paid = {one.object.id for one in world.twin.events if one.type == "invoice_payment.paid"}
    detached = {
        one.object.id for one in world.twin.events if one.type == "invoice_payment.detached"
    }
    return (
        (keys - {f"{event['idempotencyKey']} {event['type']}" for event in log})
        | (changes - {event["sourceEventId"] for event in log})
        | (paid - {one["invoicePaymentId"] for one in log if one["type"] == "PAID"})
        | (detached - {one["invoicePaymentId"] for one in log if one["type"] == "DETACHED"})
    )


def check_state(world: World, history: History, strangers: Iterable[Stranger]) -> None:
    """Stripe did each acknowledged write once, and nothing else."""
    wanted = Counter(write.type for write in history.acknowledged)
    attached = {(one.invoice_id, one.intent_id): one.type for one in history.acknowledged}
    for stranger in strangers:
        wanted["ATTACHED"] += (stranger.changes + 1) // 2
        wanted["DETACHED"] += stranger.changes // 2
        if stranger.changes:
            last = "ATTACHED" if stranger.changes % 2 else "DETACHED"
            attached[stranger.invoice_id, stranger.intent_id] = last
    done = Counter(one.type for one in world.twin.events)

    assert history.refused == []
    assert done["invoice_payment.paid"] == wanted["ATTACHED"]
    assert done["invoice_payment.detached"] == wanted["DETACHED"]
    for invoice in list(world.twin.invoices):
        expected = sorted(
            intent_id
            for (invoice_id, intent_id), last in attached.items()
            if invoice_id == invoice.id and last == "ATTACHED"
        )
        assert world.attached(invoice.id) == expected
        money = sum(world.twin.intent(intent_id).amount for intent_id in expected)
        assert invoice.amount_paid == money


def check_log(world: World, history: History, log: list[Event]) -> None:
    """One entry for each acknowledged write and each event of Stripe's, none of them twice."""
    written = Counter(
        (event["idempotencyKey"], event["type"], event["invoiceId"], event["paymentIntentId"])
        for event in log
        if event["idempotencyKey"] is not None and event["type"] in ("ATTACHED", "DETACHED")
    )
    wanted = Counter(
        (write.key, write.type, write.invoice_id, write.intent_id) for write in history.acknowledged
    )

    assert missing(world, history, log) == set()
    assert written == wanted
    assert repeated(event["cursor"] for event in log) == []
    assert repeated(one["sourceEventId"] for one in log if one["sourceEventId"]) == []
    for type in ("ATTACHED", "PAID", "DETACHED"):
        assert repeated(one["invoicePaymentId"] for one in log if one["type"] == type) == []
    known = set(world.event_ids(""))
    assert [one for one in log if one["sourceEventId"] and one["sourceEventId"] not in known] == []


def check_stream(watcher: Watcher, log: list[Event]) -> None:
    """Everything behind its first cursor, once and in the order of the log."""
    assert watcher.problems == []
    assert watcher.cursors == [event["cursor"] for event in log]
    assert [_fact(event) for event in watcher.events] == [_fact(event) for event in log]


def _fact(event: Event) -> tuple[Any, ...]:
    return tuple(
        event[name] for name in ("type", "rawType", "sourceEventId", "invoicePaymentId", "origin")
    )
