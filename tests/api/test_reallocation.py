"""Moving a payment to another invoice, as a frontend meets it over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.served import Served

MOVE = """mutation ($from: ID!, $to: ID!, $intent: ID!, $key: String!, $share: MinorUnits) {
  reallocatePayment(input: {paymentIntentId: $intent, fromInvoiceId: $from, toInvoiceId: $to,
                            amountRequestedMinorUnits: $share, idempotencyKey: $key}) {
    outcome replayed detachedInvoicePaymentId
    errors { __typename code message path ... on StateProblem { invoice { id status } } }
    fromInvoice { id status amountRemaining { minorUnits } payments { nodes { id } } }
    toInvoice { id status amountRemaining { minorUnits } payments { nodes { id } } }
    invoicePayment { id status invoiceId amountPaid { minorUnits } }
    paymentIntent { id status }
  }
}"""
PREVIEW = """query ($from: ID!, $to: ID!, $intent: ID!) {
  reallocationPreview(paymentIntentId: $intent, fromInvoiceId: $from, toInvoiceId: $to) {
    allowed blockedBy
    fromInvoice { ...side } toInvoice { ...side }
  }
}
fragment side on ReallocationSide {
  invoiceId status amountPaid { minorUnits } amountRemaining { minorUnits }
  amountOverpaid { minorUnits } createsDefaultPaymentIntent canceledDefaultPaymentId
}"""
EVENTS = """{ invoicePaymentEvents(first: 50) { nodes {
  type invoiceId invoicePaymentId idempotencyKey } } }"""
ENDS = {"intent": "pi_demo_two_b", "from": "in_demo_paid_by_two", "to": "in_demo_open"}


async def move(served: Served, key: str = "k-1", **more: Any) -> dict[str, Any]:
    data = await served.data(MOVE, key=key, **{**ENDS, **more})
    payload: dict[str, Any] = data["reallocatePayment"]
    return payload


async def test_it_shows_both_invoices_after_the_change(served: Served) -> None:
    """No second query is needed, and a second click changes nothing."""
    first = await move(served)

    again = await move(served)

    assert (first["outcome"], first["errors"], first["replayed"]) == ("DONE", [], False)
    assert first["fromInvoice"]["status"] == "OPEN"
    assert first["fromInvoice"]["amountRemaining"]["minorUnits"] == 5000
    assert first["toInvoice"]["amountRemaining"]["minorUnits"] == 9900 - 5000
    assert first["detachedInvoicePaymentId"] == "inpay_demo_two_b"
    new = first["invoicePayment"]
    assert (new["status"], new["invoiceId"]) == ("PAID", "in_demo_open")
    assert new["id"] in [one["id"] for one in first["toInvoice"]["payments"]["nodes"]]
    assert first["paymentIntent"] == {"id": "pi_demo_two_b", "status": "SUCCEEDED"}
    assert again == {**first, "replayed": True}


async def test_the_log_tells_one_movement(served: Served) -> None:
    """Off the one, onto the other, in this order, each once and both with the caller's key; the
    twin's own events about them are the same facts."""
    payload = await move(served)
    await served.settled()

    data = await served.data(EVENTS)

    told = [
        (one["type"], one["invoiceId"], one["invoicePaymentId"], one["idempotencyKey"])
        for one in data["invoicePaymentEvents"]["nodes"]
        if one["type"] in ("DETACHED", "ATTACHED")
    ]
    assert told == [
        ("DETACHED", "in_demo_paid_by_two", "inpay_demo_two_b", "k-1"),
        ("ATTACHED", "in_demo_open", payload["invoicePayment"]["id"], "k-1"),
    ]


async def test_the_preview_says_what_then_happens(served: Served) -> None:
    data = await served.data(PREVIEW, **ENDS)
    preview = data["reallocationPreview"]

    payload = await move(served)

    assert (preview["allowed"], preview["blockedBy"]) == (True, [])
    for side in ("fromInvoice", "toInvoice"):
        assert preview[side]["invoiceId"] == payload[side]["id"]
        assert preview[side]["status"] == payload[side]["status"]
        assert preview[side]["amountRemaining"] == payload[side]["amountRemaining"]
    assert preview["fromInvoice"]["createsDefaultPaymentIntent"] is True


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"to": "in_demo_void"}, "INVOICE_NOT_OPEN", ["toInvoiceId"]),
        ({"to": "in_demo_kwd_open"}, "CURRENCY_MISMATCH", ["paymentIntentId"]),
        ({"to": "in_demo_paid_by_two"}, "PAYMENT_ALREADY_ATTACHED", ["toInvoiceId"]),
        ({"from": "in_demo_overpaid"}, "PAYMENT_ALREADY_ATTACHED", ["paymentIntentId"]),
    ],
)
async def test_a_refusal_names_the_rule_and_changes_nothing(
    served: Served, changes: dict[str, str], code: str, path: list[str]
) -> None:
    """With the field at fault, and the invoice as it really is where its state explains it."""
    payload = await move(served, **changes)
    data = await served.data(PREVIEW, **{**ENDS, **changes})

    (error,) = payload.pop("errors")
    assert (error["code"], error["path"]) == (code, path)
    if error["__typename"] == "StateProblem":
        assert error["invoice"]["id"] in {**ENDS, **changes}.values()
    assert payload == dict.fromkeys(payload, None) | {"replayed": False}
    assert data["reallocationPreview"]["blockedBy"][0] == code
    assert data["reallocationPreview"]["fromInvoice"] is None
    after = await served.data('{ invoice(id: "in_demo_paid_by_two") { status } }')
    assert after["invoice"]["status"] == "PAID"


async def test_one_that_is_put_back_says_so_and_why(served: Served) -> None:
    """Somebody else pays the other invoice in the moment in which the payment has left: the answer
    has a payment and an error, and a repeat has the same."""
    twin = served.gateway.twin
    assert twin is not None

    def pay(event: Any) -> None:
        if event.type == "invoice_payment.detached" and twin.invoice(ENDS["to"]).status == "open":
            twin.pay(ENDS["to"])

    twin.listeners.append(pay)

    payload = await move(served)
    again = await move(served)

    (error,) = payload["errors"]
    assert payload["outcome"] == "PUT_BACK"
    assert payload["fromInvoice"]["status"] == "PAID"
    assert payload["invoicePayment"]["invoiceId"] == "in_demo_paid_by_two"
    assert (error["__typename"], error["code"]) == ("StateProblem", "INVOICE_NOT_OPEN")
    assert error["invoice"] == {"id": "in_demo_open", "status": "PAID"}
    assert again == {**payload, "replayed": True}


async def test_ids_of_another_kind_are_a_broken_call(served: Served) -> None:
    for name, value in (("from", "pi_1"), ("to", "cus_1"), ("intent", "in_1")):
        (error,) = await served.errors(MOVE, key="k-1", **{**ENDS, name: value})
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
