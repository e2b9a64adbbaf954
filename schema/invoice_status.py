"""InvoiceStatus, apart from Invoice because a detach preview and filters speak of it too."""

from __future__ import annotations

import enum

import strawberry


@strawberry.enum(description="Where an invoice stands.")
class InvoiceStatus(enum.Enum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"
    UNRECOGNIZED = "UNRECOGNIZED"
