"""Plain, frozen, flat records of what Stripe knows, normalised by id and named as Stripe names it.

They are the only thing that is ever cached or handed from a backend to the contract. Amounts are
integers of the currency's smallest unit, instants are epoch seconds, and enumerations are kept as
Stripe's own strings, so that a value of tomorrow is data and not a crash. Nothing here fetches,
computes or knows GraphQL. A representation, which may end in a log or a trace, shows no personal
data, no text that people wrote and no link that opens without a login.
Source of the shapes: https://docs.stripe.com/api, 2026-09-30.preview.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

INSTANT_MAX = 253_402_300_799
"""9999-12-31T23:59:59Z: no later one can be written as a date. Stripe's instants begin at 1970."""

Metadata = tuple[tuple[str, str], ...]
"""Stripe's key-value metadata, in Stripe's order."""


class Typed:
    """A record of which can be remembered what was found of its fields; before that there is no
    such attribute. It is never copied, written down or compared.

    `typed_as` is its class where each field is of its declared type, whole numbers within what JSON
    keeps exact. `plain_as` is that, too, where JSON shows each text as it is, and None where not.
    """

    __slots__ = ("plain_as", "typed_as")

    typed_as: type[Any]
    plain_as: type[Any] | None


@dataclass(frozen=True, slots=True)
class Customer(Typed):
    """Who is billed. `credit_balance` holds what stands in their favour, per currency; a debit is
    below zero. `currency` is the one that Stripe's `balance` is in, None until there is one."""

    prefix: ClassVar[str] = "cus"

    id: str
    created: int
    livemode: bool = False
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    currency: str | None = None
    credit_balance: tuple[tuple[str, int], ...] = ()
    metadata: Metadata = field(default=(), repr=False)

    def balance_in(self, currency: str) -> int:
        """Stripe's `balance` in this currency, which has the other sign: credit is below zero."""
        return -dict(self.credit_balance).get(currency, 0)


@dataclass(frozen=True, slots=True)
class Invoice(Typed):
    """One invoice with its totals as Stripe states them; lines and payments are other lists.

    `starting_balance` and `ending_balance` are the customer's around finalization, credit below
    zero; `ending_balance` is None for a draft, whose `starting_balance` is the current one.
    """

    prefix: ClassVar[str] = "in"

    id: str
    created: int
    currency: str
    customer_id: str | None
    status: str | None
    livemode: bool = False
    number: str | None = None
    collection_method: str = "charge_automatically"
    description: str | None = field(default=None, repr=False)
    customer_name: str | None = field(default=None, repr=False)
    customer_email: str | None = field(default=None, repr=False)
    account_name: str | None = field(default=None, repr=False)
    subscription_id: str | None = None
    subtotal: int = 0
    total: int = 0
    starting_balance: int = 0
    ending_balance: int | None = None
    amount_due: int = 0
    amount_paid: int = 0
    amount_remaining: int = 0
    amount_overpaid: int = 0
    pre_payment_credit_notes_amount: int = 0
    post_payment_credit_notes_amount: int = 0
    due_date: int | None = None
    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None
    marked_uncollectible_at: int | None = None
    uncollectible_reason: str | None = None
    hosted_invoice_url: str | None = field(default=None, repr=False)
    invoice_pdf: str | None = field(default=None, repr=False)
    metadata: Metadata = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class InvoiceLineItem(Typed):
    """One line of an invoice; `amount` is in the invoice's currency. `quantity` is an exact decimal
    such as "3000000000" or "0.25": usage is billed in parts and in billions."""

    prefix: ClassVar[str] = "il"

    id: str
    invoice_id: str
    amount: int
    currency: str
    description: str | None = field(default=None, repr=False)
    quantity: str | None = None
    period_start: int | None = None
    period_end: int | None = None


@dataclass(frozen=True, slots=True)
class InvoicePayment(Typed):
    """The link between one invoice and one thing that pays it. `amount_paid` is null until paid."""

    prefix: ClassVar[str] = "inpay"

    id: str
    created: int
    currency: str
    invoice_id: str
    status: str
    source_type: str
    source_id: str
    amount_requested: int
    amount_paid: int | None = None
    is_default: bool = False
    paid_at: int | None = None
    canceled_at: int | None = None
    livemode: bool = False


@dataclass(frozen=True, slots=True)
class PaymentIntent(Typed):
    """Stripe's attempt to collect one amount; it may pay several invoices. Once it is `is_settled`,
    its status and amounts stay as they are, whatever becomes of its invoices."""

    prefix: ClassVar[str] = "pi"

    id: str
    created: int
    currency: str
    status: str
    amount: int
    amount_received: int = 0
    customer_id: str | None = None
    description: str | None = field(default=None, repr=False)
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    payment_record_id: str | None = None
    livemode: bool = False
    metadata: Metadata = field(default=(), repr=False)

    @property
    def is_settled(self) -> bool:
        return self.status in ("succeeded", "canceled")


@dataclass(frozen=True, slots=True)
class PaymentRecord(Typed):
    """A payment made outside Stripe and reported to it."""

    prefix: ClassVar[str] = "pr"

    id: str
    created: int
    currency: str
    amount: int
    customer_id: str | None = None
    description: str | None = field(default=None, repr=False)
    reference: str | None = field(default=None, repr=False)
    livemode: bool = False
    metadata: Metadata = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Charge(Typed):
    """A charge, where an old invoice payment points at one."""

    prefix: ClassVar[str] = "ch"

    id: str
    created: int
    currency: str
    amount: int
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class CreditNoteRefund:
    """One refund that settles part of a credit note."""

    amount_refunded: int
    refund_id: str | None = None
    payment_record_id: str | None = None


@dataclass(frozen=True, slots=True)
class CreditNote(Typed):
    """A credit note; `amount` is `pre_payment_amount` plus `post_payment_amount`."""

    prefix: ClassVar[str] = "cn"

    id: str
    created: int
    currency: str
    invoice_id: str
    customer_id: str | None
    amount: int
    pre_payment_amount: int
    post_payment_amount: int
    type: str
    status: str = "issued"
    number: str | None = None
    reason: str | None = None
    memo: str | None = field(default=None, repr=False)
    credit_amount: int = 0
    out_of_band_amount: int | None = None
    refunds: tuple[CreditNoteRefund, ...] = ()
    voided_at: int | None = None
    livemode: bool = False


@dataclass(frozen=True, slots=True)
class ConfirmationSecret:
    """For Stripe's Payment Element. A secret: never cached for others, in a log or an event."""

    client_secret: str = field(repr=False)
    type: str = "payment_intent"


@dataclass(frozen=True, slots=True)
class DetachPreview:
    """What detaching one payment would do now."""

    allowed: bool
    blocked_by: tuple[str, ...]
    currency: str
    status_after: str | None
    amount_remaining_after: int | None
    creates_default_payment_intent: bool


@dataclass(frozen=True, slots=True)
class ReallocationSide:
    """One of two invoices as it would be after a payment was moved between them."""

    invoice_id: str
    currency: str
    status: str | None
    amount_paid: int
    amount_remaining: int
    amount_overpaid: int
    creates_default_payment_intent: bool
    canceled_default_payment_id: str | None


@dataclass(frozen=True, slots=True)
class ReallocationPreview:
    """What moving a payment from one invoice to another would do now."""

    allowed: bool
    blocked_by: tuple[str, ...]
    from_invoice: ReallocationSide | None
    to_invoice: ReallocationSide | None


@dataclass(frozen=True, slots=True)
class CreditNotePreview:
    """What a credit note would do, before it is issued."""

    type: str
    currency: str
    amount: int
    pre_payment_amount: int
    post_payment_amount: int
    amount_remaining_after: int


Record = (
    Customer
    | Invoice
    | InvoiceLineItem
    | InvoicePayment
    | PaymentIntent
    | PaymentRecord
    | Charge
    | CreditNote
)
"""Everything that has an id of its own."""
