"""What `invoice-gateway explain` says of calls to Stripe is what Stripe is then asked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import pytest
from graphql import GraphQLError
from graphql.execution.values import get_variable_values
from hypothesis import assume, given, settings

from gateway.cli.explain import stripe_calls
from gateway.execution.documents import Document, Documents
from gateway.sandbox.stripe_api.server import ServedRequest
from schema.planner import Selection
from tests.execution.oracle import ROOMY
from tests.fetch_plan.test_calls import THREE_DEEP, Counted
from tests.support.documents import valid_queries
from tests.support.long_form import examples
from tests.support.running import SCHEMA
from tests.support.stage import ACME, Stage
from tests.support.upstream import stripe_through_sandbox

NOUNS = {"in": "invoice", "inpay": "invoice_payment", "pi": "payment_intent", "cus": "customer"}


@pytest.fixture
async def counted() -> AsyncIterator[Counted]:
    stage = Stage.empty()
    async with stripe_through_sandbox(stage.twin) as (backend, sandbox):
        yield Counted(stage, sandbox, backend)


KNOWN = Documents(SCHEMA._schema, ROOMY)


async def explained(document: str) -> set[str]:
    """The calls, each with its parameters in order of their names."""
    known = KNOWN.get(document, may_introspect=False)
    assert isinstance(known, Document), known
    operation = known.operation(None)
    values = get_variable_values(SCHEMA._schema, (), {})
    assert not isinstance(values, list)
    selection = Selection(SCHEMA._schema, operation, known.fragments, values)
    root = SCHEMA._schema.query_type
    assert root is not None
    return {ordered(call) for call in await stripe_calls(selection.of_root(root))}


def ordered(call: str) -> str:
    path, _, query = call.partition("?")
    return "?".join([path, *sorted(filter(None, query.split("&")))])


def served(request: ServedRequest, document: str) -> str:
    """The same words for a call that the sandbox got."""
    query = "&".join(pairs(request.params, ""))
    call = f"{request.method} {request.path}?{query}"

    def hidden(found: re.Match[str]) -> str:
        is_known = found[0] in document or found[1] not in NOUNS
        return found[0] if is_known else f"{{{NOUNS[found[1]]}}}"

    call = re.sub(r"\b([a-z]+)_[A-Za-z0-9]*[0-9][A-Za-z0-9]*\b", hidden, call)
    return ordered(re.sub(r"(created\[lte\]=)\d+", r"\1{created}", call))


def pairs(value: Any, name: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{name}={unquote(str(value))}"]
    return [
        pair
        for key, below in value.items()
        for pair in pairs(below, f"{name}[{'' if key.isdecimal() else key}]" if name else key)
    ]


DOCUMENTS = {
    "invoice": "{ invoice(id: %(invoice)s) { customer { id } %(three)s } }",
    "invoices": "{ invoices(first: 50) { nodes { id %(three)s } } }",
    "customers of invoices": "{ invoices { nodes { customer { name } } } }",
    "nodes": "{ nodes(ids: [%(invoice)s, %(payment)s, %(customer)s]) { id"
    " ... on InvoicePayment { paymentIntent { id } invoice { id customer { name } } } } }",
    "customer": "{ customer(id: %(customer)s) { name invoices { nodes { id %(three)s } } } }",
    "intent": "{ paymentIntent(id: %(intent)s) { status"
    " invoicePayments { nodes { invoice { id payments { nodes { id } } } } } } }",
    "payments of an intent": "{ invoicePayments(filter: {paymentIntentId: %(intent)s})"
    " { nodes { id paymentIntent { status } } } }",
    "what is worked out": "{ invoice(id: %(open)s) { amountPaidOutOfBand { minorUnits }"
    " confirmationSecret { type } lines { nodes { id } } creditNotes { nodes { id } }"
    " payments { nodes { detachPreview { allowed } } } } }",
    "sources and a preview": "{ invoicePayments(filter: {invoiceId: %(invoice)s})"
    " { nodes { source { ... on PaymentIntent { id } } } }"
    " creditNotePreview(input: {invoiceId: %(open)s, amountMinorUnits: 5}) { type } }",
    "an event page": "{ invoicePaymentEvents { nodes { cursor } } }",
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_what_is_explained_is_what_is_asked(counted: Counted, document: str) -> None:
    """Of an account that has as much of everything as the explanation takes for given."""
    invoice_id, *_ = counted.invoices(3, 3)
    payment = counted.stage.twin.invoice_payments.matching("invoice_id", invoice_id)[0]
    ids = {
        "invoice": invoice_id,
        "open": counted.stage.open_invoice(),
        "payment": payment.id,
        "intent": payment.source_id,
        "customer": ACME,
    }
    document %= {name: f'"{value}"' for name, value in ids.items()} | {"three": THREE_DEEP}

    await counted.ask(document)

    asked = {served(one, document) for one in counted.sandbox.requests}
    assert await explained(document) == asked


@settings(max_examples=examples(60))
@given(valid_queries(ids=("in_1", "inpay_1", "pi_1", "pr_1", "ch_1", "cn_1", "cus_1")))
async def test_whatever_can_be_asked_can_be_explained(document: str) -> None:
    """Every field of the schema, with good and bad arguments."""
    assume(isinstance(KNOWN.get(document, may_introspect=False), Document))

    try:
        calls = await explained(document)
    except GraphQLError:  # Of a directive or an argument; execution says so, too.
        return

    assert all(call.startswith("GET /v1/") for call in calls)
