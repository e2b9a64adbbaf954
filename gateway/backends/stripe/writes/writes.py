"""Attach, detach and credit at Stripe, with as few calls as can be had, and never in the dark.

What Stripe refuses is explained by the ledger, so that a refusal has the same code whatever the
backend. What it leaves open is read back. The idempotency key in a command is Stripe's already;
a repeat with it changes nothing. Writes on one invoice go one after the other, as Stripe answers
`lock_timeout` to those that meet. It keeps no journal and announces nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.writes.account import PREVIEW_VERSION, Account
from gateway.backends.stripe.writes.attach import Attaching
from gateway.backends.stripe.writes.credit_note import Crediting
from gateway.backends.stripe.writes.detach import Detaching
from gateway.backends.supplier import FIRST, Attempt
from schema.ports import (
    AttachPayment,
    Capability,
    Command,
    CreateCreditNote,
    DetachPayment,
    Meter,
    Outcome,
    Viewer,
)


@dataclass(slots=True)
class StripeWrites:
    """The writes for one account. `on_unsupported` hears of what it cannot do."""

    api: StripeApi
    on_unsupported: Callable[[Capability], None]
    preview_version: str = PREVIEW_VERSION
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def write(
        self, viewer: Viewer, command: Command, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        """One call to attach, two to detach, one to issue a credit note; more for a restricted
        viewer, and three to attach what was paid elsewhere. Raises `Refused`."""
        account = Account(self.api, self.on_unsupported, self.preview_version, meter, attempt)
        async with self._turn(command.invoice_id):
            match command:
                case AttachPayment():
                    return await Attaching(account, viewer, command).run()
                case DetachPayment():
                    return await Detaching(account, viewer, command).run()
                case CreateCreditNote():
                    return await Crediting(account, viewer, command).run()

    def _turn(self, invoice_id: str) -> asyncio.Lock:
        """The lock of one invoice, which lives as long as somebody holds or awaits it."""
        return self._turns.setdefault(invoice_id, asyncio.Lock())
