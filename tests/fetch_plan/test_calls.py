"""How many calls an operation costs, counted at the server that answers them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest

from gateway.backends.supplier import Supplier
from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.sandbox.stripe_api import Fault, FaultKind, Sandbox
from gateway.settings import Limits
from schema import records
from schema.ports import Viewer
from tests.stripe_edge import samples
from tests.support.backends import journal_of
from tests.support.running import SCHEMA
from tests.support.stage import ACME, GLOBEX, Stage
from tests.support.upstream import stripe_through_sandbox

OPERATOR = Viewer("operator")
THREE_DEEP = "payments { nodes { id status paymentIntent { id status amount { minorUnits } } } }"


@dataclass(slots=True)
class Counted:
    """A gateway's runner over Stripe, and the sandbox that counts what it is asked."""

    stage: Stage
    sandbox: Sandbox
    backend: Supplier

    async def ask(
        self,
        query: str,
        *,
        calls_max: int = 60,
        errors: bool = False,
        viewer: Viewer = OPERATOR,
        **variables: Any,
    ) -> tuple[dict[str, Any], int]:
        """The answer, and how many calls it cost."""
        feed, writes = Feed(MemoryEventLog("test")), journal_of(self.backend, self.stage.clock.now)
        runner = GraphQLRunner(
            SCHEMA, self.backend, writes, feed, limits=Limits(), upstream_calls_max=calls_max
        )
        request = OperationRequest(query, variables)
        prepared = await runner.prepare(request, viewer)
        assert not isinstance(prepared, Answer), prepared.body
        self.sandbox.requests.clear()
        body = (await runner.execute(prepared, request, viewer, "req_test")).body
        assert errors or "errors" not in body, body["errors"]
        if viewer.customers is None:
            assert body["extensions"]["upstream"]["calls"] == len(self.sandbox.requests)
        return body, len(self.sandbox.requests)

    def invoices(
        self, count: int, payments: int, *, seconds_apart: int = 10, customer_id: str = ACME
    ) -> list[str]:
        """Invoices each paid by so many intents, one after the other."""
        made = []
        for _ in range(count):
            self.stage.clock.advance(seconds_apart)
            made.append(paid_invoice(self.stage, payments, customer_id=customer_id))
        return made

    def others(self, count: int) -> None:
        """Payments of other invoices, without the way there: only lists ever meet them."""
        twin = self.stage.twin
        for number in range(count):
            self.stage.clock.advance(1)
            twin.invoice_payments.put(
                records.InvoicePayment(
                    id=f"inpay_other{self.stage.clock.now()}_{number}",
                    created=self.stage.clock.now(),
                    currency="usd",
                    invoice_id="in_other",
                    status="canceled",
                    source_type="payment_record",
                    source_id="pr_other",
                    amount_requested=100,
                )
            )


def paid_invoice(stage: Stage, payments: int, *, customer_id: str = ACME) -> str:
    """An invoice in the tables with exactly this many paid payments."""
    now = stage.clock.now()
    invoice_id = stage.ids.new("in")
    stage.twin.invoices.put(
        records.Invoice(
            id=invoice_id,
            created=now,
            currency="usd",
            customer_id=customer_id,
            status="paid",
            subtotal=100 * payments,
            total=100 * payments,
            amount_due=100 * payments,
            amount_paid=100 * payments,
            finalized_at=now,
            paid_at=now,
        )
    )
    for _ in range(payments):
        intent_id = stage.ids.new("pi")
        stage.twin.payment_intents.put(
            records.PaymentIntent(
                id=intent_id,
                created=now,
                currency="usd",
                status="succeeded",
                amount=100,
                amount_received=100,
                customer_id=customer_id,
            )
        )
        stage.twin.invoice_payments.put(
            records.InvoicePayment(
                id=stage.ids.new("inpay"),
                created=now,
                currency="usd",
                invoice_id=invoice_id,
                status="paid",
                source_type="payment_intent",
                source_id=intent_id,
                amount_requested=100,
                amount_paid=100,
                paid_at=now,
            )
        )
    return invoice_id


@pytest.fixture
async def counted() -> AsyncIterator[Counted]:
    stage = Stage.empty()
    async with stripe_through_sandbox(stage.twin) as (backend, sandbox):
        yield Counted(stage, sandbox, backend)


async def test_invoice_with_payments_intents_and_customer_is_one_call(counted: Counted) -> None:
    """Four levels of expansion are enough for the whole relation."""
    (invoice_id,) = counted.invoices(1, 3)

    body, calls = await counted.ask(
        f"query ($id: ID!) {{ invoice(id: $id) {{ customer {{ id }} {THREE_DEEP} }} }}",
        id=invoice_id,
    )

    assert calls == 1
    assert len(body["data"]["invoice"]["payments"]["nodes"]) == 3


async def test_twenty_five_payments_are_two_calls(counted: Counted) -> None:
    """The embedded list holds ten; the rest comes with one more page."""
    (invoice_id,) = counted.invoices(1, 25)
    query = THREE_DEEP.replace("payments", "payments(first: 25)", 1)

    body, calls = await counted.ask(
        f"query ($id: ID!) {{ invoice(id: $id) {{ {query} }} }}", id=invoice_id
    )

    assert calls == 2
    assert len(body["data"]["invoice"]["payments"]["nodes"]) == 25


async def test_fifty_invoices_with_their_payments_are_one_call(counted: Counted) -> None:
    """A list of invoices brings their payments along."""
    counted.invoices(50, 3)

    body, calls = await counted.ask(
        "{ invoices(first: 50) { nodes { id payments { nodes { id sourceId } } } } }"
    )

    assert calls == 1
    assert all(len(one["payments"]["nodes"]) == 3 for one in body["data"]["invoices"]["nodes"])


@pytest.mark.parametrize("seconds_apart", [0, 10], ids=["in one second", "spread"])
async def test_fifty_invoices_down_to_recent_intents_are_five_calls(
    counted: Counted, seconds_apart: int
) -> None:
    """150 intents among the account's newest few hundred payments, instead of 151 reads."""
    counted.invoices(50, 3, seconds_apart=seconds_apart)
    counted.others(150)

    body, calls = await counted.ask(f"{{ invoices(first: 50) {{ nodes {{ {THREE_DEEP} }} }} }}")

    assert calls <= 5
    intents = [
        payment["paymentIntent"]["status"]
        for invoice in body["data"]["invoices"]["nodes"]
        for payment in invoice["payments"]["nodes"]
    ]
    assert intents == ["SUCCEEDED"] * 150


async def test_scattered_intents_cost_hardly_more_than_single_reads(counted: Counted) -> None:
    """One customer's fifty invoices among 100,000 of others: the scan gives up early."""
    for _ in range(50):
        counted.invoices(1, 3)
        counted.invoices(2000, 1, seconds_apart=1, customer_id=GLOBEX)

    body, calls = await counted.ask(
        f"query ($id: ID!) {{ customer(id: $id) {{ invoices(first: 50) {{ nodes {{ id "
        f"{THREE_DEEP} }} }} }} }}",
        calls_max=500,
        id=ACME,
    )

    assert calls <= 2 * (1 + 50)
    nodes = body["data"]["customer"]["invoices"]["nodes"]
    assert [len(one["payments"]["nodes"]) for one in nodes] == [3] * 50


async def test_intent_to_its_invoices_is_two_calls(counted: Counted) -> None:
    """The reverse relation: the intent, and its payments with their invoices."""
    (invoice_id,) = counted.invoices(1, 1)
    (payment,) = counted.stage.twin.invoice_payments.matching("invoice_id", invoice_id)

    body, calls = await counted.ask(
        "query ($id: ID!) { paymentIntent(id: $id) { id status "
        "invoicePayments { nodes { id invoice { id status } } } } }",
        id=payment.source_id,
    )

    assert calls == 2
    nodes = body["data"]["paymentIntent"]["invoicePayments"]["nodes"]
    assert [one["invoice"]["id"] for one in nodes] == [invoice_id]


async def test_twenty_nodes_are_at_most_twenty_calls(counted: Counted) -> None:
    """Duplicates are merged; each other id is one call."""
    invoices = counted.invoices(9, 1)
    intents = [one.id for one in counted.stage.twin.payment_intents][:9]

    body, calls = await counted.ask(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        ids=[*invoices, *intents, invoices[0], "in_nowhere"],
    )

    assert calls == 19
    assert [one and one["id"] for one in body["data"]["nodes"]] == [
        *invoices,
        *intents,
        invoices[0],
        None,
    ]


OTHERS = "invoicePayments { nodes { invoice { id } } }"


@pytest.mark.parametrize(
    ("operation", "asked", "wanted"),
    [("attach", "", 1), ("detach", "", 2), ("attach", OTHERS, 2), ("detach", OTHERS, 3)],
)
async def test_the_answer_to_a_write_is_not_asked_for_again(
    counted: Counted, operation: str, asked: str, wanted: int
) -> None:
    """The write, what it needs to know before, and what Stripe's own answer does not hold: the
    other invoices of the intent."""
    invoice_id, (_, intent_id) = counted.stage.paid_by(700, 300)
    if operation == "attach":
        counted.stage.twin.detach(invoice_id, intent_id)
    source = "paymentIntentId: $intent"
    more = f"paymentIntent {{ id status {asked} }} newDefaultPayment {{ id }}"
    if operation == "attach":
        source = f"payment: {{{source}}}"
        more = f"invoicePayment {{ id paymentIntent {{ id {asked} }} }}"

    body, calls = await counted.ask(
        f"mutation ($id: ID!, $intent: ID!) {{ {operation}Payment(input: {{invoiceId: $id, "
        f'{source}, idempotencyKey: "k"}}) {{ invoice {{ status {THREE_DEEP} }} {more} '
        "errors { code message } } }",
        id=invoice_id,
        intent=intent_id,
    )

    assert calls == wanted
    payload = body["data"][f"{operation}Payment"]
    assert payload["errors"] == []
    assert payload["invoice"]["status"] == ("PAID" if operation == "attach" else "OPEN")


MOVE = f"""mutation ($intent: ID!, $from: ID!, $to: ID!, $share: MinorUnits) {{
  reallocatePayment(input: {{paymentIntentId: $intent, fromInvoiceId: $from, toInvoiceId: $to,
                            amountRequestedMinorUnits: $share, idempotencyKey: "k"}}) {{
    outcome errors {{ code }}
    fromInvoice {{ status {THREE_DEEP} }} toInvoice {{ status {THREE_DEEP} }}
    invoicePayment {{ id status paymentIntent {{ id }} }} paymentIntent {{ id status }} }} }}"""
MOVE_PREVIEW = """query ($intent: ID!, $from: ID!, $to: ID!) {
  reallocationPreview(paymentIntentId: $intent, fromInvoiceId: $from, toInvoiceId: $to) {
    allowed blockedBy fromInvoice { status amountRemaining { minorUnits } }
    toInvoice { status canceledDefaultPaymentId } } }"""
RESTRICTED = Viewer("partner", customers=frozenset({ACME}))


@pytest.mark.parametrize("viewer", [OPERATOR, RESTRICTED], ids=["all", "own customers"])
@pytest.mark.parametrize("share", [None, 200], ids=["whole", "share"])
async def test_a_payment_is_moved_with_four_calls(
    counted: Counted, viewer: Viewer, share: int | None
) -> None:
    """Two looks before anything is sent, one request for each step, and nothing after: answered
    with both invoices, their payments and what pays."""
    source, (_, intent_id) = counted.stage.paid_by(700, 300)
    target = counted.stage.open_invoice(300)
    ends = {"intent": intent_id, "from": source, "to": target}

    foretold, looks = await counted.ask(MOVE_PREVIEW, viewer=viewer, **ends)
    body, calls = await counted.ask(MOVE, viewer=viewer, share=share, **ends)

    assert (looks, calls) == (2, 4)
    assert foretold["data"]["reallocationPreview"]["allowed"] is True
    payload = body["data"]["reallocatePayment"]
    assert (payload["outcome"], payload["errors"]) == ("DONE", [])
    assert payload["fromInvoice"]["status"] == "OPEN"
    assert payload["toInvoice"]["status"] == ("PAID" if share is None else "OPEN")
    arrived = [one["id"] for one in payload["toInvoice"]["payments"]["nodes"]]
    assert payload["invoicePayment"]["id"] in arrived
    assert payload["paymentIntent"] == {"id": intent_id, "status": "SUCCEEDED"}


async def test_calls_beyond_the_cap_are_nulls_and_the_rest_stands(counted: Counted) -> None:
    """Each object beyond the cap is one null and one error at its own path."""
    invoices = counted.invoices(10, 1)

    body, calls = await counted.ask(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", calls_max=4, errors=True, ids=invoices
    )

    assert calls == 4
    assert sum(one is not None for one in body["data"]["nodes"]) == 4
    assert {one["extensions"]["code"] for one in body["errors"]} == {"UPSTREAM_BUDGET_EXCEEDED"}
    assert sorted(one["path"][0] for one in body["errors"]) == ["nodes"] * len(body["errors"])


@pytest.mark.parametrize("first", [1, 80])
async def test_a_deleted_customer_costs_no_call(counted: Counted, first: int) -> None:
    """The list's own answer says that it is gone: nobody has failed, and nothing is to be read."""
    counted.invoices(first, 0, customer_id=GLOBEX)
    counted.stage.delete_customer(GLOBEX)

    body, calls = await counted.ask(
        "query ($first: Int!) { invoices(first: $first) { nodes { id customer { id name } } } }",
        first=first,
    )

    assert calls == 1
    assert [one["customer"] for one in body["data"]["invoices"]["nodes"]] == [None] * first


OF_ONE_LIST = {
    "its size": "payments(first: 25) { nodes { id } }",
    "a smaller size": "few: payments(first: 12) { nodes { id } }",
    "a state": "paid: payments(first: 3, status: PAID) { nodes { id } }",
    "another state": "open: payments(first: 20, status: OPEN) { nodes { id } }",
    "what is worked out of all": "amountPaidOutOfBand { minorUnits }",
    "their intents": "deep: payments(first: 15) { nodes { paymentIntent { status } } }",
    "what each would do": "rule: payments(first: 11) { nodes { detachPreview { allowed } } }",
    "what comes after": 'later: payments(first: 4, after: "AFTER") { nodes { id } }',
    "what comes before": 'sooner: payments(last: 4, before: "AFTER") { nodes { id } }',
}


@pytest.mark.parametrize(
    ("one", "other"), list(combinations(OF_ONE_LIST, 2)), ids=lambda name: name.replace(" ", "_")
)
async def test_two_needs_over_one_list_are_one_call(counted: Counted, one: str, other: str) -> None:
    """The invoice with its first ten payments, and then the list once, whatever is wanted of it."""
    (invoice_id,) = counted.invoices(1, 25)
    query = "query ($id: ID!) { invoice(id: $id) { %s } }"
    at = "payments(first: 20) { pageInfo { endCursor } }"
    page, _ = await counted.ask(query % at, id=invoice_id)
    cursor = page["data"]["invoice"]["payments"]["pageInfo"]["endCursor"]
    first, second = (OF_ONE_LIST[name].replace("AFTER", cursor) for name in (one, other))
    alone = [(await counted.ask(query % part, id=invoice_id))[0] for part in (first, second)]

    body, calls = await counted.ask(query % f"{first} {second}", id=invoice_id)

    assert calls <= 2
    assert body["data"]["invoice"] == {
        **alone[0]["data"]["invoice"],
        **alone[1]["data"]["invoice"],
    }


ELSEWHERE = {
    "the same list at the root": (
        "{ invoice(id: IN) { amountPaidOutOfBand { minorUnits } "
        "payments(first: 25) { nodes { id } } } "
        "invoicePayments(first: 25, filter: {invoiceId: IN}) { nodes { id } } }",
        2,
    ),
    "one root list in two sizes": (
        "{ invoices(first: 1) { nodes { id } } more: invoices(first: 2) { nodes { id total "
        "{ minorUnits } } } }",
        1,
    ),
    "a root list of payments, whole and in part": (
        "{ invoicePayments(first: 25, filter: {invoiceId: IN}) { nodes { id } } "
        "paid: invoicePayments(first: 3, filter: {invoiceId: IN, status: PAID}) { nodes { id } } }",
        1,
    ),
    "one customer's invoices in two sizes": (
        "{ customer(id: CUS) { invoices(first: 1) { nodes { id } } "
        "more: invoices(first: 2) { nodes { id } } } }",
        2,
    ),
    "intents behind a list, and its whole": (
        "{ invoices(first: 1) { nodes { amountPaidOutOfBand { minorUnits } "
        "payments { nodes { paymentIntent { status } } } } } }",
        2,
    ),
}


@pytest.mark.parametrize(("query", "calls_wanted"), ELSEWHERE.values(), ids=ELSEWHERE)
async def test_needs_over_one_list_of_stripes_are_one_call_wherever_they_stand(
    counted: Counted, query: str, calls_wanted: int
) -> None:
    _, invoice_id = counted.invoices(2, 25)
    query = query.replace("IN)", f'"{invoice_id}")').replace("IN}", f'"{invoice_id}"}}')
    query = query.replace("IN,", f'"{invoice_id}",').replace("CUS", f'"{ACME}"')

    body, calls = await counted.ask(query)

    assert calls == calls_wanted
    assert body["data"]


async def test_more_payments_than_a_page_has_are_told_of_rightly(counted: Counted) -> None:
    """What the first hundred rows do not answer is asked for by itself, and once."""
    (invoice_id,) = counted.invoices(1, 130)

    body, calls = await counted.ask(
        "query ($id: ID!) { invoice(id: $id) { amountPaidOutOfBand { minorUnits } "
        "payments(first: 100) { nodes { id } pageInfo { hasNextPage } } "
        "open: payments(first: 5, status: OPEN) { nodes { id } } } }",
        id=invoice_id,
    )

    invoice = body["data"]["invoice"]
    assert calls == 3
    assert len({one["id"] for one in invoice["payments"]["nodes"]}) == 100
    assert invoice["payments"]["pageInfo"]["hasNextPage"]
    assert invoice["open"]["nodes"] == []


@pytest.mark.parametrize("row", [{"object": "invoice"}, None, {"id": ["in_1"]}], ids=str)
async def test_a_row_that_cannot_be_read_is_an_error_of_stripes(
    counted: Counted, row: object
) -> None:
    """And not one of ours, which would be masked."""
    listed = {"object": "list", "data": [row], "has_more": False}
    counted.sandbox.faults.add(Fault(FaultKind.ANSWER, status=200, body=listed))

    body, _ = await counted.ask("{ invoices { nodes { id } } }", errors=True)

    assert [one["extensions"]["code"] for one in body["errors"]] == ["UPSTREAM_ERROR"]


async def test_a_list_that_fails_is_asked_for_once(counted: Counted) -> None:
    """All that it was for fail with it, each at its own path, and nothing asks again."""
    (invoice_id,) = counted.invoices(1, 25)
    query = (
        "query ($id: ID!) { invoice(id: $id) { payments(first: 25) { nodes { id } } "
        "paid: payments(first: 3, status: PAID) { nodes { id } } few: payments(first: 3) "
        "{ nodes { id } } more: payments(first: 20) { nodes { id } } } }"
    )

    body, calls = await counted.ask(query, calls_max=1, errors=True, id=invoice_id)

    assert calls == 1
    assert body["data"]["invoice"]["payments"] is None
    assert len(body["data"]["invoice"]["few"]["nodes"]) == 3
    paths = {one["path"][1] for one in body["errors"]}
    assert paths == {"payments", "more"}


@pytest.mark.parametrize("invoices", [1, 30])
async def test_what_was_paid_elsewhere_is_asked_of_stripe_and_needs_no_payments(
    counted: Counted, invoices: int
) -> None:
    """However many payments there are: Stripe's own figure comes with the invoice."""
    counted.invoices(invoices, 25)
    counted.stage.clock.advance(1)
    invoice_id = counted.stage.open_invoice(1000)
    counted.stage.twin.attach(invoice_id, counted.stage.payment_record(400))

    body, calls = await counted.ask(
        "query ($first: Int!) { invoices(first: $first) { nodes { id "
        "amountPaidOutOfBand { minorUnits } outOfBandCoverage } } }",
        first=invoices + 1,
    )

    assert calls == 1
    newest, *others = body["data"]["invoices"]["nodes"]
    assert newest == {
        "id": invoice_id,
        "amountPaidOutOfBand": {"minorUnits": 400},
        "outOfBandCoverage": "FULL",
    }
    assert [one["amountPaidOutOfBand"] for one in others] == [{"minorUnits": 0}] * invoices


@pytest.mark.parametrize("stated", [{}, {"amount_paid_off_stripe": "400"}], ids=["none", "a text"])
async def test_what_stripe_does_not_tell_of_payments_elsewhere_is_worked_out(
    counted: Counted, stated: dict[str, Any]
) -> None:
    """As before 2026-05-27.dahlia: what was paid, less what came through Stripe."""
    invoice_id = counted.stage.open_invoice(1000)
    counted.stage.twin.attach(invoice_id, counted.stage.payment_record(400))
    silent = samples.invoice(invoice_id, paid=400, **stated)
    counted.sandbox.faults.add(Fault(FaultKind.ANSWER, status=200, body=silent))

    body, calls = await counted.ask(
        "query ($id: ID!) { invoice(id: $id) { amountPaidOutOfBand { minorUnits } } }",
        id=invoice_id,
    )

    assert calls == 2
    assert body["data"]["invoice"]["amountPaidOutOfBand"] == {"minorUnits": 400}


LISTS = {
    "a page and what is paid out of band": "amountPaidOutOfBand { minorUnits } "
    "a: payments(first: 30) { nodes { id } }",
    "two pages": "a: payments(first: 30) { nodes { id } } b: payments(first: 20) { nodes { id } }",
    "a page and a part of it": "a: payments(first: 30) { nodes { id } } "
    "b: payments(status: [PAID], first: 15) { nodes { id } }",
    "a page with intents and one without": "a: payments(first: 30) { nodes { id } } "
    "b: payments(first: 20) { nodes { paymentIntent { id } } }",
    "all of these": "amountPaidOutOfBand { minorUnits } a: payments(first: 30) { nodes { id } } "
    "b: payments(first: 20) { nodes { paymentIntent { id } } } "
    "c: payments(status: [PAID], first: 15) { nodes { id } }",
}


@pytest.mark.parametrize("fields", LISTS.values(), ids=LISTS)
async def test_needs_over_one_list_are_one_call(counted: Counted, fields: str) -> None:
    """The invoice itself is one, and its 25 payments another, however many look at them."""
    (invoice_id,) = counted.invoices(1, 25)

    body, calls = await counted.ask(
        f"query ($id: ID!) {{ invoice(id: $id) {{ id {fields} }} }}", id=invoice_id
    )

    assert calls == 2
    lists = [one["nodes"] for one in body["data"]["invoice"].values() if "nodes" in one]
    assert all(len(nodes) in (15, 20, 25) for nodes in lists)
