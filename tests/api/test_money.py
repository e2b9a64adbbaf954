"""Money is exact in every form, in every currency."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.running import Running
from tests.support.stage import ACME

MONEY = "query ($id: ID!) { invoice(id: $id) { total { minorUnits currency exponent decimal } } }"


@pytest.mark.parametrize(
    ("currency", "amount", "exponent", "decimal"),
    [
        pytest.param("usd", 1299, 2, "12.99", id="two decimals"),
        pytest.param("jpy", 1299, 0, "1299", id="zero decimals"),
        pytest.param("kwd", 12990, 3, "12.990", id="three decimals"),
        pytest.param("mga", 500, 0, "500", id="zero at Stripe though ISO says two"),
        pytest.param("isk", 500, 2, "5.00", id="two at Stripe though ISO says zero"),
        pytest.param("ugx", 500, 2, "5.00", id="two at Stripe, zero-decimal in its list"),
        pytest.param("huf", 1045, 2, "10.45", id="zero for payouts only"),
        pytest.param("usd", 2**31, 2, "21474836.48", id="beyond GraphQL's Int"),
        pytest.param("usd", 2**53 - 1, 2, "90071992547409.91", id="the last exact number"),
    ],
)
async def test_amounts_are_exact(currency: str, amount: int, exponent: int, decimal: str) -> None:
    """Stripe's own digits for each currency, and no float on the way."""
    running = Running()
    invoice_id = running.stage.draft(amount, currency=currency)

    body = await running.ask(MONEY, id=invoice_id)

    assert body["data"]["invoice"]["total"] == {
        "minorUnits": amount,
        "currency": currency.upper(),
        "exponent": exponent,
        "decimal": decimal,
    }


async def test_amount_beyond_the_exact_range_is_an_error() -> None:
    """Never a rounding: what a JSON reader would bend is not sent."""
    running = Running()
    invoice_id = running.stage.draft(2**53)

    body = await running.ask(MONEY, id=invoice_id)

    assert body["data"] == {"invoice": None}
    assert "exact range" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    ("locale", "currency", "amount", "shown"),
    [
        pytest.param("en", "usd", 129900, "$1,299.00", id="English"),
        pytest.param("de-DE", "eur", 129900, "1.299,00\u00a0€", id="German"),
        pytest.param("ja-JP", "jpy", 1299, "￥1,299", id="Japanese"),
        pytest.param("en", "kwd", 12990, "KWD\u00a012.990", id="three decimals"),
        pytest.param("en", "isk", 500, "ISK\u00a05.00", id="Stripe's digits, not the locale's"),
        pytest.param("en-US-u-hc-h12", "usd", 129900, "$1,299.00", id="with a clock's extension"),
        pytest.param("de-DE-u-co-phonebk", "eur", 129900, "1.299,00\u00a0€", id="with an order"),
        pytest.param("de-CH-1996", "chf", 129900, "CHF\u00a01\u2019299.00", id="with a variant"),
        pytest.param("DE-de", "eur", 129900, "1.299,00\u00a0€", id="in another case"),
        pytest.param("de_DE", "eur", 129900, "1.299,00\u00a0€", id="with an underscore"),
        pytest.param("zh-Hant-TW", "usd", 129900, "US$1,299.00", id="with a script"),
        pytest.param("zh-cmn-Hans-CN", "usd", 129900, "US$1,299.00", id="with an extlang"),
        pytest.param("es-419", "usd", 129900, "USD\u00a01,299.00", id="a region by its number"),
        pytest.param("de-x-desk", "eur", 129900, "1.299,00\u00a0€", id="with a private part"),
        pytest.param("de-ZZ", "eur", 129900, "1.299,00\u00a0€", id="unknown region"),
        pytest.param("xx-YY", "usd", 129900, "$1,299.00", id="unknown language"),
        pytest.param("i-klingon", "usd", 129900, "$1,299.00", id="grandfathered"),
        pytest.param("x-desk", "usd", 129900, "$1,299.00", id="private"),
        pytest.param("*", "usd", 129900, "$1,299.00", id="any"),
        pytest.param("", "usd", 129900, "$1,299.00", id="empty"),
        pytest.param("en-" + "x" * 10_000, "usd", 129900, "$1,299.00", id="endless"),
    ],
)
async def test_formatted_speaks_the_callers_locale(
    locale: str, currency: str, amount: int, shown: str
) -> None:
    """Grouping, symbol and order are the locale's, the digits are Stripe's. What is about looks
    never costs the invoice: what is not known falls back."""
    running = Running()
    invoice_id = running.stage.draft(amount, currency=currency)

    body = await running.ask(
        "query ($id: ID!, $locale: String!) { invoice(id: $id) { total { "
        "formatted(locale: $locale) } } }",
        id=invoice_id,
        locale=locale,
    )

    formatted = body["data"]["invoice"]["total"]["formatted"]
    assert formatted.replace("¥", "¥") == shown.replace("¥", "¥")


ATTACH = """
mutation ($invoice: ID!, $intent: ID!, $amount: MinorUnits) {
  attachPayment(input: {invoiceId: $invoice, payment: {paymentIntentId: $intent},
    amountRequestedMinorUnits: $amount, idempotencyKey: "k"}) { errors { code } }
}
"""


@pytest.mark.parametrize(
    "amount",
    [
        pytest.param(1.0, id="1.0"),
        pytest.param(1e3, id="1e3"),
        pytest.param(1.5, id="fraction"),
        pytest.param("1000", id="string"),
        pytest.param("01", id="string with a zero"),
        pytest.param(True, id="boolean"),
        pytest.param(2**53, id="2^53"),
        pytest.param(-(2**53), id="-2^53"),
        pytest.param([1], id="list"),
    ],
)
async def test_inexact_amounts_are_refused_as_input(amount: Any) -> None:
    """A float that looks whole is still a float, and a string is no number."""
    running = Running()

    body = await running.ask(ATTACH, invoice="in_1", intent="pi_1", amount=amount)

    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "MinorUnits must" in body["errors"][0]["message"]


@pytest.mark.parametrize("literal", ["1.0", "1e3", '"1000"', "-0", str(2**53), "true"])
async def test_inexact_literals_are_refused(literal: str) -> None:
    """The same in the document itself."""
    running = Running()

    body = await running.ask(
        ATTACH.replace("$amount,", f"{literal},").replace(", $amount: MinorUnits", ""),
        invoice="in_1",
        intent="pi_1",
    )

    assert "MinorUnits must" in body["errors"][0]["message"]


@pytest.mark.parametrize("amount", [2**31, 2**53 - 1])
async def test_large_exact_amounts_are_taken(amount: int) -> None:
    """Beyond 32 bits is ordinary in small-unit currencies."""
    running = Running()
    invoice_id = running.stage.open_invoice(amount, currency="vnd")
    intent_id = running.stage.succeeded(amount, customer_id=ACME, currency="vnd")

    body = await running.ask(ATTACH, invoice=invoice_id, intent=intent_id, amount=amount)

    assert body["data"]["attachPayment"]["errors"] == []
