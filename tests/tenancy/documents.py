"""Documents that several tests send, and a payment that a tenant makes with one of them."""

from __future__ import annotations

from tests.tenancy.account import ACME, GLOBEX
from tests.tenancy.shape import SECRET, selection
from tests.tenancy.world import World

EVENT = selection("InvoicePaymentEvent", 0, without=SECRET)
PAGE = (
    "query ($first: Int, $after: EventCursor) { invoicePaymentEvents(first: $first, after: $after) "
    f"{{ nodes {EVENT} pageInfo {{ hasNextPage endCursor }} }} }}"
)
STREAM = (
    "subscription ($after: EventCursor) { invoicePaymentEvents(after: $after) { __typename "
    f"... on StreamCheckpoint {{ cursor live }} ... on InvoicePaymentEvent {EVENT} }} }}"
)
ATTACH = """mutation ($invoice: ID!, $intent: ID!, $key: String!) { attachPayment(input: {
  invoiceId: $invoice, payment: {paymentIntentId: $intent}, idempotencyKey: $key}) {
  replayed errors { code message } } }"""
DETACH = """mutation ($invoice: ID!, $intent: ID!, $key: String!) { detachPayment(input: {
  invoiceId: $invoice, paymentIntentId: $intent, idempotencyKey: $key}) {
  replayed detachedInvoicePaymentId errors { code message path } invoice { id } } }"""
CALLER_OF = {ACME: "acme", GLOBEX: "globex"}


async def pays(world: World, customer_id: str, key: str = "key") -> None:
    """The customer's free intent is attached to the open invoice, by its own tenant."""
    owned = world.account.owned[customer_id]
    body = await world.ask(
        CALLER_OF[customer_id], ATTACH, invoice=owned.open, intent=owned.free, key=key
    )
    assert body["data"]["attachPayment"]["errors"] == []
    await world.tell()
