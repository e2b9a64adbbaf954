"""The enumerations of the graph that are Stripe's own, and their spelling on both sides.

Records keep Stripe's strings; the values here are those strings, so a known one needs no
conversion on its way out. One of tomorrow is shown as UNRECOGNIZED, which no input may be.
"""

from __future__ import annotations

import enum

import strawberry

from schema.ports import RefusalCode, bad_input

UNRECOGNIZED = "UNRECOGNIZED"


def spelling(value: enum.Enum, argument: str) -> str:
    """Stripe's spelling of an enum argument. Raises `Failed` BAD_USER_INPUT for UNRECOGNIZED."""
    if value.name == UNRECOGNIZED:
        known = ", ".join(one.name for one in type(value) if one.name != UNRECOGNIZED)
        raise bad_input(f"{argument} must be one of {known}; UNRECOGNIZED is for output only")
    return str(value.value)


@strawberry.enum(description="Where an invoice stands.")
class InvoiceStatus(enum.Enum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="Why an invoice counts as uncollectible.")
class UncollectibleReason(enum.Enum):
    MAX_PAYMENT_ATTEMPTS = "max_payment_attempts"
    PAYMENT_NOT_RECEIVED = "payment_not_received"
    SUBSCRIPTION_CANCELED = "subscription_canceled"
    SUBSCRIPTION_PAUSED = "subscription_paused"
    USER_FORGIVEN = "user_forgiven"
    UNRECOGNIZED = "UNRECOGNIZED"


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


@strawberry.enum(description="How far an invoice payment has come.")
class InvoicePaymentStatus(enum.Enum):
    OPEN = "open"
    PAID = "paid"
    CANCELED = "canceled"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="The kind of thing that pays.")
class PaymentSourceType(enum.Enum):
    PAYMENT_INTENT = "payment_intent"
    PAYMENT_RECORD = "payment_record"
    CHARGE = "charge"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="How far a PaymentIntent has come; Stripe's own states.")
class PaymentIntentStatus(enum.Enum):
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="Which part of the invoice a credit note touched.")
class CreditNoteType(enum.Enum):
    PRE_PAYMENT = "pre_payment"
    POST_PAYMENT = "post_payment"
    MIXED = "mixed"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="Whether a credit note stands.")
class CreditNoteStatus(enum.Enum):
    ISSUED = "issued"
    VOID = "void"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="Why a credit note was issued.")
class CreditNoteReason(enum.Enum):
    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    ORDER_CHANGE = "order_change"
    PRODUCT_UNSATISFACTORY = "product_unsatisfactory"
    UNRECOGNIZED = "UNRECOGNIZED"


strawberry.enum(
    RefusalCode,
    name="PaymentErrorCode",
    description="Why a write was refused, in order of precedence: of two broken rules the first "
    "is named. FORBIDDEN: a missing scope, nothing else (what is not yours is NOT_FOUND). "
    "UPSTREAM_UNAVAILABLE: certainly not sent. UPSTREAM_OUTCOME_UNKNOWN: perhaps done; repeat "
    "with the same key.",
)
