"""The Stripe backend: a real account behind the port.

Reads go through the fetch plan, writes through `writes.py`; this class only ties them together
and remembers what the account has turned out not to support.
"""

from __future__ import annotations

from typing import Any

from gateway.backends.fetch_plan import FetchPlan
from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.writes import StripeWrites
from schema.ports import (
    Attached,
    AttachPayment,
    BackendDescription,
    BackendKind,
    Capability,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    Loaded,
    Needs,
    Viewer,
)


class StripeBackend:
    """See `schema.ports.InvoiceBackend`."""

    def __init__(
        self, api: StripeApi, *, account: str, livemode: bool, preview_version: str
    ) -> None:
        self._api = api
        self._account = account
        self._livemode = livemode
        self._able = set(Capability)
        self._writes = StripeWrites(
            api, preview_version=preview_version, on_unsupported=self._able.discard
        )

    def describe(self) -> BackendDescription:
        return BackendDescription(
            kind=BackendKind.STRIPE,
            account=self._account,
            livemode=self._livemode,
            stripe_api_version=self._api.stripe_version,
            capabilities=frozenset(self._able),
        )

    async def load(self, viewer: Viewer, needs: Needs) -> Loaded[Any]:
        return await FetchPlan.of(self._api, viewer).load(needs)

    async def attach_payment(self, viewer: Viewer, command: AttachPayment) -> Attached:
        return await self._writes.attach(viewer, command)

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        return await self._writes.detach(viewer, command)

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        return await self._writes.create_credit_note(viewer, command)

    async def close(self) -> None:
        await self._api.close()
