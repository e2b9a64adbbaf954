"""From events to events with their objects: everything that a page or an item needs, in one load.

Objects are read after the event has reached the log, so they are never older than it.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import strawberry

from schema import ports
from schema.context import Context, Info, LinkedObjects, field_needs
from schema.fields import field, require
from schema.invoice_payment_event import (
    EventsLoaded,
    InvoicePaymentEventFilter,
    InvoicePaymentStreamItem,
    event_filter,
)
from schema.ports import (
    ROOT,
    ById,
    Computed,
    ErrorCode,
    EventListing,
    Failed,
    Loaded,
    Meter,
    Needs,
    bad_input,
    root_needs,
)
from schema.scalars import EventCursor

SECRET = Computed("confirmation_secret")


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


async def load_query(context: Context, needs_of_query: Needs) -> Loaded[Any]:
    """Answer a whole query: the log's pages first, then every object in one call of the port."""
    wanted = needs_of_query.of(ROOT)
    if EventListing not in map(type, wanted):
        return await context.load(needs_of_query)
    rest, pages = Needs(), {}
    for need, deeper in wanted.items():
        if not isinstance(need, EventListing):
            rest.add(ROOT, need, deeper)
            continue
        pages[need] = page = await _page(context, need, deeper)
        if isinstance(page, ports.EventPage):
            rest.merge(_objects(deeper).needs(page.events))
    root = await context.load(rest)
    for need, page in pages.items():
        if isinstance(page, ports.EventPage):
            objects = _objects(wanted[need])
            items = [objects.shown(event, root) for event in page.events]
            root.children[need] = EventsLoaded(page, items)
        else:
            root.children[need] = page
    return Loaded(None, root.children)  # More decides about it than the objects.


def _objects(needs_of_event: Needs) -> LinkedObjects:
    return LinkedObjects(needs_of_event.of("InvoicePaymentEvent"), quiet=True)


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


@dataclass(frozen=True, slots=True)
class Listening:
    """What one subscription reads: from where on, which events, and which objects with them."""

    start: str | None
    where: ports.EventFilter
    objects: LinkedObjects


async def listening(
    context: Context,
    needs: Needs,
    filter: InvoicePaymentEventFilter | None = None,
    after: str | None = None,
) -> Listening:
    """What the arguments of a subscription mean for its caller. Raises `Failed`."""
    start = context.events.newer(after, context.resume_after)
    where = event_filter(filter)
    require(context.viewer, "events:read")
    check_no_secret(needs)
    await _check_named(context, where)
    return Listening(start, where, _objects(needs))


async def load_event(
    context: Context, event: ports.InvoicePaymentEvent, objects: LinkedObjects
) -> Loaded[Any]:
    """The objects of an event, read after it has reached the log."""
    context.meter = Meter(context.viewer.tenant)
    telling = ports.Telling(event.invoice_id)
    return await context.load(objects.needs([event]), telling=telling)


@strawberry.type(description="Everything that can be listened to.")
class Subscription:
    @field(
        "Invoice payment events as they happen: first a checkpoint, then everything after "
        "`after`, then live. Nothing is delivered twice and nothing is left out in silence.",
        is_subscription=True,
    )
    async def invoice_payment_events(
        self,
        info: Info,
        filter: InvoicePaymentEventFilter | None = None,
        after: EventCursor | None = None,
    ) -> AsyncGenerator[InvoicePaymentStreamItem, None]:
        context = info.context
        read = await listening(context, field_needs(info), filter, after)
        source = context.events.subscribe(context.viewer, after=read.start, where=read.where)
        try:
            async for item in source:
                yield await _delivered(context, item, read.objects)
        finally:
            await source.aclose()


async def _delivered(context: Context, item: ports.StreamItem, objects: LinkedObjects) -> Any:
    context.item_cursor = item.resumes_at if isinstance(item, ports.StreamGap) else item.cursor
    if not isinstance(item, ports.InvoicePaymentEvent):
        return item
    return objects.shown(item, await load_event(context, item, objects))
