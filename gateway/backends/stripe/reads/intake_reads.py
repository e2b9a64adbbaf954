"""What the intake asks Stripe for itself, with the gateway's own share of the rate budget: whose an
invoice is, what a payment looks like now, and the list of events in the order they happened.

Whatever Stripe does not know is an answer; whatever keeps it from answering raises `Failed`, and
the event comes again. It judges no event.
Source: https://docs.stripe.com/api/invoices/update (no `customer` among what can be changed),
https://docs.stripe.com/api/invoice-payment/list, https://docs.stripe.com/api/events/list and
https://docs.stripe.com/webhooks/process-undelivered-events, 2026-10-28.endive.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from typing import Any

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.stripe_objects.reading import (
    embedded_list,
    fields_of,
    invoice_payment_record,
    is_id,
    malformed,
)
from schema.ports import PAGE_SIZE_MAX, ErrorCode, Failed, Meter
from schema.records import InvoicePayment

CUSTOMERS_KEPT_MAX = 10_000
"""About 2 MB; an invoice's events come in bursts, so a few hundred would do for most."""
PAYMENT_PAGES_MAX = 10
"""A thousand invoices that one intent pays: more is an answer that cannot be right."""
EVENT_PAGES_MAX = 100_000
"""Ten million events: no account's 30 days; a guard against reading in circles."""
PATH = "/v1/events"

Page = list[dict[str, Any]]


class StripeLookup:
    """See `gateway.events.intake.Lookup`, which must not be imported. Repeats are harmless."""

    def __init__(self, api: StripeApi, *, customers_kept_max: int = CUSTOMERS_KEPT_MAX) -> None:
        self._api = api
        self._meter = Meter.without_cap(SYSTEM_CALLER)
        self._customers_kept_max = customers_kept_max
        self._customers: OrderedDict[str, str | None] = OrderedDict()

    async def customer_of(self, invoice_id: str) -> tuple[bool, str | None]:
        """Whether Stripe knows the invoice, and whose it is.

        Kept once the invoice is finalized: it is then a numbered document, and no call of Stripe's
        moves it to another customer. Only ids are kept, so nothing here can grow stale.
        """
        if invoice_id in self._customers:
            self._customers.move_to_end(invoice_id)
            return True, self._customers[invoice_id]
        raw = await self._known(f"/v1/invoices/{invoice_id}", {})
        if raw is None or raw.get("deleted") is True:
            return False, None
        invoice = fields_of(raw, "invoice")
        customer_id = invoice.reference("customer")
        if invoice.text("status") not in (None, "draft"):
            self._customers[invoice_id] = customer_id
            if len(self._customers) > self._customers_kept_max:
                self._customers.popitem(last=False)
        return True, customer_id

    async def payment(self, invoice_payment_id: str) -> InvoicePayment | None:
        raw = await self._known(f"/v1/invoice_payments/{invoice_payment_id}", {})
        return None if raw is None else invoice_payment_record(raw)

    async def payments_of_intent(self, payment_intent_id: str) -> list[InvoicePayment]:
        """All invoice payments by this intent, whatever their status; none for an unknown one."""
        payment = {"type": "payment_intent", "payment_intent": payment_intent_id}
        params: dict[str, Any] = {"payment": payment, "limit": PAGE_SIZE_MAX}
        found: list[InvoicePayment] = []
        for _ in range(PAYMENT_PAGES_MAX):
            raw = await self._known("/v1/invoice_payments", params)
            rows, has_more = ([], False) if raw is None else embedded_list(raw)
            found += [invoice_payment_record(row) for row in rows]
            if not has_more or not found:
                return found
            params = {**params, "starting_after": found[-1].id}
        raise _endless("invoice payments")

    async def _known(self, path: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, or None where Stripe says that there is no such object."""
        try:
            return await self._api.get(path, params, self._meter)
        except Failed as failed:
            if failed.code is not ErrorCode.NOT_FOUND:
                raise
            return None


class StripeEventReader:
    """Reads one account's events, a page at a time.

    Stripe's list is newest first and can be read forwards only from a known event, so the event
    before the wanted time is looked up first. It is not filtered by type: a filter takes 20 names
    and the gateway follows more, some of which cannot be named on every account.
    """

    def __init__(
        self, api: StripeApi, *, page_size: int = PAGE_SIZE_MAX, pages_max: int = EVENT_PAGES_MAX
    ) -> None:
        self._api = api
        self._meter = Meter.without_cap(SYSTEM_CALLER)
        self._page_size = page_size
        self._pages_max = pages_max

    async def events_since(self, created_from: int) -> AsyncGenerator[dict[str, Any], None]:
        """Every event from this second on, oldest first, up to what there is at the end.

        Holds one page at a time. Events that happen while it reads come as well. Raises `Failed`.
        """
        before, _ = await self._page(1, created={"lt": created_from})
        last = before[0] if before else None
        if last is None:
            last = await self._oldest()
            if last is None:
                return
            yield last
        for _ in range(self._pages_max):
            page, has_more = await self._page(self._page_size, ending_before=last["id"])
            for event in reversed(page):
                yield event
            if not page or not has_more:
                return
            last = page[0]
        raise _endless("events")

    async def _oldest(self) -> dict[str, Any] | None:
        """The oldest event of all, found by walking back: only where the wanted time is before it,
        which is on a young account, or 30 days back."""
        oldest: dict[str, Any] | None = None
        where: dict[str, Any] = {}
        for _ in range(self._pages_max):
            page, has_more = await self._page(self._page_size, **where)
            oldest = page[-1] if page else oldest
            if oldest is None or not page or not has_more:
                return oldest
            where = {"starting_after": oldest["id"]}
        raise _endless("events")

    async def _page(self, limit: int, **where: Any) -> tuple[Page, bool]:
        """One page of events with ids, newest first in either direction. Raises `Failed`."""
        raw = await self._api.get(PATH, {"limit": limit, **where}, self._meter)
        rows, has_more = embedded_list(raw)
        if not all(isinstance(row, dict) and is_id(row.get("id")) for row in rows):
            raise malformed("event", None, "id", "must be an id")
        return rows, has_more


def _endless(things: str) -> Failed:
    return Failed(ErrorCode.UPSTREAM_ERROR, f"Stripe's list of {things} does not end")
