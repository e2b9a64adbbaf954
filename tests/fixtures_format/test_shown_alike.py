"""What a fixtures file may hold is shown alike by memory and through Stripe's API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.sandbox.fixtures import load, read_fixtures, write_fixtures
from gateway.sandbox.stripe_api import running_sandbox
from gateway.settings import Limits
from schema.ports import Failed, Meter, Viewer
from tests.caching.cached_twin import cached
from tests.contract.features import Arrange, Supplies, bare, memory, stripe
from tests.support.running import SCHEMA, as_sent
from tests.support.stage import Stage
from tests.support.upstream import stripe_api

FILE: dict[str, list[dict[str, Any]]] = {
    "customers": [{"id": "cus_1"}, {"id": "cus_gone", "object": "customer", "deleted": True}],
    "charges": [{"id": "ch_1", "customer": "cus_1", "amount": 700, "currency": "usd"}],
    "payment_intents": [
        {"id": "pi_account", "customer": None, "customer_account": "acct_1", "amount": 300,
         "currency": "usd", "status": "succeeded"},
    ],
    "invoices": [
        {"id": "in_old", "customer": "cus_1", "currency": "usd", "total": 700},
        {"id": "in_gone", "customer": "cus_gone", "currency": "usd", "total": 10, "status": "open"},
        {"id": "in_account", "customer": None, "customer_account": "acct_1", "currency": "usd",
         "total": 300},
    ],
    "invoice_payments": [
        {"id": "inpay_old", "invoice": "in_old", "payment": {"type": "charge", "charge": "ch_1"}},
        {"id": "inpay_account", "invoice": "in_account",
         "payment": {"type": "payment_intent", "payment_intent": "pi_account"}},
    ],
    "credit_notes": [
        {"id": "cn_account", "invoice": "in_account", "amount": 100, "post_payment_amount": 100,
         "refunds": [
            {"refund": "re_1", "amount_refunded": 100}]},
    ],
}  # fmt: skip
QUERY = """{
  old: invoice(id: "in_old") { status amountPaid { minorUnits } amountPaidOutOfBand { minorUnits }
    customer { id } payments { nodes { sourceId source { __typename ... on Charge { id amount
    { minorUnits } } } } } }
  gone: invoice(id: "in_gone") { customerId customer { id } }
  account: invoice(id: "in_account") { status customerId customer { id } payments { nodes {
    source { ... on PaymentIntent { id customerId customer { id } } } } }
    creditNotes { nodes { id amount { minorUnits } } } }
  charge: node(id: "ch_1") { __typename id }
  invoices { nodes { id } }
}"""
EXPECTED = {
    "old": {
        "status": "PAID",
        "amountPaid": {"minorUnits": 700},
        "amountPaidOutOfBand": {"minorUnits": 0},
        "customer": {"id": "cus_1"},
        "payments": {
            "nodes": [
                {
                    "sourceId": "ch_1",
                    "source": {
                        "__typename": "Charge",
                        "id": "ch_1",
                        "amount": {"minorUnits": 700},
                    },
                }
            ]
        },
    },
    "gone": {"customerId": "cus_gone", "customer": None},
    "account": {
        "status": "PAID",
        "customerId": None,
        "customer": None,
        "payments": {
            "nodes": [{"source": {"id": "pi_account", "customerId": None, "customer": None}}]
        },
        "creditNotes": {"nodes": [{"id": "cn_account", "amount": {"minorUnits": 100}}]},
    },
    "charge": {"__typename": "Charge", "id": "ch_1"},
    "invoices": {"nodes": [{"id": "in_account"}, {"id": "in_gone"}, {"id": "in_old"}]},
}


@pytest.mark.parametrize(
    ("supplies", "arrange"), [(memory, bare), (stripe, bare), (stripe, cached)]
)
async def test_old_charges_and_invoices_without_a_customer_are_shown_alike(
    supplies: Supplies, arrange: Arrange
) -> None:
    """Twice, as a cache may answer the second time."""
    stage = Stage.empty()
    load(stage.twin, read_fixtures(json.dumps(FILE)))
    request, operator = OperationRequest(QUERY), Viewer("operator")

    async with supplies(stage) as supplier:
        feed, backend = Feed(MemoryEventLog("test")), arrange(stage, supplier)
        runner = GraphQLRunner(SCHEMA, backend.reads, backend.writes, feed, limits=Limits())
        bodies = []
        for _ in range(2):
            prepared = await runner.prepare(request, operator)
            assert not isinstance(prepared, Answer), prepared.body
            answer = await runner.execute(prepared, request, operator, "req")
            bodies.append(as_sent(answer))

    for body in bodies:
        assert body.get("errors") is None
        assert body["data"] == EXPECTED


def test_an_invoice_without_a_customer_is_written_as_one() -> None:
    """A file that was saved can be read again."""
    stage = Stage.empty()
    load(stage.twin, read_fixtures(json.dumps(FILE)))

    again = read_fixtures(json.dumps(write_fixtures(stage.twin)))

    assert [one.customer_id for one in again.invoices] == ["cus_1", "cus_gone", None]
    assert dict(again.customer_accounts) == {"in_account": "acct_1", "pi_account": "acct_1"}


async def test_the_sandbox_shows_old_charges_and_who_is_billed() -> None:
    """Over Stripe's own paths; a load replaces all of it."""
    stage = Stage.empty()
    async with running_sandbox(stage.twin) as sandbox:
        sandbox.load(json.dumps(FILE).encode())
        api = stripe_api(sandbox.url)
        try:
            charge = await api.get("/v1/charges/ch_1", {}, Meter("test"))
            listed = await api.get("/v1/charges", {"customer": "cus_1"}, Meter("test"))
            others = await api.get("/v1/charges", {"customer": "cus_2"}, Meter("test"))
            invoice = await api.get("/v1/invoices/in_account", {}, Meter("test"))
            with pytest.raises(Failed, match=r"[Nn]o such charge"):
                await api.get("/v1/charges/ch_nowhere", {}, Meter("test"))
        finally:
            await api.close()
        sandbox.load(b'{"customers": [{"id": "cus_gone"}]}')

    assert (charge["object"], charge["amount"], charge["customer"]) == ("charge", 700, "cus_1")
    assert [one["id"] for one in listed["data"]] == ["ch_1"]
    assert others["data"] == []
    assert (invoice["customer"], invoice["customer_account"]) == (None, "acct_1")
    assert not stage.twin.deleted_customers
    assert not stage.twin.customer_accounts
