"""Rows of the matrix that would write: to somebody else's invoice, or with their payment."""

from __future__ import annotations

from tests.tenancy.row import Given, Row

REFUSAL = "errors { __typename code message path ... on StateProblem { invoice { id } } }"


def _attach(id: str, given: Given, *names: str) -> Row:
    return Row(
        f"attach {id}",
        f"""mutation ($input: AttachPaymentInput!) {{ attachPayment(input: $input) {{
              replayed invoice {{ id }} invoicePayment {{ id }} {REFUSAL} }} }}""",
        lambda own, other: {"input": {"idempotencyKey": f"key {id}", **given(own, other)}},
        "NOT_FOUND",
        names,
        writes=True,
    )


def _detach(id: str, given: Given, *names: str) -> Row:
    return Row(
        f"detach {id}",
        f"""mutation ($input: DetachPaymentInput!) {{ detachPayment(input: $input) {{
              replayed detachedInvoicePaymentId invoice {{ id }} paymentIntent {{ id }}
              newDefaultPayment {{ id }} {REFUSAL} }} }}""",
        lambda own, other: {"input": {"idempotencyKey": f"key {id}", **given(own, other)}},
        "NOT_FOUND",
        names,
        writes=True,
    )


def _reallocate(id: str, given: Given, *names: str) -> Row:
    return Row(
        f"reallocate {id}",
        f"""mutation ($input: ReallocatePaymentInput!) {{ reallocatePayment(input: $input) {{
              replayed outcome detachedInvoicePaymentId fromInvoice {{ id }} toInvoice {{ id }}
              invoicePayment {{ id }} paymentIntent {{ id }} {REFUSAL} }} }}""",
        lambda own, other: {"input": {"idempotencyKey": f"key {id}", **given(own, other)}},
        "NOT_FOUND",
        names,
        writes=True,
    )


def _void(id: str, given: Given, *names: str) -> Row:
    return Row(
        f"void {id}",
        f"""mutation ($input: VoidCreditNoteInput!) {{ voidCreditNote(input: $input) {{
              replayed creditNote {{ id }} invoice {{ id }} {REFUSAL} }} }}""",
        lambda own, other: {"input": {"idempotencyKey": f"key {id}", **given(own, other)}},
        "NOT_FOUND",
        names,
        writes=True,
    )


ELSEWHERE = {"amountMinorUnits": 1, "currency": "USD", "paidAt": "2026-01-01T00:00:00Z"}
WRITES = [
    _attach(
        "own intent to their invoice",
        lambda own, other: {"invoiceId": other.open, "payment": {"paymentIntentId": own.free}},
        "AttachPaymentInput.invoiceId",
    ),
    _attach(
        "own record to their invoice",
        lambda own, other: {"invoiceId": other.open, "payment": {"paymentRecordId": own.record}},
        "AttachPaymentInput.invoiceId",
    ),
    _attach(
        "what was paid elsewhere to their invoice",
        lambda own, other: {"invoiceId": other.open, "payment": {"outOfBand": ELSEWHERE}},
        "AttachPaymentInput.invoiceId",
    ),
    _attach(
        "their intent to their invoice",
        lambda own, other: {"invoiceId": other.open, "payment": {"paymentIntentId": other.free}},
        "AttachPaymentInput.invoiceId",
    ),
    _attach(
        "their intent to own invoice",
        lambda own, other: {"invoiceId": own.open, "payment": {"paymentIntentId": other.free}},
        "PaymentRef.paymentIntentId",
    ),
    _attach(
        "a share of their intent to own invoice",
        lambda own, other: {
            "invoiceId": own.open,
            "payment": {"paymentIntentId": other.free},
            "amountRequestedMinorUnits": 1,
        },
        "PaymentRef.paymentIntentId",
    ),
    _attach(
        "their record to own invoice",
        lambda own, other: {"invoiceId": own.open, "payment": {"paymentRecordId": other.record}},
        "PaymentRef.paymentRecordId",
    ),
    _attach(
        "their intent to own paid invoice",
        lambda own, other: {"invoiceId": own.paid, "payment": {"paymentIntentId": other.free}},
        "PaymentRef.paymentIntentId",
    ),
    _detach(
        "their intent from their invoice",
        lambda own, other: {"invoiceId": other.paid, "paymentIntentId": other.intent},
        "DetachPaymentInput.invoiceId",
    ),
    _detach(
        "own intent from their invoice",
        lambda own, other: {"invoiceId": other.paid, "paymentIntentId": own.intent},
        "DetachPaymentInput.invoiceId",
    ),
    _detach(
        "their intent from own invoice",
        lambda own, other: {"invoiceId": own.paid, "paymentIntentId": other.intent},
        "DetachPaymentInput.paymentIntentId",
    ),
    _detach(
        "their intent from own invoice that moved on",
        lambda own, other: {
            "invoiceId": own.paid,
            "paymentIntentId": other.intent,
            "ifAmountPaidMinorUnits": 1,
        },
        "DetachPaymentInput.paymentIntentId",
    ),
    _reallocate(
        "their intent from their invoice to own",
        lambda own, other: {
            "paymentIntentId": other.intent,
            "fromInvoiceId": other.paid,
            "toInvoiceId": own.open,
        },
        "ReallocatePaymentInput.fromInvoiceId",
    ),
    _reallocate(
        "own intent to their invoice",
        lambda own, other: {
            "paymentIntentId": own.intent,
            "fromInvoiceId": own.paid,
            "toInvoiceId": other.open,
        },
        "ReallocatePaymentInput.toInvoiceId",
    ),
    _reallocate(
        "their intent between own invoices",
        lambda own, other: {
            "paymentIntentId": other.intent,
            "fromInvoiceId": own.paid,
            "toInvoiceId": own.open,
        },
        "ReallocatePaymentInput.paymentIntentId",
    ),
    _void(
        "their note on their invoice",
        lambda own, other: {"invoiceId": other.credited, "creditNoteId": other.voidable},
        "VoidCreditNoteInput.invoiceId",
    ),
    _void(
        "their note as one on own invoice",
        lambda own, other: {"invoiceId": own.credited, "creditNoteId": other.voidable},
        "VoidCreditNoteInput.creditNoteId",
    ),
    Row(
        "credit their invoice",
        f"""mutation ($id: ID!) {{ createCreditNote(input: {{idempotencyKey: "key",
              creditNote: {{invoiceId: $id, amountMinorUnits: 1}} }}) {{
              replayed creditNote {{ id }} invoice {{ id }} {REFUSAL} }} }}""",
        lambda own, other: {"id": other.open},
        "NOT_FOUND",
        ("CreditNoteInput.invoiceId",),
        writes=True,
    ),
]
