"""What stands behind both ports: a supplier of objects that can change them, in recorded tries; and
the refusals whose words all suppliers share, as a rule reads the same whatever stands behind.

The journal hands over one attempt with each try; whoever is about to change anything upstream says
so on it first. An attempt knows neither the journal's states nor Stripe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.ledger.reallocation import Reallocation
from schema.ports import (
    Meter,
    Outcome,
    Reads,
    ReallocatePayment,
    RefusalCode,
    Refused,
    Step,
    Viewer,
    Why,
)

KEY_PREFIX = "gw_"
"""How the keys begin that the journal gives to commands; others' may as well."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a write has learnt that its next try cannot look up any more, kept with its record.

    `payment_id` and `payment_ids`, of an invoice before a payment was detached: the one that is
    about to leave, and all; of one that is put back, the one that had left. `payment_record_id`:
    what was reported already. Of a payment that is moved, `share`: how much of its intent it took,
    None for the whole; and `why` it cannot go to the other invoice, so that it is put back.
    """

    customer_id: str | None = None
    payment_id: str | None = None
    payment_ids: tuple[str, ...] = ()
    payment_record_id: str | None = None
    share: int | None = None
    why: Why | None = None


NOTHING = Found()


class Attempt(Protocol):
    """What a backend may know of the try that it is part of, and must tell.

    `in_doubt`: an earlier try with the same key may have been done. `may_send` is False where the
    key is too old to be sent again: then only a look can help. `may_be_in_transit`: what an
    earlier try has sent may still arrive upstream. `sent_at`: when this key went out first, in
    epoch seconds; None where it has not, or nobody knows. `found`: what earlier tries have learnt.
    """

    @property
    def in_doubt(self) -> bool: ...

    @property
    def may_send(self) -> bool: ...

    @property
    def sent_at(self) -> int | None: ...

    @property
    def may_be_in_transit(self) -> bool: ...

    @property
    def found(self) -> Found: ...

    async def going_out(self, found: Found = NOTHING) -> None:
        """Called before each request that may change anything; returns once that is recorded.

        Raises `Refused` where it cannot be recorded, and `Overtaken`: then nothing may be sent.
        """
        ...


class Overtaken(Exception):
    """Somebody else has taken this write over, so that this try must send nothing more."""


class Unrecorded:
    """The try of a write that nobody records: a first one, and free to go out."""

    in_doubt = False
    may_send = True
    sent_at: int | None = None
    may_be_in_transit = False
    found = NOTHING

    async def going_out(self, found: Found = NOTHING) -> None:
        return


FIRST: Attempt = Unrecorded()


class Supplier(Reads, Protocol):
    """Reads, and writes that a journal records."""

    async def write(
        self, viewer: Viewer, command: Step, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        """See `schema.ports.Writes`. The command's key is upstream's, and the attempt is told of
        everything that goes out under it. What `attempt.found` says of an invoice before a payment
        is detached is not looked up again."""
        ...

    async def both_invoices(
        self, viewer: Viewer, asked: ReallocatePayment, meter: Meter
    ) -> Reallocation:
        """What the rules must see before a payment is moved, as it is now. Raises `Refused`: what
        does not exist or is another's, or that it could not be read."""
        ...

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
        ...


_OUT_OF_BAND_FIELDS = {
    RefusalCode.CURRENCY_MISMATCH: "currency",
    RefusalCode.AMOUNT_INVALID: "amountMinorUnits",
    RefusalCode.AMOUNT_TOO_LARGE: "amountMinorUnits",
}


def no_such(kind: str, object_id: str, path: tuple[str, ...]) -> Refused:
    """For what does not exist, and for what belongs to somebody else."""
    return Refused(
        RefusalCode.NOT_FOUND, "no_such_object", f"no such {kind}: {object_id}", path=path
    )


def no_such_invoice(invoice_id: str) -> Refused:
    return no_such("invoice", invoice_id, ("invoiceId",))


def key_reused() -> Refused:
    return Refused(
        RefusalCode.IDEMPOTENCY_KEY_REUSED,
        "idempotency_key_reused",
        "this idempotencyKey was used with another input: make a new key for a new attempt",
        path=("idempotencyKey",),
    )


def pointing_out_of_band(refused: Refused) -> Refused:
    """The refusal with its path moved from a record's id to the facts that were given."""
    if refused.path == ("payment", "paymentRecordId"):
        field = _OUT_OF_BAND_FIELDS.get(refused.code)
        refused.path = ("payment", "outOfBand", *((field,) if field else ()))
    return refused
