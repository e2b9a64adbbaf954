"""What the three writes share: one request that is sent once, the looks before and after it, and
how a write that Stripe did not do, or perhaps did, is told to the caller.

Source: https://docs.stripe.com/api/idempotent_requests, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.backends.stripe.client import PostResult, StripeApi
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.reads.fetch_plan import Known
from gateway.backends.stripe.writes.invoice_state import InvoiceBooks, Source, SourceRef
from gateway.backends.supplier import NOTHING, Attempt, Found, key_reused, no_such_invoice
from schema import records
from schema.ports import Capability, Command, ErrorCode, Failed, Meter, RefusalCode, Refused, Viewer

PREVIEW_VERSION = "2026-09-30.preview"
"""The version that has `detach_payment` and `amount_requested`; asked for by these calls only.
Source: https://docs.stripe.com/api/invoices/detach_payment."""

CLOCK_SECONDS_MAX = 300
"""How far our clock may be ahead of Stripe's; more events than needed only leave more open."""

STORED_FAILURE = "upstream_failed"
"""The rule of a failure that Stripe has stored under the key."""

Params = dict[str, Any]
"""The form of a write, before the SDK encodes it."""

C = TypeVar("C", bound=Command)
Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class StripeWrite(Generic[C]):
    """Who asks for what, where it goes, on whose meter, and as which try of a recorded write.

    `on_unsupported` hears of what this account turns out not to have. Used once.
    """

    api: StripeApi
    on_unsupported: Callable[[Capability], None]
    preview_version: str
    viewer: Viewer
    command: C
    meter: Meter
    attempt: Attempt

    @property
    def invoice_id(self) -> str:
        return self.command.invoice_id

    @property
    def key(self) -> str:
        return self.command.idempotency_key

    @property
    def books(self) -> InvoiceBooks:
        return InvoiceBooks(self.api, self.meter, self.invoice_id)

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
        key: str,
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
                idempotency_key=key,
                version=version,
                may_go=lambda: self.attempt.may_send,
            )
        except WriteUnknown as unknown:
            if unknown.key_reused and not self.attempt.in_doubt:
                raise key_reused() from None
            raise

    async def settled(
        self,
        send: Callable[[], Awaitable[Seen]],
        look: Callable[[WriteUnknown], Awaitable[Seen | None]],
        *,
        seen: str = "",
    ) -> Seen:
        """What was sent, or what a look has shown of it after its answer was lost.

        Where the look cannot tell whose work it saw (None), the same key is sent once more, and
        only what settles the matter counts; else it stays as unknown as it was. Raises `Refused`.
        """
        try:
            return await send()
        except WriteUnknown as unknown:
            first = unknown
        found = await look(first)
        if found is not None:
            return found
        try:
            return await send()
        except WriteUnknown as unknown:
            raise self.unknown(unknown, seen=seen) from None
        except Refused as refused:
            if refused.settles or refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN:
                raise
        raise self.unknown(first, seen=seen)

    async def look(self, reading: Awaitable[Seen], missing: Refused | None = None) -> Seen:
        """What must be known before a write is sent; `missing` is told where there is no such
        object, and else that there is no such invoice. Raises `Refused`: nothing has been sent."""
        try:
            return await reading
        except Failed as failed:
            if failed.code is ErrorCode.NOT_FOUND:
                raise missing or no_such_invoice(self.invoice_id) from None
            raise not_sent(failed) from None

    async def own_invoice(self) -> records.Invoice:
        """Raises `Refused` NOT_FOUND for another's as for one that does not exist."""
        return self.checked(await self.look(self.books.invoice()))

    def checked(self, invoice: records.Invoice) -> records.Invoice:
        """The invoice, if it is the viewer's. Raises `Refused`."""
        if not self.viewer.sees(invoice.customer_id):
            raise no_such_invoice(invoice.id)
        return invoice

    async def source(self, source: SourceRef) -> Source:
        """Raises `Refused`."""
        return await self.look(self.books.source(source), source.missing())

    async def check_source_owner(self, source: SourceRef) -> None:
        if not self.viewer.sees((await self.source(source)).customer_id):
            raise source.missing()

    async def look_back(self, reading: Awaitable[Seen], unknown: WriteUnknown) -> Seen:
        """What can be known after an answer was lost. Raises `Refused`: still unknown."""
        try:
            return await reading
        except Failed:
            raise self.unknown(unknown) from None

    def unsupported(
        self, capability: Capability | None, what: str, rejected: WriteRejected
    ) -> Refused:
        """The refusal, after the capability (if all of it is missing) was taken back."""
        if capability is not None:
            self.on_unsupported(capability)
        refused = Refused(
            RefusalCode.UNSUPPORTED_BY_BACKEND,
            "unsupported_by_stripe_account",
            f"this Stripe account cannot {what}: see gateway.capabilities",
        )
        return explained_by(refused, rejected)

    def rejected(self, rejected: WriteRejected) -> Refused:
        """A refusal of Stripe's for which no rule of the ledger stands."""
        if rejected.status in (401, 403):
            words = "the gateway's key has no right to do this: see invoice-gateway doctor"
        else:
            words = rejected.message or f"status {rejected.status}, without a message"
        refused = Refused(
            RefusalCode.UPSTREAM_REJECTED,
            rejected.stripe_code or "upstream_rejected",
            f"Stripe refused this: {words}",
            invoice_id=self.invoice_id,
        )
        return explained_by(refused, rejected)

    def unknown(self, unknown: WriteUnknown, *, seen: str = "", retryable: bool = True) -> Refused:
        """Perhaps done; `seen` says what a look showed, if there was one. The key decides on a
        repeat, unless it holds a failure: then what is there must do, and it may prove nothing."""
        return Refused(
            RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
            "upstream_outcome_unknown",
            f"Stripe's answer was lost{seen}: repeat it with the same idempotencyKey, which cannot "
            "do it twice",
            invoice_id=self.invoice_id,
            stripe_request_id=unknown.request_id,
            retryable=retryable,
            retry_after_seconds=1 if retryable else None,
            looked=bool(seen),
        )

    def not_done(self, unknown: WriteUnknown) -> Refused:
        """A failure that Stripe has stored under the key, and that changed nothing.

        It is a definite end, unlike a fresh failure, so the journal's next attempt gets a new key.
        """
        return Refused(
            RefusalCode.UPSTREAM_UNAVAILABLE,
            STORED_FAILURE,
            "Stripe failed and did nothing, as a look at the invoice showed: repeat it",
            invoice_id=self.invoice_id,
            stripe_request_id=unknown.request_id,
            retryable=True,
            retry_after_seconds=1,
            settles=True,
        )


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


def explained_by(refused: Refused, rejected: WriteRejected) -> Refused:
    """The refusal with Stripe's own code, request id and page beside our rule."""
    refused.stripe_code = rejected.stripe_code
    refused.stripe_request_id = rejected.request_id
    refused.doc_url = rejected.doc_url
    refused.settles = rejected.settles
    return refused


def not_sent(failed: Failed) -> Refused:
    """A write that was not sent, because what must be known before it could not be read."""
    is_limited = failed.code is ErrorCode.UPSTREAM_RATE_LIMITED
    code = RefusalCode.UPSTREAM_RATE_LIMITED if is_limited else RefusalCode.UPSTREAM_UNAVAILABLE
    return Refused(
        code,
        code.value.lower(),
        f"nothing was sent, because a look at the invoice failed ({failed.message}): repeat it "
        "with the same key",
        stripe_code=failed.extensions.get("stripeCode"),
        stripe_request_id=failed.extensions.get("requestId"),
        retryable=True,
        retry_after_seconds=failed.extensions.get("retryAfterSeconds", 1),
    )
