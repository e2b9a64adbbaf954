"""The customer's balance in fixtures: what follows from what is stated, and what contradicts it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.sandbox.fixtures import FixturesRefused
from schema import records
from tests.fixtures_format.small_file import read

CUSTOMER = {"id": "cus_1", "currency": "usd", "balance": 300}


def read_invoice(**stated: Any) -> records.Invoice:
    facts = {"id": "in_1", "customer": "cus_1", "currency": "usd", "status": "open", **stated}
    file = {"customers": [CUSTOMER], "invoices": [facts]}
    return read(file).invoices[0]


@pytest.mark.parametrize(
    ("stated", "due", "starting", "ending"),
    [
        pytest.param({"total": 800}, 800, 0, 0, id="nothing"),
        pytest.param({"total": 800, "starting_balance": -500}, 300, -500, 0, id="credit"),
        pytest.param({"total": 800, "starting_balance": 200}, 1000, 200, 0, id="debit"),
        pytest.param({"total": 800, "amount_due": 300}, 300, -500, 0, id="only_what_is_due"),
        pytest.param(
            {"total": 800, "starting_balance": -500, "ending_balance": -100, "amount_due": 400},
            400,
            -500,
            -100,
            id="all",
        ),
        pytest.param(
            {"total": 800, "starting_balance": -900, "status": "paid"}, 0, -900, -100, id="left"
        ),
        pytest.param({"total": -700, "status": "paid"}, 0, 0, -700, id="below_zero"),
        pytest.param(
            {"total": 800, "starting_balance": -500, "status": "draft"}, 300, -500, None, id="draft"
        ),
    ],
)
def test_balance_and_what_is_due_follow_from_each_other(
    stated: dict[str, Any], due: int, starting: int, ending: int | None
) -> None:
    invoice = read_invoice(**stated)

    told = (invoice.amount_due, invoice.starting_balance, invoice.ending_balance)
    assert told == (due, starting, ending)


def test_a_balance_that_does_not_explain_what_is_due_is_refused() -> None:
    """800 with 500 of credit, all of it spent, leaves 300, not 400."""
    with pytest.raises(FixturesRefused, match="ending_balance"):
        read_invoice(total=800, starting_balance=-500, ending_balance=0, amount_due=400)


def test_a_debit_of_the_customer_is_read() -> None:
    """Above zero in `balance`: they owe it."""
    customer = read({"customers": [CUSTOMER]}).customers[0]

    assert (customer.currency, customer.credit_balance) == ("usd", (("usd", -300),))
