"""Everything that the schema has, asked of one's own: nothing of anybody else's comes with it."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType

from gateway.events.log import encode_position
from tests.tenancy.account import ACME, CROSSED, GLOBEX, SHARED, Owned
from tests.tenancy.shape import FIELDS, SCHEMA, SECRET, selection, shown
from tests.tenancy.streams import over_sse
from tests.tenancy.words import strayed
from tests.tenancy.world import BACKENDS, World, within_seconds

NEVER_HERE = {
    ("Invoice", "voidedAt"),
    ("Invoice", "markedUncollectibleAt"),
    ("CreditNote", "reason"),
    ("CreditNote", "refunds"),
    ("InvoicePaymentEventConnection", "gaps"),
    ("ReallocationSide", "canceledDefaultPaymentId"),
    *(("CreditNoteRefund", name) for name in FIELDS["CreditNoteRefund"].split()),
    *(("UpstreamProblem", name) for name in FIELDS["UpstreamProblem"].split()),
}
"""What no customer here has; instants, enums, missing history, a payment that is all that another
invoice asks for, and Stripe's words about a call that
went wrong."""
NOT_ON: dict[str, set[tuple[str, str]]] = {
    "memory": {("GatewayInfo", "stripeApiVersion"), ("GatewayInfo", "lastCompleteCatchUp")},
    "stripe": set(),
}
"""The twin has no Stripe version, and nothing to catch up with."""
ROOMY = {"tokens_max": 4000, "cost_max": 50_000, "upstream_calls_max": 500}
"""Limits for documents that ask for all there is."""
NODE = "query ($id: ID!) { node(id: $id) { __typename ... on %s %s } }"


async def test_every_field_of_every_type_is_in_the_documents() -> None:
    """A new type or field of the schema fails here until it is in the table."""
    types = {
        name: set(kind.fields)
        for name, kind in SCHEMA.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
    }

    assert {name: set(fields.split()) for name, fields in FIELDS.items()} == types


@pytest.mark.parametrize("backend", BACKENDS)
async def test_every_field_shows_only_what_is_ones_own(backend: str, tmp_path: Path) -> None:
    """After the operator has read everything of everybody, and so filled the cache that all
    share, each tenant reads all it can, writes, and is refused."""
    seen: set[tuple[str, str]] = set()
    async with BACKENDS[backend](tmp_path, **ROOMY) as world:
        await world.stir()
        for customer_id in (GLOBEX, ACME):
            for document, sent in reads(world.account.owned[customer_id]):
                await world.ask("operator", document, **sent)
        for document, sent in [*reads(world.account.owned[ACME]), *writes(world)]:
            text, body = await world.text("acme", document, **sent)
            assert strayed(text, world.hidden_from("acme"), sent) == set(), document
            seen |= shown(body.get("data"))
        seen |= shown(await stream_items(world))

    roots = {(root, name) for root in ("Query", "Mutation", "Subscription") for name in of(root)}
    every = {(kind, name) for kind in FIELDS for name in of(kind)}
    assert every - seen - roots == NEVER_HERE | NOT_ON[backend]


def of(type_name: str) -> list[str]:
    return FIELDS[type_name].split()


def reads(own: Owned) -> list[tuple[str, dict[str, Any]]]:
    """Documents that ask for all that a customer has, from every kind of object."""
    objects = [*own.by_kind.items(), ("Invoice", own.paid), ("Invoice", own.shared)]
    objects += [("Invoice", own.recorded), ("Invoice", own.charged)]
    objects += [("InvoicePayment", own.share), ("InvoicePayment", own.paying)]
    found = [(NODE % (kind, selection(kind, 1)), {"id": id}) for kind, id in objects]
    by_customer = "invoices(first: 3, filter: {customerId: $id})"
    by_record = "invoicePayments(filter: {paymentRecordId: $id})"
    draft = "{invoiceId: $id, amountMinorUnits: 1, outOfBandMinorUnits: 1}"
    events = selection("InvoicePaymentEventConnection", 1, without=SECRET)
    preview = (
        "query ($i: ID!, $from: ID!, $id: ID!) { reallocationPreview(paymentIntentId: $i, "
        f"fromInvoiceId: $from, toInvoiceId: $id) {selection('ReallocationPreview', 0)} }}"
    )
    return [
        *found,
        (about(by_customer, "InvoiceConnection"), {"id": own.customer_id}),
        (about(by_record, "InvoicePaymentConnection"), {"id": SHARED}),
        (about(f"creditNotePreview(input: {draft})", "CreditNotePreview"), {"id": own.paid}),
        (preview, {"i": own.intent, "from": own.paid, "id": own.open}),
        (preview, {"i": own.free, "from": own.open, "id": own.credited}),
        (f"{{ invoicePaymentEvents(first: 5) {events} }}", {}),
        (f"{{ gateway {selection('GatewayInfo', 0)} }}", {}),
    ]


def about(field: str, type_name: str) -> str:
    return f"query ($id: ID!) {{ {field} {selection(type_name, 0)} }}"


def writes(world: World) -> list[tuple[str, dict[str, Any]]]:
    """Every write with every field of its answer, done and refused; and reads in between."""
    own, theirs = world.account.owned[ACME], world.account.owned[GLOBEX]
    attach = "mutation ($input: AttachPaymentInput!) { attachPayment(input: $input) %s }"
    attached = attach % selection("AttachPaymentPayload", 1)
    detached = selection("DetachPaymentPayload", 1)
    detach = "mutation ($input: DetachPaymentInput!) { detachPayment(input: $input) %s }"
    credited = selection("CreateCreditNotePayload", 1)
    credit = "mutation ($input: CreateCreditNoteInput!) { createCreditNote(input: $input) %s }"
    voided = selection("VoidCreditNotePayload", 1)
    void = f"mutation ($input: VoidCreditNoteInput!) {{ voidCreditNote(input: $input) {voided} }}"
    moved = selection("ReallocatePaymentPayload", 1)
    move = "mutation ($input: ReallocatePaymentInput!) { reallocatePayment(input: $input) %s }"
    ends = {"fromInvoiceId": own.open, "toInvoiceId": own.credited}
    back = {"fromInvoiceId": own.credited, "toInvoiceId": own.open}
    free = {"paymentIntentId": own.free}
    note = {"invoiceId": own.recorded, "amountMinorUnits": 1, "outOfBandMinorUnits": 1}
    return [
        (attached, {"input": keyed(1, invoiceId=own.open, payment=free)}),
        *reads(own),
        (move % moved, {"input": keyed(10, paymentIntentId=own.free, **ends)}),
        (move % moved, {"input": keyed(11, paymentIntentId=own.intent, **ends)}),
        (move % moved, {"input": keyed(12, paymentIntentId=own.free, **back)}),
        (detach % detached, {"input": keyed(2, invoiceId=own.open, paymentIntentId=own.free)}),
        (detach % detached, {"input": keyed(3, invoiceId=own.paid, paymentIntentId=own.intent)}),
        (credit % credited, {"input": keyed(4, creditNote=note)}),
        (credit % credited, {"input": keyed(5, creditNote=note | {"invoiceId": theirs.paid})}),
        (void, {"input": keyed(8, invoiceId=own.credited, creditNoteId=own.voidable)}),
        (void, {"input": keyed(9, invoiceId=theirs.credited, creditNoteId=theirs.voidable)}),
        (attached, {"input": keyed(6, invoiceId=own.recorded, payment=free)}),
        (attached, {"input": keyed(7, invoiceId=theirs.open, payment=free)}),
        *reads(own),
    ]


def keyed(number: int, **given: Any) -> dict[str, Any]:
    return {"idempotencyKey": f"key-{number}", **given}


async def stream_items(world: World) -> list[Any]:
    """A checkpoint, and the gap before it starts again after another log's cursor."""
    document = (
        "subscription ($after: EventCursor) { invoicePaymentEvents(after: $after) { __typename "
        f"... on StreamCheckpoint {selection('StreamCheckpoint', 0)} "
        f"... on StreamGap {selection('StreamGap', 0)} }} }}"
    )
    after = {"after": encode_position("another", 1)}
    async with aclosing(over_sse(world, "acme", document, after)) as stream:
        return [await within_seconds(anext(stream)) for _ in range(2)]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_no_link_leads_back_to_anothers_invoice(backend: str, tmp_path: Path) -> None:
    """From an intent to the invoices that it pays: only to those that are the caller's."""
    back = """query ($id: ID!) { paymentIntent(id: $id) { invoicePayments {
      nodes { id invoiceId invoice { id customer { id } } }
      pageInfo { hasNextPage endCursor } } } }"""
    async with BACKENDS[backend](tmp_path) as world:
        everything = await world.ask("operator", back, id=CROSSED)

        seen = await world.ask("globex", back, id=CROSSED)

    at_its_end = {"hasNextPage": False, "endCursor": None}
    page = {"nodes": [], "pageInfo": at_its_end}
    assert len(everything["data"]["paymentIntent"]["invoicePayments"]["nodes"]) == 1
    assert seen["data"] == {"paymentIntent": {"invoicePayments": page}}


@pytest.mark.parametrize("backend", BACKENDS)
async def test_no_link_leads_to_anothers_intent(backend: str, tmp_path: Path) -> None:
    """Where a fault in the account has put another's intent on one's invoice, its id is told, as
    it stands on the own payment, and nothing else."""
    there = """query ($id: ID!) { invoice(id: $id) { payments { nodes {
      id sourceId source { ... on PaymentIntent { id description } }
      paymentIntent { id customerId amount { minorUnits } } } } } }"""
    async with BACKENDS[backend](tmp_path) as world:
        own = world.account.owned[ACME]
        await world.ask("operator", there, id=own.open)

        text, body = await world.text("acme", there, id=own.open)

    (crossed,) = [
        one for one in body["data"]["invoice"]["payments"]["nodes"] if one["sourceId"] == CROSSED
    ]
    assert (crossed["source"], crossed["paymentIntent"]) == (None, None)
    assert {error["extensions"]["code"] for error in body["errors"]} == {"NOT_FOUND"}
    assert strayed(text, world.hidden_from("acme"), CROSSED) == set()
