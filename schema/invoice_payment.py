"""InvoicePayment, the link between one invoice and one thing that pays it, and what that can be:
PaymentIntent, PaymentRecord or Charge.
"""

from typing import Annotated, Union

import strawberry

from schema.customer import Customer, LazyInvoice
from schema.enums import (
    InvoicePaymentStatus,
    InvoiceStatus,
    PaymentIntentStatus,
    PaymentSourceType,
)
from schema.fields import computed, derived, enumerated, linked, plain
from schema.money import Money, amount_field
from schema.node import Connection, MetadataEntry, Node, checked_id, listed, metadata_field
from schema.ports import Computed, Loaded, ReallocatePayment, RefusalCode
from schema.scalars import DateTime, MinorUnits


@strawberry.type(description="A payment made outside Stripe and reported to it.")
class PaymentRecord(Node):
    description: str | None = plain("Free text; null when there is none.")
    amount: Money = amount_field("What was paid, as reported.")
    created_at: DateTime = plain("When it was reported.", of="created")
    customer_id: strawberry.ID | None = plain("Id of who paid; null when not reported.")
    metadata: list[MetadataEntry] = metadata_field()
    invoice_payments: "Connection[InvoicePayment] | None" = listed(
        "The invoices it pays, newest first.", cost=2
    )


@strawberry.type(description="Stripe's attempt to collect one amount.")
class PaymentIntent(Node):
    description: str | None = plain("Free text; null when there is none.")
    livemode: bool = plain("False in Stripe's test mode.")
    status: PaymentIntentStatus = enumerated(
        PaymentIntentStatus, "How far it has come. UNRECOGNIZED: see rawStatus."
    )
    raw_status: str = plain("Stripe's spelling of the status.", of="status")
    amount: Money = amount_field("What it is meant to collect.")
    amount_received: Money = amount_field(
        "What it has collected; zero until it succeeds or is captured."
    )
    customer: Customer | None = linked(
        "Who pays; null when there is none, or, with an entry in errors, when only this fetch "
        "failed."
    )
    customer_id: strawberry.ID | None = plain("Id of who pays; null when there is none.")
    created_at: DateTime = plain("When it was created.", of="created")
    canceled_at: DateTime | None = plain("Null unless it was canceled.")
    payment_record_id: strawberry.ID | None = plain(
        "Id of the payment record that Stripe made of it; null when there is none."
    )
    payment_record: PaymentRecord | None = linked(
        "That payment record; null when there is none, or, with an entry in errors, when only "
        "this fetch failed."
    )
    metadata: list[MetadataEntry] = metadata_field()
    invoice_payments: "Connection[InvoicePayment] | None" = listed(
        "The invoices it pays, newest first: the link that left the REST object in "
        "2025-03-31. A list, because one intent can pay several invoices.",
        cost=2,
    )


@strawberry.type(description="A charge, where an old invoice payment points at one.")
class Charge(Node):
    amount: Money = amount_field("What was charged.")
    created_at: DateTime = plain("When it was charged.", of="created")


PaymentSource = Annotated[
    Union[PaymentIntent, PaymentRecord, Charge],  # noqa: UP007  # Strawberry names Annotated unions.
    strawberry.union("PaymentSource", description="What pays an invoice."),
]


@strawberry.type(description="May a payment be detached now, and what would follow?")
class DetachPreview:
    allowed: bool = plain("Whether detachPayment would be accepted now.")
    creates_default_payment_intent: bool = plain(
        "Stripe makes a fresh default PaymentIntent when a balance reopens."
    )
    blocked_by: list[RefusalCode] = plain(
        "Every rule that stands against it, in order of precedence."
    )
    status_after: InvoiceStatus | None = enumerated(
        InvoiceStatus, "The invoice's status afterwards; null when not allowed."
    )
    amount_remaining_after: Money | None = amount_field(
        "What the invoice would then ask for; null when not allowed."
    )


@strawberry.type(description="One of two invoices, as it would be after a payment was moved.")
class ReallocationSide:
    invoice_id: strawberry.ID = plain("Id of the invoice.")
    status: InvoiceStatus | None = enumerated(InvoiceStatus, "Its status afterwards.")
    amount_paid: Money = amount_field("What of it would be paid.")
    amount_remaining: Money = amount_field("What it would then ask for.")
    amount_overpaid: Money = amount_field("What would be paid beyond it.")
    creates_default_payment_intent: bool = plain(
        "Whether Stripe would make a fresh default PaymentIntent for what it asks for."
    )
    canceled_default_payment_id: strawberry.ID | None = plain(
        "Id of the open default payment that Stripe would cancel, as nothing remains for it; else "
        "null."
    )


@strawberry.type(
    description="May a payment be moved to another invoice now, and what would follow?"
)
class ReallocationPreview:
    allowed: bool = plain("Whether reallocatePayment would be accepted now.")
    blocked_by: list[RefusalCode] = plain(
        "Every rule of both steps that stands against it, in order of precedence."
    )
    from_invoice: ReallocationSide | None = derived(
        "The invoice that the payment would leave; null when not allowed.",
        lambda preview: preview.from_invoice and Loaded(preview.from_invoice),
    )
    to_invoice: ReallocationSide | None = derived(
        "The invoice that it would then pay; null when not allowed.",
        lambda preview: preview.to_invoice and Loaded(preview.to_invoice),
    )


def reallocation_preview(
    payment_intent_id: strawberry.ID,
    from_invoice_id: strawberry.ID,
    to_invoice_id: strawberry.ID,
    amount_requested_minor_units: MinorUnits | None = None,
) -> Computed:
    """The need of a preview. Raises `Failed` BAD_USER_INPUT."""
    asked = ReallocatePayment(
        payment_intent_id=checked_id("PaymentIntent", payment_intent_id, "paymentIntentId"),
        from_invoice_id=checked_id("Invoice", from_invoice_id, "fromInvoiceId"),
        to_invoice_id=checked_id("Invoice", to_invoice_id, "toInvoiceId"),
        idempotency_key="",
        amount_requested=amount_requested_minor_units,
    )
    return Computed("reallocation_preview", asked)


@strawberry.type(description="The link between one invoice and one thing that pays it.")
class InvoicePayment(Node):
    invoice_id: strawberry.ID = plain("Id of the invoice that is paid.")
    is_default: bool = plain(
        "The payment that Stripe made at finalization and keeps in step with amountRemaining; its "
        "PaymentIntent can't be edited or canceled directly."
    )
    source_id: strawberry.ID = plain("Id of what pays.")
    invoice: LazyInvoice | None = linked(
        "The invoice that is paid. Null, with an entry in errors, when only this fetch failed."
    )
    status: InvoicePaymentStatus = enumerated(
        InvoicePaymentStatus, "How far it has come. UNRECOGNIZED: see rawStatus."
    )
    raw_status: str = plain("Stripe's spelling of the status.", of="status")
    amount_requested: Money = amount_field("What it is meant to pay of the invoice.")
    amount_paid: Money | None = amount_field("Null until the payment is PAID.")
    source_type: PaymentSourceType = enumerated(
        PaymentSourceType, "Always answerable, even when the object behind it could not be fetched."
    )
    source: PaymentSource | None = linked(
        "What pays. Null, with an entry in errors, when only this fetch failed.", cost=2
    )
    payment_intent: PaymentIntent | None = linked(
        "The source when it is a PaymentIntent, else null.", cost=2
    )
    created_at: DateTime = plain("When the payment was attached.", of="created")
    paid_at: DateTime | None = plain("Null until the payment is PAID.")
    canceled_at: DateTime | None = plain("Null unless it was canceled.")
    detach_preview: DetachPreview | None = computed(
        "May it be detached now, and what would follow? Computed here; costs no upstream write. "
        "Null, with an entry in errors, when it could not be computed."
    )
