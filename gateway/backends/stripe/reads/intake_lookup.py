"""What the intake asks Stripe for itself: whose an invoice is, and what a payment looks like now.

It has the shape of `gateway.events.intake.Lookup`, which it must not import. Whatever Stripe does
not know is an answer; whatever keeps it from answering raises `Failed`, and the event comes again.
Source: https://docs.stripe.com/api/invoices/update (no `customer` among what can be changed) and
https://docs.stripe.com/api/invoice-payment/list, 2026-10-28.endive.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.stripe_objects.reading import embedded_list, fields_of, invoice_payment_record
from schema.ports import ErrorCode, Failed, Meter
from schema.records import InvoicePayment

CUSTOMERS_KEPT_MAX = 10_000
"""About 2 MB; an invoice's events come in bursts, so a few hundred would do for most."""
PAGE_SIZE = 100
PAGES_MAX = 10
"""A thousand invoices that one intent pays: more is an answer that cannot be right."""

Answer = TypeVar("Answer")


class Api(Protocol):
    """The part of `StripeApi` that is needed here."""

    async def get(self, path: str, params: dict[str, Any], meter: Meter) -> dict[str, Any]: ...


class StripeLookup:
    """Answers one intake. Repeats are harmless."""

    def __init__(
        self,
        api: Api,
        *,
        customers_kept_max: int = CUSTOMERS_KEPT_MAX,
    ) -> None:
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
        raw = await _known(self._get(f"/v1/invoices/{invoice_id}"))
        if raw is None or raw.get("deleted") is True:
            return False, None
        invoice = fields_of(raw, "invoice")
        customer_id = invoice.reference("customer")
        if invoice.text("status") not in (None, "draft"):
            self._keep(invoice_id, customer_id)
        return True, customer_id

    async def payment(self, invoice_payment_id: str) -> InvoicePayment | None:
        raw = await _known(self._get(f"/v1/invoice_payments/{invoice_payment_id}"))
        return None if raw is None else invoice_payment_record(raw)

    async def payments_of_intent(self, payment_intent_id: str) -> list[InvoicePayment]:
        """All invoice payments by this intent, whatever their status; none for an unknown one."""
        payment = {"type": "payment_intent", "payment_intent": payment_intent_id}
        params: dict[str, Any] = {"payment": payment, "limit": PAGE_SIZE}
        found: list[InvoicePayment] = []
        for _ in range(PAGES_MAX):
            raw = await _known(self._get("/v1/invoice_payments", params))
            rows, has_more = ([], False) if raw is None else embedded_list(raw)
            found += [invoice_payment_record(row) for row in rows]
            if not has_more or not found:
                return found
            params = {**params, "starting_after": found[-1].id}
        raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's list of invoice payments does not end")

    async def _get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return await self._api.get(path, params or {}, self._meter)

    def _keep(self, invoice_id: str, customer_id: str | None) -> None:
        self._customers[invoice_id] = customer_id
        if len(self._customers) > self._customers_kept_max:
            self._customers.popitem(last=False)


async def _known(reading: Awaitable[Answer]) -> Answer | None:
    """The answer, or None where Stripe says that there is no such object."""
    try:
        return await reading
    except Failed as failed:
        if failed.code is not ErrorCode.NOT_FOUND:
            raise
        return None
