"""The same input has the same answer, whoever keeps the account: one check stands before all.

Inputs that Stripe would refuse by its form are refused by name before any backend sees them; what
only the account can judge is refused by the same rule.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.settings import Limits
from schema.ports import Viewer
from tests.contract.staging import Stage
from tests.support.backends import Backend
from tests.support.running import SCHEMA, as_sent

ATTACH = """mutation ($input: AttachPaymentInput!) { attachPayment(input: $input) {
  errors { code }
  invoicePayment { status source { ... on PaymentRecord { metadata { key value } } } }
} }"""
INVOICES = "query ($input: InvoiceFilter) { invoices(filter: $input) { nodes { id } } }"
PAYMENTS = (
    "query ($input: InvoicePaymentFilter) { invoicePayments(filter: $input) { nodes { id } } }"
)
PREVIEW = "query ($input: CreditNoteInput!) { creditNotePreview(input: $input) { type } }"
NOTE = """mutation ($input: CreateCreditNoteInput!) { createCreditNote(input: $input) {
  errors { code } creditNote { type } } }"""

Asked = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


@pytest.fixture
def asked(backend: Backend, operator: Viewer) -> Asked:
    """Asks as a client does; the answer without its extensions."""
    feed = Feed(MemoryEventLog("test"))
    runner = GraphQLRunner(
        SCHEMA, backend.reads, backend.writes, feed, limits=Limits(), upstream_calls_max=60
    )

    async def ask(document: str, given: dict[str, Any]) -> dict[str, Any]:
        request = OperationRequest(document, {"input": given})
        prepared = await runner.prepare(request, operator)
        if isinstance(prepared, Answer):
            return prepared.body
        return as_sent(await runner.execute(prepared, request, operator, "req_test"))

    return ask


@pytest.fixture
def outside(stage: Stage) -> Callable[..., dict[str, Any]]:
    """An attach of 10 US cents that were paid outside, with what a test states of them."""
    keys = count(1)

    def given(invoice_id: str, **stated: Any) -> dict[str, Any]:
        paid_at = datetime.fromtimestamp(stage.now(), UTC).isoformat()
        facts = {"amountMinorUnits": 10, "currency": "USD", "paidAt": paid_at, **stated}
        key = f"{stage.run}-inputs-{next(keys)}"
        return {"invoiceId": invoice_id, "payment": {"outOfBand": facts}, "idempotencyKey": key}

    return given


def entries(*given: tuple[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given]


REFUSED_FACTS: dict[str, tuple[dict[str, Any], str]] = {
    "51 entries": ({"metadata": entries(*((f"k{n}", "v") for n in range(51)))}, "at most 50"),
    "a key of 41 characters": ({"metadata": entries(("k" * 41, "v"))}, "1 to 40 characters"),
    "an empty key": ({"metadata": entries(("", "v"))}, "1 to 40 characters"),
    "a value of 501 characters": ({"metadata": entries(("k", "v" * 501))}, "at most 500"),
    "a key that opens a bracket": ({"metadata": entries(("size[cm", "4"))}, "'size[cm'"),
    "a key that closes one": ({"metadata": entries(("size]", "4"))}, "'size]'"),
    "a key with both": ({"metadata": entries(("size[cm]", "4"))}, "'size[cm]'"),
    "a key that comes twice": ({"metadata": entries(("k", "1"), ("k", "1"))}, "'k' twice"),
    "a reference of 5001 characters": ({"reference": "r" * 5001}, "at most 5000 characters"),
    "paid before 1970": ({"paidAt": "1969-12-31T23:59:59Z"}, "1970-01-01T00:00:00Z"),
    "paid a part of a second before it": ({"paidAt": "1969-12-31T23:59:59.5Z"}, "1970-01-01"),
    "paid before 1970 elsewhere": ({"paidAt": "1970-01-01T00:59:59+01:00"}, "1970-01-01"),
    "paid in the year 1": ({"paidAt": "0001-01-01T00:00:00+14:00"}, "1970-01-01"),
    "paid after 9999": ({"paidAt": "9999-12-31T23:59:59-00:01"}, "9999-12-31T23:59:59Z"),
}
TAKEN_FACTS: dict[str, dict[str, Any]] = {
    "50 entries": {"metadata": entries(*((f"k{n}", "v") for n in range(50)))},
    "the longest key and value": {"metadata": entries(("k" * 40, "v" * 500))},
    "what a form would take for syntax": {"metadata": entries(("a&b=c%20+d", "&=%5B+;"))},
    "no ASCII": {"metadata": entries(("größe", "🧾" * 500))},
    "lines": {"metadata": entries(("a b", "one\r\ntwo"))},
    "numbers for keys": {"metadata": entries(("0", "a"), ("1", "b"))},
    "the longest reference": {"reference": "r" * 5000},
    "another zone": {"paidAt": "2026-01-01T14:00:00+14:00"},
}
INSTANTS = {
    "the year 1": "0001-01-01T00:00:00Z",
    "a second before 1970": "1969-12-31T23:59:59Z",
    "beyond what can be written": "9999-12-31T23:59:59-12:00",
}


@pytest.mark.parametrize(("stated", "says"), REFUSED_FACTS.values(), ids=REFUSED_FACTS)
async def test_facts_that_stripe_could_not_be_told_are_refused_by_name(
    stage: Stage,
    asked: Asked,
    outside: Callable[..., dict[str, Any]],
    stated: dict[str, Any],
    says: str,
) -> None:
    """And nothing is done: the payment was never reported."""
    invoice_id = await stage.open_invoice()

    body = await asked(ATTACH, outside(invoice_id, **stated))

    refusal(body, says)
    assert len(await stage.payments_of(invoice_id)) == 1


@pytest.mark.parametrize("stated", TAKEN_FACTS.values(), ids=TAKEN_FACTS)
async def test_facts_within_stripes_limits_come_back_as_they_were_given(
    stage: Stage, asked: Asked, outside: Callable[..., dict[str, Any]], stated: dict[str, Any]
) -> None:
    invoice_id = await stage.open_invoice()

    body = await asked(ATTACH, outside(invoice_id, **stated))

    payload = body["data"]["attachPayment"]
    assert payload["errors"] == []
    kept = payload["invoicePayment"]["source"]["metadata"]
    wanted = stated.get("metadata", [])
    assert sorted((one["key"], one["value"]) for one in kept) == sorted(
        (one["key"], one["value"]) for one in wanted
    )


@pytest.mark.parametrize("instant", INSTANTS.values(), ids=INSTANTS)
@pytest.mark.parametrize("end", ["from", "to"])
@pytest.mark.parametrize(
    ("document", "argument"), [(INVOICES, "created"), (INVOICES, "due"), (PAYMENTS, "created")]
)
async def test_a_range_beyond_stripes_time_is_refused(
    asked: Asked, document: str, argument: str, end: str, instant: str
) -> None:
    refusal(await asked(document, {argument: {end: instant}}), "1970-01-01T00:00:00Z")


async def test_a_range_over_all_of_stripes_time_holds_everything(
    stage: Stage, asked: Asked
) -> None:
    invoice_id = await stage.open_invoice()
    always = {"from": "1970-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}

    body = await asked(INVOICES, {"created": always, "customerId": stage.acme})

    assert [one["id"] for one in body["data"]["invoices"]["nodes"]] == [invoice_id]


@pytest.mark.parametrize(
    ("document", "given", "says"),
    [
        (INVOICES, {"customerId": ""}, "filter.customerId"),
        (INVOICES, {"subscriptionId": ""}, "filter.subscriptionId"),
        (INVOICES, {"subscriptionId": "sub_é"}, "filter.subscriptionId"),
        (INVOICES, {"subscriptionId": "sub_" + "a" * 5000}, "filter.subscriptionId"),
        (PAYMENTS, {"invoiceId": ""}, "filter.invoiceId"),
        (PAYMENTS, {"paymentIntentId": ""}, "filter.paymentIntentId"),
        (PAYMENTS, {"paymentRecordId": ""}, "filter.paymentRecordId"),
        (PAYMENTS, {"paymentIntentId": "pi_1", "paymentRecordId": ""}, "one source"),
    ],
)
async def test_an_id_that_names_nothing_is_no_filter_that_lets_all_through(
    stage: Stage, asked: Asked, document: str, given: dict[str, Any], says: str
) -> None:
    """To Stripe an empty `customer` would be none, and the list everybody's."""
    await stage.open_invoice()

    refusal(await asked(document, given), says)


AMOUNTS: dict[str, dict[str, Any]] = {
    "nothing": {"amountMinorUnits": 0},
    "less than nothing": {"amountMinorUnits": -1},
    "more digits than Stripe has": {"amountMinorUnits": 10**13},
    "a refund below zero": {"amountMinorUnits": 10, "refundMinorUnits": -5},
    "a credit below zero": {"amountMinorUnits": 10, "creditMinorUnits": -5},
    "out of band below zero": {"amountMinorUnits": 10, "outOfBandMinorUnits": -5},
    "a refund of what was never paid": {"amountMinorUnits": 10, "refundMinorUnits": 11},
}


@pytest.mark.parametrize("amounts", AMOUNTS.values(), ids=AMOUNTS)
async def test_a_preview_is_refused_by_the_rule_that_refuses_the_note(
    stage: Stage, asked: Asked, amounts: dict[str, Any]
) -> None:
    """Bad input is the caller's to mend, and never `UPSTREAM_ERROR`."""
    given = {"invoiceId": await stage.open_invoice(), **amounts}
    key = f"{stage.run}-note"

    previewed = await asked(PREVIEW, given)
    issued = await asked(NOTE, {"creditNote": given, "idempotencyKey": key})

    (error,) = previewed["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["refusal"] == "AMOUNT_INVALID"
    assert issued["data"]["createCreditNote"]["errors"] == [{"code": "AMOUNT_INVALID"}]


async def test_a_refusal_names_no_payment_record_that_there_will_never_be(
    stage: Stage, asked: Asked, outside: Callable[..., dict[str, Any]]
) -> None:
    invoice_id = await stage.open_invoice()
    document = ATTACH.replace("errors { code }", "errors { code message }")

    body = await asked(document, outside(invoice_id, currency="EUR"))

    (error,) = body["data"]["attachPayment"]["errors"]
    assert error["code"] == "CURRENCY_MISMATCH"
    assert error["message"].startswith("the payment is in EUR, but ")


def refusal(body: dict[str, Any], says: str) -> None:
    """That the input was refused, with words that name what is wrong."""
    (error,) = body["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert says in error["message"]
