"""From events to events with their objects: everything that a page or an item needs, in one load.

Objects are read after the event has reached the log, so they are never older than it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

from schema import ports
from schema.context import Context, Info
from schema.fields import require
from schema.invoice_payment_event import EventsLoaded
from schema.ports import (
    ROOT,
    ById,
    Computed,
    ErrorCode,
    EventListing,
    Failed,
    Link,
    Loaded,
    Meter,
    Need,
    Needs,
    bad_input,
    root_needs,
)

SECRET = Computed("confirmation_secret")
OBJECTS: dict[Need, str] = {
    Link("invoice"): "Invoice",
    Link("invoice_payment"): "InvoicePayment",
    Link("payment_intent"): "PaymentIntent",
}
"""The objects that an event's fields lead to; it holds their ids."""


def _objects(
    event: ports.InvoicePaymentEvent, needs_of_event: Needs
) -> list[tuple[Need, ById, Needs]]:
    """What the event's fields need, as needs of the root."""
    ids = (event.invoice_id, event.invoice_payment_id, event.payment_intent_id)
    wanted = needs_of_event.of("InvoicePaymentEvent")
    return [
        (need, ById(kind, object_id, quiet=True), wanted[need])
        for (need, kind), object_id in zip(OBJECTS.items(), ids, strict=True)
        if object_id is not None and need in wanted
    ]


def needs_of_events(events: Iterable[ports.InvoicePaymentEvent], needs_of_event: Needs) -> Needs:
    """Everything that these events need, as one set of root needs: equal ids are loaded once."""
    return root_needs(
        (by_id, deeper) for event in events for _, by_id, deeper in _objects(event, needs_of_event)
    )


def check_no_secret(needs: Needs) -> None:
    """A confirmation secret is never part of an event. Raises `Failed`, saying where it is."""
    for of_type in needs.by_type.values():
        for need, deeper in of_type.items():
            if need == SECRET:
                raise bad_input(
                    "confirmationSecret is a secret and never part of an event: ask the query "
                    "invoice for it"
                )
            check_no_secret(deeper)


def with_objects(
    event: ports.InvoicePaymentEvent, needs_of_event: Needs, root: Loaded[Any]
) -> Loaded[Any]:
    """The event with what was loaded for it."""
    loaded: Loaded[Any] = Loaded(event, dict.fromkeys(OBJECTS))
    for need, by_id, _ in _objects(event, needs_of_event):
        loaded.children[need] = root.children[by_id]
    return loaded


async def load_query(context: Context, needs_of_query: Needs) -> Loaded[Any]:
    """Answer a whole query: the log's pages first, then every object in one call of the port."""
    wanted = needs_of_query.of(ROOT)
    listings = [need for need in wanted if isinstance(need, EventListing)]
    if not listings:
        return await context.load(needs_of_query)
    rest = root_needs((need, wanted[need]) for need in wanted if need not in listings)
    pages = {need: await _page(context, need, wanted[need]) for need in listings}
    for need, page in pages.items():
        if isinstance(page, ports.EventPage):
            rest.merge(needs_of_events(page.events, wanted[need]))
    root = await context.load(rest)
    for need, page in pages.items():
        root.children[need] = (
            EventsLoaded(page, [with_objects(event, wanted[need], root) for event in page.events])
            if isinstance(page, ports.EventPage)
            else page
        )
    return root


async def _page(
    context: Context, need: EventListing, needs_of_event: Needs
) -> ports.EventPage | Failed:
    try:
        require(context.viewer, "events:read")
        check_no_secret(needs_of_event)
        return await context.events.page(
            context.viewer, first=need.first, after=need.after, where=need.where
        )
    except Failed as failed:
        return failed


async def _check_named(context: Context, where: ports.EventFilter) -> None:
    """Who is restricted to customers cannot listen to what is not theirs. Raises `Failed`
    NOT_FOUND, as for what does not exist.

    What cannot be looked up now is let through: each event is checked for itself anyway.
    """
    mine = context.viewer.customers
    if mine is None:
        return
    for customer_id in sorted(where.customer_ids - mine):
        raise Failed(ErrorCode.NOT_FOUND, f"no such Customer: {customer_id}")
    named = [ById("Invoice", invoice_id) for invoice_id in sorted(where.invoice_ids)]
    if not named:
        return
    root = await context.load(root_needs((need, Needs()) for need in named))
    for need in named:
        outcome = root.children[need]
        if isinstance(outcome, Failed) and outcome.code is ErrorCode.NOT_FOUND:
            raise outcome


async def stream(
    info: Info, where: ports.EventFilter, after: str | None, needs_of_item: Needs
) -> AsyncGenerator[Any, None]:
    """The live stream, each event with its objects read after it reached the log."""
    context = info.context
    require(context.viewer, "events:read")
    check_no_secret(needs_of_item)
    await _check_named(context, where)
    source = context.events.subscribe(context.viewer, after=after, where=where)
    try:
        async for item in source:
            context.item_cursor = (
                item.resumes_at if isinstance(item, ports.StreamGap) else item.cursor
            )
            if isinstance(item, ports.InvoicePaymentEvent):
                context.meter = Meter(context.viewer.tenant)
                wanted = needs_of_events([item], needs_of_item)
                yield with_objects(item, needs_of_item, await context.load(wanted))
            else:
                yield item
    finally:
        await source.aclose()
