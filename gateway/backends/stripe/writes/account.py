"""What the three writes share: the account they write to, and how a look before one is taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.backends.stripe.client import PostResult, StripeApi
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.reads.fetch_plan import Known
from gateway.backends.stripe.writes import refusals
from gateway.backends.stripe.writes.invoice_state import InvoiceBooks
from gateway.backends.supplier import NOTHING, Attempt, Found, key_reused, no_such, no_such_invoice
from schema import records
from schema.ports import Capability, ErrorCode, Failed, Meter, RefusalCode, Refused, Viewer

PREVIEW_VERSION = "2026-09-30.preview"
"""The version that has `detach_payment` and `amount_requested`; asked for by these calls only.
Source: https://docs.stripe.com/api/invoices/detach_payment."""

CLOCK_SECONDS_MAX = 300
"""How far our clock may be ahead of Stripe's; more events than needed only leave more open."""

EXPAND = ("payments.data.payment.payment_intent",)
"""The same for every caller, as Stripe compares parameters when a key is used again."""

Params = dict[str, Any]
"""The form of a write, before the SDK encodes it."""

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Account:
    """Where a write goes, on whose meter, and as which try of a recorded write. `on_unsupported`
    hears of what this account turns out not to have."""

    api: StripeApi
    on_unsupported: Callable[[Capability], None]
    preview_version: str
    meter: Meter
    attempt: Attempt

    @property
    def books(self) -> InvoiceBooks:
        return InvoiceBooks(self.api, self.meter)

    @property
    def since_first_sent(self) -> int | None:
        """From when on Stripe's events may be about this write; None where nobody knows."""
        sent_at = self.attempt.sent_at
        return None if sent_at is None else sent_at - CLOCK_SECONDS_MAX

    async def send(
        self,
        path: str,
        params: Params,
        *,
        idempotency_key: str,
        version: str | None = None,
        found: Found = NOTHING,
    ) -> PostResult:
        """One request of a write, recorded before it goes out with what was found so far.

        Raises as `StripeApi.post`, and `Refused` for a key that was used with another input. A key
        that Stripe may have forgotten is not sent: what became of it is unknown.
        """
        if not self.attempt.may_send:
            raise WriteUnknown()
        await self.attempt.going_out(found)
        try:
            return await self.api.post(
                path,
                params,
                self.meter,
                idempotency_key=idempotency_key,
                version=version,
                may_go=lambda: self.attempt.may_send,
            )
        except WriteUnknown as unknown:
            if unknown.key_reused and not self.attempt.in_doubt:
                raise key_reused() from None
            raise

    def unsupported(
        self, capability: Capability | None, what: str, rejected: WriteRejected
    ) -> Refused:
        """The refusal, after the capability (if all of it is missing) was taken back."""
        if capability is not None:
            self.on_unsupported(capability)
        return refusals.unsupported(what, rejected)


async def look(reading: Awaitable[Seen], kind: str, object_id: str, path: tuple[str, ...]) -> Seen:
    """What must be known before a write is sent. Raises `Refused`: nothing has been sent."""
    try:
        return await reading
    except Failed as failed:
        if failed.code is ErrorCode.NOT_FOUND:
            raise no_such(kind, object_id, path) from None
        raise refusals.not_sent(failed) from None


def check_owner(viewer: Viewer, invoice: records.Invoice) -> None:
    """Raises `Refused` NOT_FOUND, as for an invoice that does not exist."""
    if not viewer.sees(invoice.customer_id):
        raise no_such_invoice(invoice.id)


async def look_back(reading: Awaitable[Seen], unknown: WriteUnknown, invoice_id: str) -> Seen:
    """What can be known after a write whose answer was lost. Raises `Refused`: still unknown."""
    try:
        return await reading
    except Failed:
        raise refusals.outcome_unknown(unknown, invoice_id) from None


async def asked_again(
    asking: Awaitable[Seen], unknown: WriteUnknown, invoice_id: str, *, seen: str
) -> Seen:
    """What the same key is answered once more, after a look that could not tell whose work it saw.

    Raises `Refused`: whatever does not settle the matter leaves it as unknown as it was.
    """
    try:
        return await asking
    except Refused as refused:
        if refused.settles or refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN:
            raise
    raise refusals.outcome_unknown(unknown, invoice_id, seen=seen)


async def glance(reading: Awaitable[Seen]) -> Seen | None:
    """What may be known after a write: None where it cannot be read now."""
    try:
        return await reading
    except Failed:
        return None


def known_from(result: PostResult, *met: records.PaymentIntent | None) -> Known | None:
    """What the load after this write need not ask for, with intents that were met before it and
    are settled. None where the answer was made for an earlier request: it may be old."""
    if not result.current:
        return None
    return Known(result.body, tuple(one for one in met if one is not None and one.is_settled))


def invoice_path(invoice_id: str, verb: str) -> str:
    return f"/v1/invoices/{invoice_id}/{verb}"
