"""Attach, detach and credit at Stripe, with as few calls as can be had, and never in the dark.

What Stripe refuses is explained by the ledger, so that a refusal has the same code whatever the
backend. What it leaves open is read back. The idempotency key in a command is Stripe's already;
a repeat with it changes nothing. Writes on one invoice go one after the other, as Stripe answers
`lock_timeout` to those that meet. It keeps no journal and announces nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from gateway.backends.stripe.attaching import Attaching
from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.crediting import Crediting
from gateway.backends.stripe.detaching import Detaching
from gateway.backends.stripe.invoice_book import InvoiceBooks
from gateway.backends.stripe.writing import PREVIEW_VERSION, Account
from schema.ports import (
    Attached,
    AttachPayment,
    Capability,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    Viewer,
)

__all__ = ["PREVIEW_VERSION", "StripeWrites"]


class StripeWrites:
    """The writes of the port, for one account. `on_unsupported` hears of what it cannot do."""

    def __init__(
        self,
        api: StripeApi,
        *,
        on_unsupported: Callable[[Capability], None],
        preview_version: str = PREVIEW_VERSION,
    ) -> None:
        self._account = Account(api, InvoiceBooks(api), on_unsupported, preview_version)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def attach(self, viewer: Viewer, command: AttachPayment) -> Attached:
        """Attach; one call, two more for a restricted viewer, three in all out of band.

        Raises `Refused`.
        """
        async with self._turn(command.invoice_id):
            return await Attaching(self._account, viewer, command).run()

    async def detach(self, viewer: Viewer, command: DetachPayment) -> Detached:
        """Detach; two calls. Raises `Refused`."""
        async with self._turn(command.invoice_id):
            return await Detaching(self._account, viewer, command).run()

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        """Issue a credit note; one call, two for a restricted viewer. Raises `Refused`."""
        async with self._turn(command.draft.invoice_id):
            return await Crediting(self._account, viewer, command).run()

    def _turn(self, invoice_id: str) -> asyncio.Lock:
        """The lock of one invoice, which lives as long as somebody holds or awaits it."""
        return self._turns.setdefault(invoice_id, asyncio.Lock())
