"""Invoice: its totals, its lines, and everything that paid or lowered it."""

from __future__ import annotations

import enum
from typing import Any

import strawberry

from schema import records
from schema.context import Info
from schema.cost import Cost, list_size
from schema.credit_note import CreditNote
from schema.customer import Customer
from schema.fields import (
    field,
    instant_field,
    is_record,
    optional_id_field,
    optional_instant_field,
    plain,
    recognize,
    recognized,
)
from schema.invoice_payment import InvoicePayment, InvoicePaymentStatus
from schema.invoice_status import InvoiceStatus
from schema.money import Money, amount_field, money, optional_amount_field
from schema.node import Connection, MetadataEntry, Node, metadata_entries, page_arguments
from schema.permissions import require
from schema.ports import Computed, Link, ListFilter, Listing, Loaded
from schema.scalars import CurrencyCode, Decimal, EventCursor

CUSTOMER = Link("customer")
OUT_OF_BAND = Computed("amount_paid_out_of_band")
CONFIRMATION_SECRET = Computed("confirmation_secret")


@strawberry.enum(description="How an invoice is to be collected.")
class CollectionMethod(enum.Enum):
    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="How much of what was paid had no PaymentIntent behind it.")
class OutOfBandCoverage(enum.Enum):
    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


def customer_need() -> Link:
    return CUSTOMER


def out_of_band_need() -> Computed:
    return OUT_OF_BAND


def confirmation_secret_need() -> Computed:
    return CONFIRMATION_SECRET


def lines_need(first: int | None = None, after: str | None = None) -> Listing:
    return Listing("lines", page_arguments(first, after))


def credit_notes_need(first: int | None = None, after: str | None = None) -> Listing:
    return Listing("credit_notes", page_arguments(first, after))


def payments_need(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    status: list[InvoicePaymentStatus] | None = None,
) -> Listing:
    statuses = sorted({recognized(one, "status") for one in status or ()})
    return Listing(
        "payments",
        page_arguments(first, after, last, before),
        ListFilter(statuses=tuple(statuses)),
    )


@strawberry.type(
    description="For Stripe's Payment Element. A secret: show it to the paying customer only."
)
class ConfirmationSecret:
    client_secret: str = plain("Given to Stripe.js.")
    type: str = plain("What the secret belongs to, for example payment_intent.")


INT_MAX = 2**31 - 1
"""Of GraphQL's Int."""


def _small_whole(decimal: str | None) -> int | None:
    """The number, unless GraphQL's Int cannot tell it."""
    if decimal is None or not decimal.lstrip("-").isdecimal():
        return None
    number = int(decimal)
    return number if abs(number) <= INT_MAX else None


@strawberry.type(description="One line of an invoice.")
class InvoiceLineItem:
    id: strawberry.ID = plain("Stripe's id of the line (il_).")
    description: str | None = plain("What is billed; null when there is no text.")

    @field(
        "How many, where that is a whole number of 32 bits; else null, and quantityDecimal has it."
    )
    @staticmethod
    def quantity(parent: strawberry.Parent[Any]) -> int | None:
        return _small_whole(parent.record.quantity)

    @field("How many, exactly, also in parts and beyond 32 bits; null where a line has none.")
    @staticmethod
    def quantity_decimal(parent: strawberry.Parent[Any]) -> Decimal | None:
        return parent.record.quantity  # type: ignore[no-any-return]

    amount = amount_field("amount", "The line's total before discounts and taxes.")
    period_start = optional_instant_field("period_start", "Start of what is billed, or null.")
    period_end = optional_instant_field("period_end", "End of what is billed, or null.")


@strawberry.type(
    description="An invoice. Amounts are as Stripe states them: amountRemaining is amountDue less "
    "amountPaid and never below zero."
)
class Invoice(Node):
    is_type_of = is_record(records.Invoice)

    number: str | None = plain("Human-readable number; null while it is a draft.")

    @field("Where it stands; null when Stripe names no status.")
    @staticmethod
    def status(parent: strawberry.Parent[Any]) -> InvoiceStatus | None:
        raw = parent.record.status
        return None if raw is None else recognize(InvoiceStatus, raw)

    @field("Upstream spelling; use when status is UNRECOGNIZED.")
    @staticmethod
    def raw_status(parent: strawberry.Parent[Any]) -> str | None:
        return parent.record.status  # type: ignore[no-any-return]

    @field("How it is to be collected.")
    @staticmethod
    def collection_method(parent: strawberry.Parent[Any]) -> CollectionMethod:
        return recognize(CollectionMethod, parent.record.collection_method)

    description: str | None = plain("Free text; null when there is none.")

    @field(
        "Who is billed. Null when there is nobody, or, with an entry in errors, when "
        "only this fetch failed.",
        needs=customer_need,
    )
    @staticmethod
    def customer(parent: strawberry.Parent[Loaded[Any]]) -> Customer | None:
        return parent.child(CUSTOMER)  # type: ignore[no-any-return]

    customer_id = optional_id_field("customer_id", "Id of who is billed; null when nobody is.")
    customer_name: str | None = plain("Name at finalization; may differ from the customer's now.")
    customer_email: str | None = plain("E-mail at finalization; may differ from the customer's.")
    currency: CurrencyCode = plain("Currency of every amount of this invoice.")
    subtotal = amount_field("subtotal", "Sum of the lines before invoice-level discount and tax.")
    total = amount_field("total", "What is billed after discounts and taxes.")
    starting_balance = amount_field(
        "starting_balance",
        "The customer's balance before finalization, of a draft the balance of now: below 0 is "
        "credit, which lowers amountDue, above 0 is debt, which raises it.",
    )
    ending_balance = optional_amount_field(
        "ending_balance",
        "The customer's balance after finalization, with the sign of startingBalance; null while "
        "a draft. Unchanged by voiding, which gives the balance back what was applied.",
    )
    amount_due = amount_field(
        "amount_due",
        "What is asked for: total plus startingBalance less endingBalance, less the pre-payment "
        "part of credit notes. Of a draft, what would be due if it were finalized now.",
    )
    amount_paid = amount_field(
        "amount_paid", "What has been credited to it, in Stripe and out of band; at most amountDue."
    )
    amount_remaining = amount_field("amount_remaining", "What is still asked for; never below 0.")
    amount_overpaid = amount_field(
        "amount_overpaid", "What was paid beyond amountDue, credited to the customer's balance."
    )

    @field(
        "What was paid less the sum of the payments made by PaymentIntents and "
        "charges. Null, with an entry in errors, when the payments could not be read.",
        needs=out_of_band_need,
    )
    @staticmethod
    def amount_paid_out_of_band(parent: strawberry.Parent[Loaded[Any]]) -> Money | None:
        return money(parent.child(OUT_OF_BAND), parent.record.currency)

    @field(
        "How much of what was paid had no PaymentIntent behind it. Null, with an entry "
        "in errors, when the payments could not be read.",
        needs=out_of_band_need,
    )
    @staticmethod
    def out_of_band_coverage(parent: strawberry.Parent[Loaded[Any]]) -> OutOfBandCoverage | None:
        outside: int = parent.child(OUT_OF_BAND)
        if outside == 0:
            return OutOfBandCoverage.NONE
        whole = parent.record.amount_paid + parent.record.amount_overpaid
        return OutOfBandCoverage.FULL if outside >= whole else OutOfBandCoverage.PARTIAL

    pre_payment_credit_notes_amount = amount_field(
        "pre_payment_credit_notes_amount", "What credit notes took off amountDue."
    )
    post_payment_credit_notes_amount = amount_field(
        "post_payment_credit_notes_amount", "What credit notes gave back after payment."
    )
    created_at = instant_field("created", "When it was created.")
    due_at = optional_instant_field("due_date", "When it is due; null when charged automatically.")
    finalized_at = optional_instant_field("finalized_at", "Null while it is a draft.")
    paid_at = optional_instant_field("paid_at", "Null unless it is paid; null again if it reopens.")
    voided_at = optional_instant_field("voided_at", "Null unless it was voided.")
    marked_uncollectible_at = optional_instant_field(
        "marked_uncollectible_at", "Null unless it was marked uncollectible."
    )
    hosted_invoice_url: str | None = plain("Stripe's page for the payer; null while a draft.")
    invoice_pdf: str | None = plain("Link to the PDF; null while a draft.")
    livemode: bool = plain("False in Stripe's test mode.")

    @field("Stripe's metadata, possibly empty.")
    @staticmethod
    def metadata(parent: strawberry.Parent[Any]) -> list[MetadataEntry]:
        return metadata_entries(parent)

    @field("One value of the metadata; null where the key is not there.")
    @staticmethod
    def metadata_value(parent: strawberry.Parent[Any], key: str) -> str | None:
        return dict(parent.record.metadata).get(key)

    @field(
        "What is billed, in the invoice's own order.",
        needs=lines_need,
        directives=[list_size("first")],
    )
    @staticmethod
    def lines(
        parent: strawberry.Parent[Loaded[Any]], first: int | None = 10, after: str | None = None
    ) -> Connection[InvoiceLineItem] | None:
        return parent.child(lines_need(first, after))  # type: ignore[no-any-return]

    @field(
        "Everything that pays it, newest first: open, paid and canceled unless "
        "`status` narrows it. A detached payment is no longer among them.",
        needs=payments_need,
        directives=[list_size("first", "last")],
    )
    @staticmethod
    def payments(
        parent: strawberry.Parent[Loaded[Any]],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        status: list[InvoicePaymentStatus] | None = None,
    ) -> Connection[InvoicePayment] | None:
        return parent.child(payments_need(first, after, last, before, status))  # type: ignore[no-any-return]

    @field(
        "Credit notes issued against it, newest first.",
        needs=credit_notes_need,
        directives=[list_size("first")],
    )
    @staticmethod
    def credit_notes(
        parent: strawberry.Parent[Loaded[Any]], first: int | None = 10, after: str | None = None
    ) -> Connection[CreditNote] | None:
        return parent.child(credit_notes_need(first, after))  # type: ignore[no-any-return]

    @field(
        "For the Payment Element. A secret: needs the scope payments:write, and is "
        "never in an event, a log or a cache shared by callers. Null when there is nothing to "
        "confirm.",
        needs=confirmation_secret_need,
        directives=[Cost(weight="2")],
    )
    @staticmethod
    def confirmation_secret(
        parent: strawberry.Parent[Loaded[Any]], info: Info
    ) -> ConfirmationSecret | None:
        require(info.context.viewer, "payments:write")
        return parent.child(CONFIRMATION_SECRET)  # type: ignore[no-any-return]

    @field(
        "A log position taken before this object was looked up: everything up to it is "
        "folded in. Subscribe from here and nothing falls between query and stream."
    )
    @staticmethod
    def event_cursor(info: Info) -> EventCursor:
        return EventCursor(info.context.event_cursor)
