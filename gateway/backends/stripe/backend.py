"""The Stripe backend: a real account behind both ports.

What Stripe refuses is explained by the ledger, so that a refusal has the same code whatever the
backend; what it leaves open is read back. The idempotency key in a command is Stripe's already: a
repeat with it changes nothing. It keeps no journal and announces nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.reads.calls import Calls
from gateway.backends.stripe.reads.fetch_plan import Known, load
from gateway.backends.stripe.reads.reallocation import BothInvoices
from gateway.backends.stripe.writes.attach import Attaching
from gateway.backends.stripe.writes.attach_reported import ReportingAndAttaching
from gateway.backends.stripe.writes.credit_note import Crediting
from gateway.backends.stripe.writes.detach import Detaching
from gateway.backends.stripe.writes.stripe_write import PREVIEW_VERSION, not_sent
from gateway.backends.stripe.writes.void_credit_note import Voiding
from gateway.backends.supplier import FIRST, Attempt
from gateway.ledger.reallocation import Reallocation
from schema.ports import (
    AttachPayment,
    BackendDescription,
    BackendKind,
    Capability,
    CreateCreditNote,
    DetachPayment,
    Failed,
    Loaded,
    Meter,
    Needs,
    Outcome,
    ReallocatePayment,
    Step,
    Viewer,
    VoidCreditNote,
)


@dataclass(slots=True)
class StripeWrites:
    """The writes for one account. `on_unsupported` hears of what it cannot do.

    Those on one invoice go one after the other, as Stripe answers `lock_timeout` where they meet.
    """

    api: StripeApi
    on_unsupported: Callable[[Capability], None]
    preview_version: str = PREVIEW_VERSION
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def write(
        self, viewer: Viewer, command: Step, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        """One call to attach and to issue a credit note, two to detach and to void a note; more for
        a restricted viewer, and three to attach what was paid elsewhere. Raises `Refused`."""
        to = (self.api, self.on_unsupported, self.preview_version)
        async with self._turns.setdefault(command.invoice_id, asyncio.Lock()):
            match command:
                case AttachPayment(out_of_band=None):
                    return await Attaching(*to, viewer, command, meter, attempt).run()
                case AttachPayment():
                    return await ReportingAndAttaching(*to, viewer, command, meter, attempt).run()
                case DetachPayment():
                    return await Detaching(*to, viewer, command, meter, attempt).run()
                case CreateCreditNote():
                    return await Crediting(*to, viewer, command, meter, attempt).run()
                case VoidCreditNote():
                    return await Voiding(*to, viewer, command, meter, attempt).run()


class StripeBackend:
    """See `gateway.backends.supplier.Supplier`. It remembers what the account does not support."""

    def __init__(
        self, api: StripeApi, *, account: str, livemode: bool, preview_version: str
    ) -> None:
        self._api = api
        self._account = account
        self._livemode = livemode
        self._able = set(Capability)
        self.write = StripeWrites(api, self._able.discard, preview_version).write

    def describe(self) -> BackendDescription:
        return BackendDescription(
            kind=BackendKind.STRIPE,
            account=self._account,
            livemode=self._livemode,
            stripe_api_version=self._api.stripe_version,
            capabilities=frozenset(self._able),
        )

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> None:
        """Stripe has to be asked."""

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        calls = Calls(self._api, viewer, meter)
        for one in known if isinstance(known, tuple) else (known,):
            if isinstance(one, Known):
                one.pour_into(calls.pool)
        return await load(calls, needs)

    async def both_invoices(
        self, viewer: Viewer, asked: ReallocatePayment, meter: Meter
    ) -> Reallocation:
        try:
            return await BothInvoices(self._api, viewer, asked, meter).read()
        except Failed as failed:
            raise not_sent(failed) from None

    async def close(self) -> None:
        await self._api.close()
