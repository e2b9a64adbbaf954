"""Rows of the matrix that name somebody else's object by its id, and streams about one."""

from __future__ import annotations

from tests.tenancy.account import SHARED
from tests.tenancy.row import PAGE, Given, Row


def _by_kind(kind: str) -> Row:
    return Row(
        f"node {kind}",
        "query ($id: ID!) { node(id: $id) { __typename id } }",
        lambda own, other: {"id": other.by_kind[kind]},
        "NOT_FOUND",
        ("Query.node.id",),
    )


def _among_nodes(kind: str) -> Row:
    return Row(
        f"nodes {kind}",
        "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }",
        lambda own, other: {"ids": [own.open, other.by_kind[kind], own.customer_id]},
        None,
        ("Query.nodes.ids",),
    )


def _field(field: str, kind: str) -> Row:
    return Row(
        field,
        f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}",
        lambda own, other: {"id": other.by_kind[kind]},
        "NOT_FOUND",
        (f"Query.{field}.id",),
    )


def _reallocation(id: str, given: Given, name: str) -> Row:
    return Row(
        f"reallocationPreview {id}",
        """query ($i: ID!, $from: ID!, $to: ID!) {
             reallocationPreview(paymentIntentId: $i, fromInvoiceId: $from, toInvoiceId: $to) {
               allowed blockedBy fromInvoice { invoiceId } toInvoice { invoiceId } } }""",
        given,
        "NOT_FOUND",
        (f"Query.reallocationPreview.{name}",),
    )


KINDS = (
    *("Invoice", "InvoicePayment", "PaymentIntent", "PaymentRecord"),
    *("Charge", "CreditNote", "Customer"),
)
OBJECTS = [
    *map(_by_kind, KINDS),
    *map(_among_nodes, KINDS),
    _field("invoice", "Invoice"),
    _field("invoicePayment", "InvoicePayment"),
    _field("paymentIntent", "PaymentIntent"),
    _field("customer", "Customer"),
    Row(
        "creditNotePreview",
        """query ($id: ID!) { creditNotePreview(input: {
             invoiceId: $id, amountMinorUnits: 1}) { amountRemainingAfter { minorUnits } } }""",
        lambda own, other: {"id": other.open},
        "NOT_FOUND",
        ("CreditNoteInput.invoiceId",),
    ),
    _reallocation(
        "from theirs",
        lambda own, other: {"i": own.intent, "from": other.paid, "to": own.open},
        "fromInvoiceId",
    ),
    _reallocation(
        "to theirs",
        lambda own, other: {"i": own.intent, "from": own.paid, "to": other.open},
        "toInvoiceId",
    ),
    _reallocation(
        "of theirs",
        lambda own, other: {"i": other.intent, "from": own.paid, "to": own.open},
        "paymentIntentId",
    ),
]


def _filtered(argument: str, given: Given, names: tuple[str, ...]) -> Row:
    field, _, where = argument.partition(" ")
    return Row(
        f"{field} by {where}",
        f"query ($where: {field[0].upper()}{field[1:-1]}Filter) "
        f"{{ {field}(filter: $where) {PAGE} }}",
        given,
        None,
        names,
    )


def _events(where: str, given: Given, name: str) -> Row:
    return Row(
        f"invoicePaymentEvents by {where}",
        """query ($where: InvoicePaymentEventFilter) { invoicePaymentEvents(filter: $where) {
             nodes { cursor invoiceId } pageInfo { hasNextPage hasPreviousPage endCursor } } }""",
        given,
        None,
        (name,),
    )


LISTS = [
    _filtered(
        "invoices customer",
        lambda own, other: {"where": {"customerId": other.customer_id}},
        ("InvoiceFilter.customerId",),
    ),
    _filtered(
        "invoices subscription",
        lambda own, other: {"where": {"subscriptionId": other.subscription}},
        ("InvoiceFilter.subscriptionId",),
    ),
    _filtered(
        "invoicePayments invoice",
        lambda own, other: {"where": {"invoiceId": other.open}},
        ("InvoicePaymentFilter.invoiceId",),
    ),
    _filtered(
        "invoicePayments intent",
        lambda own, other: {"where": {"paymentIntentId": other.intent}},
        ("InvoicePaymentFilter.paymentIntentId",),
    ),
    _filtered(
        "invoicePayments record",
        lambda own, other: {"where": {"paymentRecordId": other.record}},
        ("InvoicePaymentFilter.paymentRecordId",),
    ),
    _filtered(
        "invoicePayments record, of their invoice",
        lambda own, other: {"where": {"paymentRecordId": SHARED, "invoiceId": other.shared}},
        ("InvoicePaymentFilter.invoiceId",),
    ),
    _events(
        "invoice",
        lambda own, other: {"where": {"invoiceIds": [other.open]}},
        "InvoicePaymentEventFilter.invoiceIds",
    ),
    _events(
        "customer",
        lambda own, other: {"where": {"customerIds": [other.customer_id]}},
        "InvoicePaymentEventFilter.customerIds",
    ),
    Row(
        "attachableTo",
        f"""query ($me: ID!, $id: ID!) {{ customer(id: $me) {{
              paymentIntents(attachableTo: $id) {PAGE} }} }}""",
        lambda own, other: {"me": own.customer_id, "id": other.open},
        "NOT_FOUND",
        ("Customer.paymentIntents.attachableTo",),
    ),
]

STREAM = """subscription ($where: InvoicePaymentEventFilter) {
  invoicePaymentEvents(filter: $where) { __typename } }"""
STREAMS = [
    Row(
        "listen to their invoice",
        STREAM,
        lambda own, other: {"where": {"invoiceIds": [other.open]}},
        "NOT_FOUND",
        ("InvoicePaymentEventFilter.invoiceIds",),
    ),
    Row(
        "listen to their invoice beside one's own",
        STREAM,
        lambda own, other: {"where": {"invoiceIds": [own.open, other.open]}},
        "NOT_FOUND",
        ("InvoicePaymentEventFilter.invoiceIds",),
    ),
    Row(
        "listen to their customer",
        STREAM,
        lambda own, other: {"where": {"customerIds": [other.customer_id]}},
        "NOT_FOUND",
        ("InvoicePaymentEventFilter.customerIds",),
    ),
]
