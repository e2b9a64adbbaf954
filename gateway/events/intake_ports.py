"""What the intake asks of others: upstream, and what is cached of it.

Implemented where the objects come from, and handed in by the composition root.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from schema.records import InvoicePayment


@dataclass(frozen=True, slots=True)
class Touched:
    """What an event may have changed. The customer is the invoice's, or else the intent's."""

    invoice_id: str | None
    customer_id: str | None
    payment_intent_id: str | None
    invoice_payment_id: str | None = None


class Brought(Protocol):
    """What one read has brought. `customers` are those of the invoices that there are, by the
    invoices' ids; `payments` the invoice payments that came along, by theirs."""

    @property
    def customers(self) -> Mapping[str, str | None]: ...

    @property
    def payments(self) -> Mapping[str, InvoicePayment]: ...


class Lookup(Protocol):
    """How the intake asks upstream. Reads raise when upstream cannot be asked."""

    def customer_known(self, invoice_id: str) -> tuple[bool, str | None]:
        """Whether it is known whose an invoice is, and whose."""
        ...

    async def turn(self, invoice_id: str | None) -> None:
        """Wait until this invoice, or the payments of an intent, may be read."""
        ...

    async def invoice(
        self, invoice_id: str, *, turned: Collection[str] = (), detached: Collection[str] = ()
    ) -> Brought:
        """An invoice with its payments, in a turn that was taken. Those that `turned` are looked
        up if they do not come along, those that were `detached` are known to be gone then."""
        ...

    async def payments_of_intent(self, intent_id: str) -> Brought:
        """All payments by this intent and their invoices, in a turn that was taken."""
        ...

    async def related_turn(self, kind: str, object_id: str) -> None:
        """Wait until this invoice payment or credit note may be read."""
        ...

    async def related(self, kind: str, object_id: str) -> Brought:
        """An invoice payment or a credit note with the one invoice it belongs to, in a turn that
        was taken; neither where it is gone."""
        ...

    async def customer_of_intent(self, intent_id: str) -> str | None:
        """Whose an intent is, which a thin event about it does not say; None where it is nobody's,
        gone, or not to be read by this key."""
        ...

    async def snapshot_of(self, event_id: str) -> str | None:
        """The snapshot event about the same fact as this thin one; None where there is none."""
        ...


class Renewal(Protocol):
    """One read for an event, begun after its drop."""

    async def drop(self, touched: Touched) -> None:
        """Drop what the read has shown to be touched as well. Raises unless it is certain."""
        ...

    async def keep(self, brought: Any) -> None:
        """Keep what the read has brought, for those who will be told of the event."""
        ...


class ObjectCache(Protocol):
    """What is cached of the objects that events are about."""

    async def drop(self, touched: Touched) -> None:
        """Forget it. Raises `OSError` unless that is certain."""
        ...

    def renewing(self, touched: Sequence[Touched]) -> AbstractAsyncContextManager[Renewal]:
        """Forget it for a read that begins then. Raises `OSError` unless that is certain."""
        ...
