"""Invoice: its totals, its lines, and everything that paid or lowered it."""

from typing import Any

import strawberry

from schema import records
from schema.context import Info
from schema.credit_note import CreditNote
from schema.customer import Customer
from schema.enums import (
    CollectionMethod,
    InvoicePaymentStatus,
    InvoiceStatus,
    OutOfBandCoverage,
    UncollectibleReason,
    spelling,
)
from schema.fields import computed, derived, enumerated, field, linked, loaded, plain
from schema.invoice_payment import InvoicePayment
from schema.money import Money, amount_field, money
from schema.node import Connection, MetadataEntry, Node, listed, metadata_field, page_arguments
from schema.ports import Computed, ListFilter, Listing, Loaded
from schema.scalars import CurrencyCode, DateTime, Decimal, EventCursor

OUT_OF_BAND = Computed("amount_paid_out_of_band")


def _payments(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    status: list[InvoicePaymentStatus] | None = None,
) -> Listing:
    page = page_arguments(first, after, last, before)
    statuses = sorted({spelling(one, "status") for one in status}) if status else ()
    return Listing("payments", page, ListFilter(statuses=tuple(statuses)))


def _coverage(parent: Loaded[Any], outside: int) -> OutOfBandCoverage:
    if outside == 0:
        return OutOfBandCoverage.NONE
    whole = parent.record.amount_paid + parent.record.amount_overpaid
    return OutOfBandCoverage.FULL if outside >= whole else OutOfBandCoverage.PARTIAL


@strawberry.type(
    description="For Stripe's Payment Element. A secret: show it to the paying customer only."
)
class ConfirmationSecret:
    client_secret: str = plain("Given to Stripe.js.")
    type: str = plain("What the secret belongs to, for example payment_intent.")


INT_MAX = 2**31 - 1
"""Of GraphQL's Int."""


def _small_whole(line: records.InvoiceLineItem) -> int | None:
    """The quantity, unless GraphQL's Int cannot tell it."""
    if line.quantity is None or not line.quantity.lstrip("-").isdecimal():
        return None
    number = int(line.quantity)
    return number if abs(number) <= INT_MAX else None


@strawberry.type(description="One line of an invoice.")
class InvoiceLineItem:
    id: strawberry.ID = plain("Stripe's id of the line (il_).")
    description: str | None = plain("What is billed; null when there is no text.")

    quantity: int | None = derived(
        "How many, where that is a whole number of 32 bits; else null, and quantityDecimal has it.",
        _small_whole,
    )
    quantity_decimal: Decimal | None = plain(
        "How many, exactly, also in parts and beyond 32 bits; null where a line has none.",
        of="quantity",
    )
    amount: Money = amount_field("The line's total before discounts and taxes.")
    period_start: DateTime | None = plain("Start of what is billed, or null.")
    period_end: DateTime | None = plain("End of what is billed, or null.")


def _metadata_value(parent: strawberry.Parent[Loaded[Any]], key: str) -> str | None:
    return dict(parent.record.metadata).get(key)


@strawberry.type(
    description="An invoice. Amounts are as Stripe states them: amountRemaining is amountDue less "
    "amountPaid and never below zero."
)
class Invoice(Node):
    number: str | None = plain("Human-readable number; null while it is a draft.")
    description: str | None = plain("Free text; null when there is none.")
    customer_name: str | None = plain("Name at finalization; may differ from the customer's now.")
    customer_email: str | None = plain("E-mail at finalization; may differ from the customer's.")
    account_name: str | None = plain(
        "Public name of the business that issues it; null when Stripe names none."
    )
    currency: CurrencyCode = plain("Currency of every amount of this invoice.")
    hosted_invoice_url: str | None = plain("Stripe's page for the payer; null while a draft.")
    invoice_pdf: str | None = plain("Link to the PDF; null while a draft.")
    livemode: bool = plain("False in Stripe's test mode.")
    status: InvoiceStatus | None = enumerated(
        InvoiceStatus, "Where it stands; null when Stripe names no status."
    )
    raw_status: str | None = plain(
        "Upstream spelling; use when status is UNRECOGNIZED.", of="status"
    )
    collection_method: CollectionMethod = enumerated(CollectionMethod, "How it is to be collected.")
    customer: Customer | None = linked(
        "Who is billed. Null when there is nobody, or, with an entry in errors, when only this "
        "fetch failed."
    )
    customer_id: strawberry.ID | None = plain("Id of who is billed; null when nobody is.")
    subtotal: Money = amount_field("Sum of the lines before invoice-level discount and tax.")
    total: Money = amount_field("What is billed after discounts and taxes.")
    starting_balance: Money = amount_field(
        "The customer's balance before finalization, of a draft the balance of now: below 0 is "
        "credit, which lowers amountDue, above 0 is debt, which raises it."
    )
    ending_balance: Money | None = amount_field(
        "The customer's balance after finalization, with the sign of startingBalance; null while "
        "a draft. Unchanged by voiding, which gives the balance back what was applied."
    )
    amount_due: Money = amount_field(
        "What is asked for: total plus startingBalance less endingBalance, less the pre-payment "
        "part of credit notes. Of a draft, what would be due if it were finalized now."
    )
    amount_paid: Money = amount_field(
        "What has been credited to it, in Stripe and out of band; at most amountDue."
    )
    amount_remaining: Money = amount_field("What is still asked for; never below 0.")
    amount_overpaid: Money = amount_field(
        "What was paid beyond amountDue, credited to the customer's balance."
    )
    amount_paid_out_of_band: Money | None = loaded(
        "What was paid outside Stripe: by Stripe's own amount_paid_off_stripe, or else what was "
        "paid less the sum of the payments made by PaymentIntents and charges. Null, with an "
        "entry in errors, when it could not be read.",
        OUT_OF_BAND,
        show=lambda parent, outside: money(outside, parent.record.currency),
    )
    out_of_band_coverage: OutOfBandCoverage | None = loaded(
        "How much of what was paid had no PaymentIntent behind it. Null, with an entry in errors, "
        "when the payments could not be read.",
        OUT_OF_BAND,
        show=_coverage,
    )
    pre_payment_credit_notes_amount: Money = amount_field("What credit notes took off amountDue.")
    post_payment_credit_notes_amount: Money = amount_field(
        "What credit notes gave back after payment."
    )
    created_at: DateTime = plain("When it was created.", of="created")
    due_at: DateTime | None = plain(
        "When it is due; null when charged automatically.", of="due_date"
    )
    finalized_at: DateTime | None = plain("Null while it is a draft.")
    paid_at: DateTime | None = plain("Null unless it is paid; null again if it reopens.")
    voided_at: DateTime | None = plain("Null unless it was voided.")
    marked_uncollectible_at: DateTime | None = plain("Null unless it was marked uncollectible.")
    uncollectible_reason: UncollectibleReason | None = enumerated(
        UncollectibleReason,
        "Why Stripe has marked it uncollectible; null where it is not, or where no reason is told.",
    )
    metadata: list[MetadataEntry] = metadata_field()
    metadata_value: str | None = strawberry.field(
        resolver=_metadata_value,
        description="One value of the metadata; null where the key is not there.",
    )
    lines: Connection[InvoiceLineItem] | None = listed(
        "What is billed, in the invoice's own order."
    )
    payments: Connection[InvoicePayment] | None = listed(
        "Everything that pays it, newest first: open, paid and canceled unless `status` narrows "
        "it. A detached payment is no longer among them.",
        _payments,
    )
    credit_notes: Connection[CreditNote] | None = listed(
        "Credit notes issued against it, newest first."
    )
    confirmation_secret: ConfirmationSecret | None = computed(
        "For the Payment Element. A secret: needs the scope payments:write, and is never in an "
        "event, a log or a cache shared by callers. Null when there is nothing to confirm.",
        cost=2,
        scope="payments:write",
    )

    @field(
        "A log position taken before this object was looked up: everything up to it is "
        "folded in. Subscribe from here and nothing falls between query and stream."
    )
    @staticmethod
    def event_cursor(info: Info) -> EventCursor:
        return EventCursor(info.context.event_cursor)
