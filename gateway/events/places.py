"""Which invoice an invoice payment or a credit note belongs to: a thin event does not say.

Only what never changes is remembered, so that nothing here can grow stale. It asks nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.events.hints import Hint
from schema.records import InvoicePayment

PLACES_KEPT_MAX = 10_000
"""About 3 MB; a payment's events come in bursts, so a few hundred would do for most."""


@dataclass(frozen=True, slots=True)
class Place:
    """`is_default` is None where only an event has named the payment."""

    invoice_id: str
    payment_intent_id: str | None = None
    is_default: bool | None = None

    @classmethod
    def of(cls, payment: InvoicePayment) -> Place:
        by_intent = payment.source_type == "payment_intent"
        intent_id = payment.source_id if by_intent else None
        return cls(payment.invoice_id, intent_id, payment.is_default)


@dataclass(slots=True)
class Places:
    """Those that were named or read last, by the object's id."""

    kept_max: int = PLACES_KEPT_MAX
    _places: OrderedDict[str, Place] = field(default_factory=OrderedDict)

    def completed(self, hint: Hint) -> Hint:
        """The event with the invoice of what it is about, if that is known. One that says so itself
        is remembered."""
        related = hint.related
        if related is None:
            return hint
        place = self._places.get(related.id)
        if hint.invoice_id is not None:
            if place is None:
                self.learn(related.id, Place(hint.invoice_id, hint.payment_intent_id))
            return hint
        if place is None:
            return hint
        self._places.move_to_end(related.id)
        return replace(hint, invoice_id=place.invoice_id, payment_intent_id=place.payment_intent_id)

    def is_default(self, payment_id: str | None) -> bool | None:
        """Whether Stripe keeps it by itself, None where that is not known."""
        place = self._places.get(payment_id or "")
        return None if place is None else place.is_default

    def learn(self, object_id: str, place: Place) -> None:
        self._places[object_id] = place
        self._places.move_to_end(object_id)
        if len(self._places) > self.kept_max:
            self._places.popitem(last=False)

    def learn_payments(self, ids: Iterable[str], read: Mapping[str, InvoicePayment]) -> None:
        """Of the payments that events are about; an invoice may have many others."""
        for payment_id in ids:
            if payment_id in read:
                self.learn(payment_id, Place.of(read[payment_id]))
