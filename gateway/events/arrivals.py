"""One event on its way into the log, and the entry that it becomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.events.fact_names import names_at_first, turn_name, twin_names
from gateway.events.hints import ENTERED_ONCE, TURNED_ONCE, Hint, has_only_thin
from gateway.events.intake_ports import Touched
from gateway.events.log import LogEntry
from gateway.events.places import Places
from schema.ports import EventOrigin, EventType
from schema.records import InvoicePayment

CallerOf = Callable[[str], Awaitable[tuple[str, str] | None]]
"""Who sent Stripe this key: tenant and the caller's own key."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """`names` are those of its fact that can be told before anything is read."""

    hint: Hint
    kind: EventType
    origin: EventOrigin
    names: tuple[str, ...]

    @classmethod
    def of(cls, hint: Hint, kind: EventType, origin: EventOrigin) -> Arrival:
        return cls(hint, kind, origin, names_at_first(hint, kind))

    @property
    def entered_payment_id(self) -> str | None:
        """The payment that has entered a state, which its event alone cannot tell all about."""
        return self.hint.invoice_payment_id if self.kind.value in ENTERED_ONCE else None


@dataclass(frozen=True, slots=True)
class Entries:
    """Makes the entries of one account."""

    places: Places
    caller_of: CallerOf
    account: str
    livemode: bool

    async def of(
        self, arrival: Arrival, customer_id: str | None, payments: Mapping[str, InvoicePayment]
    ) -> LogEntry:
        """The entry of an event whose invoice is known. Nobody has attached a default payment:
        Stripe keeps it by itself. One that is gone before it was asked for counts as attached, as
        the default stays while it is open; but not as the one that the request has attached."""
        hint, kind, names = arrival.hint, arrival.kind, arrival.names
        assert hint.invoice_id is not None
        is_default = self.places.is_default(hint.invoice_payment_id)
        if kind is EventType.ATTACHED and is_default:
            kind = EventType.INVOICE_CHANGED
        caller = None
        if hint.request_key is not None:
            caller = await self.caller_of(hint.request_key)
            may_be_twin = kind is not EventType.ATTACHED or is_default is False
            if hint.invoice_payment_id is not None and may_be_twin:
                names += twin_names(kind, hint.invoice_payment_id, hint.request_key)
        if kind.value in TURNED_ONCE:
            names += (turn_name(hint, kind, payments),)
        return LogEntry(
            type=kind.value,
            raw_type=hint.type,
            origin=arrival.origin.value,
            occurred_at=hint.created,
            account=self.account,
            livemode=self.livemode,
            invoice_id=hint.invoice_id,
            customer_id=customer_id,
            invoice_payment_id=hint.invoice_payment_id,
            payment_intent_id=hint.payment_intent_id,
            source_event_id=hint.event_id,
            tenant=caller[0] if caller else None,
            idempotency_key=caller[1] if caller else None,
            dedupe=tuple(dict.fromkeys(names)),
        )


def touched_by(arrivals: Iterable[Arrival], customer_id: str | None) -> list[Touched]:
    """What events about one invoice may have changed, each once."""
    return list(
        dict.fromkeys(
            Touched(
                one.hint.invoice_id,
                customer_id or one.hint.customer_id,
                one.hint.payment_intent_id,
                one.hint.invoice_payment_id,
            )
            for one in arrivals
        )
    )


def payment_ids(arrivals: Iterable[Arrival]) -> list[str]:
    ids = (one.hint.invoice_payment_id for one in arrivals)
    return list(dict.fromkeys(one for one in ids if one is not None))


def has_to_be_asked(hint: Hint, kind: EventType) -> bool:
    """Whether a thin event could be told from its snapshot event by nothing but its name, which it
    does not say: a state is known by the payment that has entered it."""
    is_named = kind.value in ENTERED_ONCE or has_only_thin(hint.type)
    return hint.is_snapshot_unsaid is True and not is_named
