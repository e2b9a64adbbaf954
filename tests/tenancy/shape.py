"""Every object type of the schema with all its fields, and documents that ask for all of them.

The table is written by hand and held against the schema, so that a new field is put here, and with
it into the documents, before the tests pass again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from schema.root import make_schema

SCHEMA = make_schema()._schema

FIELDS: Mapping[str, str] = {
    "Query": "node nodes invoice invoices invoicePayment invoicePayments paymentIntent customer "
    "creditNotePreview reallocationPreview invoicePaymentEvents gateway",
    "Mutation": "attachPayment detachPayment reallocatePayment createCreditNote voidCreditNote",
    "Subscription": "invoicePaymentEvents",
    "Customer": "id name email balance invoiceCreditBalance createdAt invoices paymentIntents",
    "Invoice": "id number description customerName customerEmail accountName currency "
    "hostedInvoiceUrl invoicePdf livemode status rawStatus collectionMethod customer customerId "
    "subtotal total startingBalance endingBalance amountDue amountPaid amountRemaining "
    "amountOverpaid amountPaidOutOfBand outOfBandCoverage "
    "prePaymentCreditNotesAmount postPaymentCreditNotesAmount createdAt dueAt finalizedAt paidAt "
    "voidedAt markedUncollectibleAt uncollectibleReason metadata metadataValue lines payments "
    "creditNotes confirmationSecret eventCursor",
    "InvoiceLineItem": "id description quantity quantityDecimal amount periodStart periodEnd",
    "InvoicePayment": "id invoiceId isDefault sourceId invoice status rawStatus amountRequested "
    "amountPaid sourceType source paymentIntent createdAt paidAt canceledAt detachPreview",
    "PaymentIntent": "id description livemode status rawStatus amount amountReceived customer "
    "customerId createdAt canceledAt paymentRecordId paymentRecord metadata invoicePayments",
    "PaymentRecord": "id description amount createdAt customerId metadata invoicePayments",
    "Charge": "id amount createdAt",
    "CreditNote": "id number memo invoiceId type status reason invoice amount prePaymentAmount "
    "postPaymentAmount outOfBandAmount refunds createdAt voidedAt",
    "CreditNoteRefund": "amountRefunded refundId paymentRecordId",
    "CreditNotePreview": "type amount prePaymentAmount postPaymentAmount amountRemainingAfter",
    "DetachPreview": "allowed createsDefaultPaymentIntent blockedBy statusAfter "
    "amountRemainingAfter",
    "ReallocationPreview": "allowed blockedBy fromInvoice toInvoice",
    "ReallocationSide": "invoiceId status amountPaid amountRemaining amountOverpaid "
    "createsDefaultPaymentIntent canceledDefaultPaymentId",
    "ConfirmationSecret": "clientSecret type",
    "Money": "minorUnits currency exponent decimal formatted",
    "MetadataEntry": "key value",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "InvoiceConnection": "edges nodes pageInfo",
    "InvoiceEdge": "node cursor",
    "InvoicePaymentConnection": "edges nodes pageInfo",
    "InvoicePaymentEdge": "node cursor",
    "InvoiceLineItemConnection": "edges nodes pageInfo",
    "InvoiceLineItemEdge": "node cursor",
    "PaymentIntentConnection": "edges nodes pageInfo",
    "PaymentIntentEdge": "node cursor",
    "CreditNoteConnection": "edges nodes pageInfo",
    "CreditNoteEdge": "node cursor",
    "InvoicePaymentEvent": "cursor sourceEventId rawType invoiceId customerId invoicePaymentId "
    "paymentIntentId idempotencyKey type origin occurredAt invoice invoicePayment paymentIntent",
    "InvoicePaymentEventConnection": "edges nodes pageInfo gaps",
    "InvoicePaymentEventEdge": "node cursor",
    "StreamCheckpoint": "cursor live",
    "StreamGap": "after resumesAt reason",
    "AttachPaymentPayload": "errors replayed invoice invoicePayment",
    "DetachPaymentPayload": "detachedInvoicePaymentId errors replayed invoice paymentIntent "
    "newDefaultPayment",
    "ReallocatePaymentPayload": "outcome detachedInvoicePaymentId errors replayed fromInvoice "
    "toInvoice invoicePayment paymentIntent",
    "CreateCreditNotePayload": "errors replayed creditNote invoice",
    "VoidCreditNotePayload": "errors replayed creditNote invoice",
    "InputProblem": "code message path",
    "StateProblem": "code message path invoice",
    "UpstreamProblem": "code message path stripeCode stripeRequestId docUrl retryable "
    "retryAfterSeconds",
    "GatewayInfo": "version backend livemode stripeApiVersion capabilities scopes "
    "oldestEventCursor lastCompleteCatchUp",
}

ARGUMENTS = {("Invoice", "metadataValue"): '(key: "owner")'}
SECRET = ("Invoice", "confirmationSecret")
"""Never part of an event, so documents about events leave it out."""


def selection(type_name: str, levels: int, *, without: tuple[str, str] | None = None) -> str:
    """All fields of a type, and of the objects behind them down to so many levels."""
    kind: Any = SCHEMA.type_map[type_name]
    if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
        members = SCHEMA.get_possible_types(kind)
        parts = [f"... on {one.name} {selection(one.name, levels)}" for one in members]
        return "{ __typename " + " ".join(parts) + " }"
    fields = [
        _field(kind, name, levels, without)
        for name in FIELDS[type_name].split()
        if (type_name, name) != without
    ]
    return "{ __typename " + " ".join(fields) + " }"


def _field(kind: GraphQLObjectType, name: str, levels: int, without: tuple[str, str] | None) -> str:
    target = get_named_type(kind.fields[name].type)
    called = name + ARGUMENTS.get((kind.name, name), "")
    if is_leaf_type(target):
        return called
    if kind.name.endswith("Edge") or (kind.name.endswith("Connection") and name == "edges"):
        return f"{called} {selection(target.name, 0, without=without)}"
    if has_id(target):
        below = "{ __typename id }"
        return f"{called} " + (
            selection(target.name, levels - 1, without=without) if levels else below
        )
    if isinstance(target, GraphQLUnionType) and not levels:
        return f"{called} {{ __typename }}"
    return f"{called} {selection(target.name, levels, without=without)}"


def has_id(kind: Any) -> bool:
    return isinstance(kind, GraphQLObjectType) and "id" in kind.fields


def shown(value: Any) -> set[tuple[str, str]]:
    """Which fields of which types stand in an answer with something in them."""
    found: set[tuple[str, str]] = set()
    if isinstance(value, dict):
        kind = value.get("__typename")
        found |= {(kind, name) for name, one in value.items() if kind and one not in (None, [])}
        for one in value.values():
            found |= shown(one)
    elif isinstance(value, list):
        for one in value:
            found |= shown(one)
    return found - {(kind, "__typename") for kind, _ in found}
