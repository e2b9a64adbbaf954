"""The Stripe backend: a real account behind both ports.

Reads go through the fetch plan, writes through `writes.py`; this class only ties them together
and remembers what the account has turned out not to support.
"""

from __future__ import annotations

from typing import Any

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.reads.calls import Calls
from gateway.backends.stripe.reads.fetch_plan import Known, load
from gateway.backends.stripe.writes.writes import StripeWrites
from gateway.backends.supplier import FIRST, Attempt
from schema.ports import (
    BackendDescription,
    BackendKind,
    Capability,
    Command,
    Loaded,
    Meter,
    Needs,
    Outcome,
    Viewer,
)


class StripeBackend:
    """See `gateway.backends.supplier.Supplier`."""

    def __init__(
        self, api: StripeApi, *, account: str, livemode: bool, preview_version: str
    ) -> None:
        self._api = api
        self._account = account
        self._livemode = livemode
        self._able = set(Capability)
        self._writes = StripeWrites(api, self._able.discard, preview_version)

    def describe(self) -> BackendDescription:
        return BackendDescription(
            kind=BackendKind.STRIPE,
            account=self._account,
            livemode=self._livemode,
            stripe_api_version=self._api.stripe_version,
            capabilities=frozenset(self._able),
        )

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        calls = Calls(self._api, viewer, meter)
        if isinstance(known, Known):
            known.pour_into(calls.pool)
        return await load(calls, needs)

    async def write(
        self, viewer: Viewer, command: Command, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        return await self._writes.write(viewer, command, meter, attempt)

    async def close(self) -> None:
        await self._api.close()
