"""The controls of a demonstration keep the rules of the ledger, which they are done through."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.memory.twin import Twin
from gateway.sandbox.demo import ACTIONS, act
from gateway.sandbox.fixtures import seed
from schema.ports import Refused
from tests.support.time_and_ids import CountingIds, ManualClock


@pytest.fixture
def twin() -> Twin:
    """An account with the demo data."""
    twin = Twin(now=ManualClock(1_798_761_600).now, new_id=CountingIds().new)
    seed(twin, None)
    return twin


def test_an_added_invoice_is_open_and_asks_for_its_amount(twin: Twin) -> None:
    given = {"customerId": "cus_demo_acme", "currency": "usd", "amountMinorUnits": 7550}

    invoice_id = act(twin, "add-invoice", given)

    invoice = twin.invoice(invoice_id or "")
    assert (invoice.status, invoice.amount_remaining, invoice.number) == (
        "open",
        7550,
        "CONSOLE-0013",
    )
    assert [line.amount for line in twin.lines[invoice.id]] == [7550]


def test_an_intent_fails_and_then_succeeds(twin: Twin) -> None:
    """It is told both times, and a failure leaves it as it was."""
    intent = {"paymentIntentId": "pi_demo_partly_paid_default"}

    act(twin, "settle", {**intent, "outcome": "failed"})
    failed = twin.intent("pi_demo_partly_paid_default").status
    act(twin, "settle", {**intent, "outcome": "succeeded"})

    told = [event.type for event in twin.events if event.type.startswith("payment_intent.")]
    assert failed == "requires_payment_method"
    assert told[-3:] == [
        "payment_intent.processing",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
    ]
    assert twin.invoice("in_demo_partly_paid").status == "paid"


def test_a_race_pays_twice(twin: Twin) -> None:
    """What is beyond the amount due is the customer's."""
    act(twin, "overpay", {"invoiceId": "in_demo_open"})

    invoice = twin.invoice("in_demo_open")
    assert (invoice.status, invoice.amount_overpaid) == ("paid", invoice.amount_due)
    assert "invoice.payment.overpaid" in {event.type for event in twin.events}


def test_money_from_elsewhere_pays_the_rest(twin: Twin) -> None:
    act(twin, "pay-out-of-band", {"invoiceId": "in_demo_partly_paid"})

    assert twin.invoice("in_demo_partly_paid").status == "paid"


def test_what_was_received_can_be_attached(twin: Twin) -> None:
    intent_id = act(twin, "receive", {"invoiceId": "in_demo_open", "amountMinorUnits": 9900})

    twin.attach("in_demo_open", intent_id or "")

    assert twin.invoice("in_demo_open").status == "paid"


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("add-invoice", {"customerId": "cus_nobody", "currency": "usd", "amountMinorUnits": 1}),
        ("add-invoice", {"customerId": "cus_demo_acme", "currency": "xyz", "amountMinorUnits": 1}),
        ("add-invoice", {"customerId": "cus_demo_acme", "currency": "usd", "amountMinorUnits": 0}),
        ("receive", {"invoiceId": "in_demo_open", "amountMinorUnits": True}),
        ("settle", {"paymentIntentId": "pi_demo_free_unpaid", "outcome": "lost"}),
        ("overpay", {"invoiceId": 7}),
    ],
)
def test_what_cannot_be_understood_changes_nothing(
    twin: Twin, action: str, given: dict[str, Any]
) -> None:
    before = twin.changes

    with pytest.raises(ValueError, match="must be"):
        act(twin, action, given)

    assert twin.changes == before


def test_rules_of_the_ledger_stand(twin: Twin) -> None:
    """An invoice that is paid cannot be paid again, and nothing is made for it."""
    before = twin.changes

    with pytest.raises(Refused):
        act(twin, "overpay", {"invoiceId": "in_demo_paid_by_two"})
    with pytest.raises(Refused):
        act(twin, "pay-out-of-band", {"invoiceId": "in_demo_paid_by_two"})
    with pytest.raises(Refused):
        act(twin, "settle", {"paymentIntentId": "pi_demo_two_a", "outcome": "succeeded"})

    assert twin.changes == before


def test_there_are_no_others(twin: Twin) -> None:
    assert act(twin, "refund", {}) is None
    assert len(ACTIONS) == 5
