"""Bad input is answered with the argument, the fault and what would be right; nothing changes."""

from __future__ import annotations

import pytest

from gateway.sandbox.fixtures import write_fixtures
from tests.support.served import Served

PAID = "in_demo_paid_by_two"
CURSOR_OF_ANOTHER_LIST = """
{ invoices(first: 1, filter: {status: OPEN}) { pageInfo { endCursor } } }
"""


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        pytest.param('{ invoice(id: "pi_demo_free") { id } }', "BAD_USER_INPUT",
                     ["id", "in_", "pi_demo_free"], id="another prefix"),
        pytest.param('{ invoice(id: "in_1/../x") { id } }', "BAD_USER_INPUT",
                     ["id", "letters, digits and underscores"], id="path in an id"),
        pytest.param('{ invoice(id: "in_1?expand[]=x") { id } }', "BAD_USER_INPUT",
                     ["id", "in_"], id="query in an id"),
        pytest.param('{ invoice(id: "") { id } }', "BAD_USER_INPUT", ["id", "in_"], id="empty id"),
        pytest.param('{ node(id: "xx_1") { id } }', "BAD_USER_INPUT",
                     ["id", "inpay_"], id="unknown prefix"),
        pytest.param('{ invoice(id: "in_nowhere") { id } }', "NOT_FOUND",
                     ["in_nowhere"], id="unknown id"),
        pytest.param("{ invoices(first: 101) { nodes { id } } }", "BAD_USER_INPUT",
                     ["first", "100", "101"], id="first above 100"),
        pytest.param("{ invoices(first: 0) { nodes { id } } }", "BAD_USER_INPUT",
                     ["first", "1"], id="first below 1"),
        pytest.param("{ invoices(first: 1, last: 1) { nodes { id } } }", "BAD_USER_INPUT",
                     ["first", "last", "not both"], id="first with last"),
        pytest.param("{ invoices(last: 1) { nodes { id } } }", "BAD_USER_INPUT",
                     ["last needs before"], id="last without before"),
        pytest.param('{ invoices(after: "zzz") { nodes { id } } }', "BAD_USER_INPUT",
                     ["after", "cursor"], id="no cursor"),
        pytest.param("{ invoices(filter: {status: UNRECOGNIZED}) { nodes { id } } }",
                     "BAD_USER_INPUT", ["filter.status", "OPEN"], id="UNRECOGNIZED as input"),
        pytest.param('{ invoicePaymentEvents(after: "zzz") { nodes { cursor } } }',
                     "BAD_USER_INPUT", ["after"], id="no event cursor"),
        pytest.param("{ invoicePaymentEvents(first: 101) { nodes { cursor } } }",
                     "BAD_USER_INPUT", ["first"], id="too many events"),
        pytest.param(
            '{ invoices(filter: {created: {from: "2026-02-01T00:00:00Z", '
            'to: "2026-01-01T00:00:00Z"}}) { nodes { id } } }',
            "BAD_USER_INPUT", ["filter.created.from"], id="range that ends before it begins"),
        pytest.param('{ invoices(filter: {created: {from: "yesterday"}}) { nodes { id } } }',
                     "BAD_USER_INPUT", ["RFC 3339"], id="no instant"),
    ],
)  # fmt: skip
async def test_bad_reads_name_the_argument(
    served: Served, query: str, code: str, words: list[str]
) -> None:
    """Whoever reads the message can mend the call."""
    (error,) = await served.errors(query)

    assert error["extensions"]["code"] == code
    assert all(word in error["message"] for word in words), error["message"]


def detach(invoice_id: str = PAID, intent_id: str = "pi_demo_two_b", key: str = "k") -> str:
    return (
        f'mutation {{ detachPayment(input: {{invoiceId: "{invoice_id}", '
        f'paymentIntentId: "{intent_id}", idempotencyKey: "{key}"}}) '
        "{ errors { code message path } } }"
    )


def attach(payment: str, invoice_id: str = "in_demo_open", more: str = "") -> str:
    return (
        f'mutation {{ attachPayment(input: {{invoiceId: "{invoice_id}", payment: {{{payment}}}, '
        f'idempotencyKey: "k"{more}}}) {{ errors {{ code message path }} }} }}'
    )


def outside(entries: str) -> str:
    return attach(
        'outOfBand: {amountMinorUnits: 100, currency: "USD", paidAt: "2026-03-01T12:00:00Z", '
        f"metadata: [{entries}]}}"
    )


@pytest.mark.parametrize(
    ("mutation", "code", "words"),
    [
        pytest.param(detach(key=""), "BAD_USER_INPUT", ["idempotencyKey", "1 to 255"],
                     id="empty key"),
        pytest.param(detach(key="k" * 256), "BAD_USER_INPUT", ["idempotencyKey", "256"],
                     id="key of 256 characters"),
        pytest.param(detach(invoice_id="pi_demo_free"), "BAD_USER_INPUT",
                     ["input.invoiceId", "in_"], id="another prefix"),
        pytest.param(detach(intent_id="in_demo_open"), "BAD_USER_INPUT",
                     ["input.paymentIntentId", "pi_"], id="invoice as intent"),
        pytest.param(attach('paymentIntentId: "pi_demo_free", paymentRecordId: "pr_1"'),
                     "GRAPHQL_VALIDATION_FAILED", ["PaymentRef", "exactly one"],
                     id="two payments"),
        pytest.param(attach(""), "GRAPHQL_VALIDATION_FAILED", ["PaymentRef", "exactly one"],
                     id="no payment"),
        pytest.param(attach('paymentIntentId: "pi_demo_free"',
                            more=", amountRequestedMinorUnits: 1.5"),
                     "BAD_USER_INPUT", ["whole number"], id="fractional amount"),
        pytest.param(outside('{key: "size[cm]", value: "3"}'), "BAD_USER_INPUT",
                     ["outOfBand.metadata", "square brackets", "size[cm]"], id="bracket in a key"),
        pytest.param(outside('{key: "po", value: "3"}, {key: "po", value: "4"}'),
                     "BAD_USER_INPUT", ["metadata", "once", "'po'"], id="key given twice"),
        pytest.param(outside('{key: "gateway_idempotency_key", value: "gw_1"}'),
                     "BAD_USER_INPUT", ["metadata", "the gateway sets"], id="key of ours"),
        pytest.param(outside('{key: "", value: "3"}'), "BAD_USER_INPUT",
                     ["metadata", "1 to 40"], id="empty metadata key"),
    ],
)  # fmt: skip
async def test_broken_writes_are_refused_before_anything_is_looked_at(
    served: Served, mutation: str, code: str, words: list[str]
) -> None:
    """A malformed input is a broken call: a GraphQL error, and the books are as they were."""
    before = write_fixtures(served.twin)

    errors = await served.errors(mutation)

    assert errors[0]["extensions"]["code"] == code
    assert all(word in errors[0]["message"] for word in words), errors[0]["message"]
    assert write_fixtures(served.twin) == before


@pytest.mark.parametrize(
    ("mutation", "code", "path"),
    [
        pytest.param(detach(invoice_id="in_nowhere"), "NOT_FOUND", ["invoiceId"],
                     id="unknown invoice"),
        pytest.param(detach(intent_id="pi_nowhere"), "NOT_FOUND", ["paymentIntentId"],
                     id="unknown intent"),
        pytest.param(attach('paymentIntentId: "pi_nowhere"'), "NOT_FOUND",
                     ["payment", "paymentIntentId"], id="unknown intent to attach"),
        pytest.param(attach('paymentIntentId: "pi_demo_free"', invoice_id="in_demo_jpy_paid"),
                     "INVOICE_NOT_OPEN", ["invoiceId"], id="paid invoice"),
        pytest.param(attach('paymentIntentId: "pi_demo_free"', invoice_id="in_demo_kwd_open"),
                     "CURRENCY_MISMATCH", ["payment", "paymentIntentId"], id="other currency"),
        pytest.param(attach('paymentIntentId: "pi_demo_free"', invoice_id="in_demo_partly_paid"),
                     "CUSTOMER_MISMATCH", ["payment", "paymentIntentId"], id="other customer"),
        pytest.param(attach('paymentIntentId: "pi_demo_two_b"'), "PAYMENT_ALREADY_ATTACHED",
                     ["payment", "paymentIntentId"], id="attached elsewhere"),
        pytest.param(attach('paymentIntentId: "pi_demo_free"',
                            more=", amountRequestedMinorUnits: 0"),
                     "AMOUNT_INVALID", ["amountRequestedMinorUnits"], id="amount of zero"),
    ],
)  # fmt: skip
async def test_refused_writes_are_data_and_change_nothing(
    served: Served, mutation: str, code: str, path: list[str]
) -> None:
    """A rule of the trade that is broken stands in `errors` with the place in the input."""
    before = write_fixtures(served.twin)

    data = await served.data(mutation)

    (payload,) = data.values()
    assert [(one["code"], one["path"]) for one in payload["errors"]] == [(code, path)]
    assert write_fixtures(served.twin) == before


async def test_cursor_of_another_list_is_refused(served: Served) -> None:
    """A cursor knows its list, filters included."""
    data = await served.data(CURSOR_OF_ANOTHER_LIST)
    cursor = data["invoices"]["pageInfo"]["endCursor"]

    (error,) = await served.errors(
        "query ($after: String!) { invoices(first: 1, after: $after) { nodes { id } } }",
        after=cursor,
    )

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "another list" in error["message"]


async def test_fifty_one_nodes_are_too_many(served: Served) -> None:
    """Each id can cost a call upstream."""
    (error,) = await served.errors(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[f"in_{n}" for n in range(51)]
    )

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "50" in error["message"]
