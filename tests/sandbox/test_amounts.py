"""Amounts that a currency cannot move, in Stripe's codes.

Source: https://docs.stripe.com/currencies and https://docs.stripe.com/error-codes.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.driving import Api
from tests.support.stage import ACME, Stage

NO_DECIMAL = "invalid_charge_amount_no_decimal_compatible"

INTENTS = [
    pytest.param(150, "isk", NO_DECIMAL, id="isk"),
    pytest.param(199, "ugx", NO_DECIMAL, id="ugx"),
    pytest.param(5124, "kwd", "invalid_charge_amount", id="kwd"),
    pytest.param(49, "usd", "amount_too_small", id="usd"),
    pytest.param(299, "sek", "amount_too_small", id="sek"),
]


@pytest.mark.parametrize(("amount", "currency", "code"), INTENTS)
async def test_an_intent_must_be_chargeable(
    stage: Stage, api: Api, amount: int, currency: str, code: str
) -> None:
    """When it is made, and when it is changed."""
    given = {"amount": amount, "currency": currency, "customer": ACME}
    intent_id = stage.intent(10_000, currency=currency)

    made = await api.send("POST", "/v1/payment_intents", given)
    changed = await api.send("POST", f"/v1/payment_intents/{intent_id}", {"amount": amount})

    for refused in (made, changed):
        told = (refused.status, refused.error["code"], refused.error["param"])
        assert told == (400, code, "amount")
    assert stage.twin.intent(intent_id).amount == 10_000


async def test_an_intent_cannot_change_to_a_currency_that_does_not_move_its_amount(
    stage: Stage, api: Api
) -> None:
    reply = await api.send("POST", f"/v1/payment_intents/{stage.intent(150)}", {"currency": "isk"})

    assert (reply.status, reply.error["code"]) == (400, NO_DECIMAL)


async def test_a_payment_outside_has_steps_and_no_minimum(stage: Stage, api: Api) -> None:
    """Half a krona does not exist, one krona in cash does."""

    def reported(value: int) -> dict[str, Any]:
        return {
            "amount_requested[currency]": "isk",
            "amount_requested[value]": value,
            "initiated_at": 1,
            "outcome": "guaranteed",
            "guaranteed[guaranteed_at]": 1,
            "payment_method_details[type]": "custom",
            "payment_method_details[custom][display_name]": "In cash",
        }

    refused = await api.send("POST", "/v1/payment_records/report_payment", reported(50))
    taken = await api.send("POST", "/v1/payment_records/report_payment", reported(100))

    assert (refused.status, refused.error["code"]) == (400, NO_DECIMAL)
    assert taken.status == 200


async def test_a_refund_has_steps(stage: Stage, api: Api) -> None:
    """Of a credit note, in the parameter that states it."""
    invoice_id = stage.open_invoice(1000, currency="isk")
    stage.twin.attach(invoice_id, stage.intent(1000, currency="isk", status="succeeded"))

    given = {"invoice": invoice_id, "amount": 150, "refund_amount": 150}
    reply = await api.send("POST", "/v1/credit_notes", given)

    told = (reply.status, reply.error["code"], reply.error["param"])
    assert told == (400, NO_DECIMAL, "refund_amount")


async def test_too_little_is_carried_over(stage: Stage, api: Api) -> None:
    """30 cents are paid at once, and owed."""
    invoice = (await api.get(f"/v1/invoices/{stage.open_invoice(30)}")).body
    customer = (await api.get(f"/v1/customers/{ACME}")).body

    assert (invoice["status"], invoice["amount_due"], invoice["total"]) == ("paid", 0, 30)
    assert (invoice["ending_balance"], customer["balance"]) == (30, 30)
