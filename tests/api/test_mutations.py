"""Attach and detach as a frontend meets them, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.support.served import Served

DETACH = """
mutation ($invoice: ID!, $intent: ID!, $key: String!, $paid: MinorUnits) {
  detachPayment(input: {invoiceId: $invoice, paymentIntentId: $intent, idempotencyKey: $key,
                        ifAmountPaidMinorUnits: $paid}) {
    invoice { id status amountPaid { minorUnits } amountRemaining { minorUnits } paidAt
              payments { nodes { id } } }
    paymentIntent { id status }
    detachedInvoicePaymentId
    newDefaultPayment { id isDefault amountRequested { minorUnits } }
    errors { __typename code message path ... on StateProblem { invoice { id status } } }
    replayed
  }
}
"""
ATTACH = """
mutation ($invoice: ID!, $payment: PaymentRef!, $key: String!, $amount: MinorUnits) {
  attachPayment(input: {invoiceId: $invoice, payment: $payment, idempotencyKey: $key,
                        amountRequestedMinorUnits: $amount}) {
    invoice { id status amountPaid { minorUnits } amountRemaining { minorUnits }
              outOfBandCoverage }
    invoicePayment { id status amountPaid { minorUnits } sourceType sourceId }
    errors { __typename code message path }
    replayed
  }
}
"""
PAID = "in_demo_paid_by_two"


async def detach(served: Served, key: str = "k-1", **more: Any) -> dict[str, Any]:
    data = await served.data(DETACH, invoice=PAID, intent="pi_demo_two_b", key=key, **more)
    payload: dict[str, Any] = data["detachPayment"]
    return payload


async def test_detach_shows_both_sides_after_the_change(served: Served) -> None:
    """Reopened invoice, freed intent, new default payment: no second query is needed."""
    payload = await detach(served)

    assert payload["invoice"]["status"] == "OPEN"
    assert payload["invoice"]["amountRemaining"]["minorUnits"] == 5000
    assert payload["invoice"]["paidAt"] is None
    assert payload["paymentIntent"] == {"id": "pi_demo_two_b", "status": "SUCCEEDED"}
    assert payload["detachedInvoicePaymentId"] == "inpay_demo_two_b"
    assert payload["newDefaultPayment"]["amountRequested"]["minorUnits"] == 5000
    listed = [one["id"] for one in payload["invoice"]["payments"]["nodes"]]
    assert "inpay_demo_two_b" not in listed


async def test_preview_says_what_detach_then_does(served: Served) -> None:
    """An honest confirm dialog: the preview and the outcome are the same."""
    data = await served.data(
        '{ invoicePayment(id: "inpay_demo_two_b") { detachPreview { allowed blockedBy statusAfter '
        "amountRemainingAfter { minorUnits } createsDefaultPaymentIntent } } }"
    )
    preview = data["invoicePayment"]["detachPreview"]

    payload = await detach(served)

    assert preview["allowed"] is True
    assert preview["statusAfter"] == payload["invoice"]["status"]
    assert preview["amountRemainingAfter"] == payload["invoice"]["amountRemaining"]
    assert preview["createsDefaultPaymentIntent"] == (payload["newDefaultPayment"] is not None)


async def test_retry_with_the_same_key_is_replayed(served: Served) -> None:
    """Not detached twice; the objects are as they are now."""
    first = await detach(served)

    again = await detach(served)

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["detachedInvoicePaymentId"] == first["detachedInvoicePaymentId"]


async def test_state_problem_brings_the_invoice_as_it_is(served: Served) -> None:
    """The page can refresh from the refusal itself."""
    await detach(served)

    payload = await detach(served, key="k-2")

    (problem,) = payload["errors"]
    assert problem["code"] == "PAYMENT_NOT_ATTACHED"
    assert problem["__typename"] == "StateProblem"
    assert problem["invoice"] == {"id": PAID, "status": "OPEN"}
    assert payload["invoice"] is None


async def test_stale_precondition_is_refused(served: Served) -> None:
    """Whoever saw another amount decides again."""
    payload = await detach(served, paid=100)

    assert [one["code"] for one in payload["errors"]] == ["STALE_PRECONDITION"]


async def test_attach_detach_attach_returns_to_the_same_totals(served: Served) -> None:
    """Nothing is left behind by going back and forth."""
    query = f'{{ invoice(id: "{PAID}") {{ status amountPaid {{ minorUnits }} }} }}'
    before = await served.data(query)

    await detach(served, key="d-1")
    payment = {"paymentIntentId": "pi_demo_two_b"}
    for round_trip in (1, 2):
        await served.data(ATTACH, invoice=PAID, payment=payment, key=f"a-{round_trip}")
        if round_trip == 1:
            await detach(served, key="d-2")

    assert await served.data(query) == before


async def test_out_of_band_payment_closes_an_open_invoice(served: Served) -> None:
    """The facts of a transfer become a payment record that counts at once."""
    query = '{ invoice(id: "in_demo_open") { amountRemaining { minorUnits currency } } }'
    remaining = (await served.data(query))["invoice"]["amountRemaining"]
    payment = {
        "outOfBand": {
            "amountMinorUnits": remaining["minorUnits"],
            "currency": remaining["currency"],
            "paidAt": "2026-03-01T12:00:00Z",
            "reference": "transfer 42",
        }
    }

    data = await served.data(ATTACH, invoice="in_demo_open", payment=payment, key="k-1")

    payload = data["attachPayment"]
    assert payload["invoice"]["status"] == "PAID"
    assert payload["invoice"]["outOfBandCoverage"] == "FULL"
    assert payload["invoicePayment"]["sourceType"] == "PAYMENT_RECORD"


async def test_a_repeat_with_its_metadata_in_another_order_is_replayed(served: Served) -> None:
    """JSON objects have no order, and many clients write theirs anew for each try."""
    outside = {"amountMinorUnits": 100, "currency": "USD", "paidAt": "2026-03-01T12:00:00Z"}
    entries = [{"key": "po", "value": "7"}, {"key": "desk", "value": "3"}]
    given = [entries, entries[::-1], [*entries, {"key": "note", "value": ""}]]

    payloads = [
        (
            await served.data(
                ATTACH,
                invoice="in_demo_open",
                payment={"outOfBand": {**outside, "metadata": metadata}},
                key="k-1",
            )
        )["attachPayment"]
        for metadata in given
    ]

    assert [one["errors"] for one in payloads] == [[], [], []]
    assert [one["replayed"] for one in payloads] == [False, True, True]
    assert len({one["invoicePayment"]["id"] for one in payloads}) == 1


async def test_write_without_the_answer_read_back_still_succeeds(served: Served) -> None:
    """A payload may ask for nothing but errors."""
    data = await served.data(
        "mutation ($invoice: ID!, $intent: ID!) { detachPayment(input: {invoiceId: $invoice, "
        'paymentIntentId: $intent, idempotencyKey: "k"}) { errors { code } } }',
        invoice=PAID,
        intent="pi_demo_two_b",
    )

    assert data["detachPayment"]["errors"] == []


async def test_two_mutations_in_one_document_run_in_order(served: Served) -> None:
    """GraphQL promises it, and the second sees what the first has done."""
    data = await served.data(
        """
        mutation ($invoice: ID!, $intent: ID!) {
          off: detachPayment(input: {invoiceId: $invoice, paymentIntentId: $intent,
                                     idempotencyKey: "1"}) { invoice { status } }
          on: attachPayment(input: {invoiceId: $invoice, payment: {paymentIntentId: $intent},
                                    idempotencyKey: "2"}) { invoice { status } }
        }
        """,
        invoice=PAID,
        intent="pi_demo_two_b",
    )

    assert data["off"]["invoice"]["status"] == "OPEN"
    assert data["on"]["invoice"]["status"] == "PAID"
