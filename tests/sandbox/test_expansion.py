"""Expansion: what can be put in, how deep, and how the refusal reads."""

from __future__ import annotations

import pytest

from tests.sandbox.driving import Api
from tests.support.stage import ACME, Stage

TOO_DEEP = "You cannot expand more than 4 levels of a property."

REFUSED = [
    pytest.param("/v1/invoices", "data.payments.data.payment.payment_intent", TOO_DEEP, id="5"),
    pytest.param("/v1/invoices", "a.b.c.d.e", TOO_DEEP, id="depth before meaning"),
    pytest.param(
        "/v1/invoices/{invoice}",
        "payments.data.payment.payment_intent.latest_charge",
        TOO_DEEP,
        id="5 on one",
    ),
    pytest.param(
        "/v1/invoices/{invoice}",
        "amount_due",
        "This property cannot be expanded (amount_due).",
        id="a plain field",
    ),
    pytest.param(
        "/v1/invoices/{invoice}",
        "automatic_tax",
        "This property cannot be expanded (automatic_tax).",
        id="a hash",
    ),
    pytest.param(
        "/v1/invoices",
        "customer",
        "This property cannot be expanded (customer). You may want to try expanding "
        "'data.customer' instead.",
        id="a list without data",
    ),
    pytest.param(
        "/v1/invoice_payments",
        "data.payment.nothing",
        "This property cannot be expanded (data.payment.nothing).",
        id="nothing of that name",
    ),
]


@pytest.mark.parametrize(("path", "expand", "message"), REFUSED)
async def test_a_path_that_leads_nowhere_is_refused(
    stage: Stage, api: Api, path: str, expand: str, message: str
) -> None:
    """The messages are Stripe's own, word for word, as clients match on them."""
    path = path.format(invoice=stage.open_invoice())

    reply = await api.get(path, {"expand[]": expand})

    assert (reply.status, reply.error["message"]) == (400, message)


ALLOWED = [
    pytest.param("/v1/invoices", "data.payments", id="payments on a list"),
    pytest.param("/v1/invoices", "data.payments.data.invoice", id="4 on a list"),
    pytest.param("/v1/invoices/{invoice}", "payments.data.payment.payment_intent", id="4 on one"),
    pytest.param("/v1/invoices/{invoice}", "confirmation_secret", id="the secret"),
    pytest.param("/v1/invoices/{invoice}", "amount_paid_off_stripe", id="paid elsewhere"),
    pytest.param("/v1/invoices/{invoice}", "default_payment_method", id="what is null"),
    pytest.param("/v1/invoices", "data.lines", id="what is there already"),
    pytest.param("/v1/invoice_payments", "data.payment.payment_intent", id="3"),
    pytest.param("/v1/invoice_payments", "data.payment.payment_intent.latest_charge", id="4"),
    pytest.param(
        "/v1/invoice_payments", "data.payment.payment_intent.customer", id="4, a customer"
    ),
]


@pytest.mark.parametrize(("path", "expand"), ALLOWED)
async def test_four_levels_can_be_expanded(stage: Stage, api: Api, path: str, expand: str) -> None:
    """Every segment counts, `data` included."""
    path = path.format(invoice=stage.open_invoice())

    reply = await api.get(path, {"expand[]": expand})

    assert reply.status == 200


async def test_nothing_is_included_without_being_asked_for(stage: Stage, api: Api) -> None:
    """Payments and secrets are absent, not null."""
    invoice = (await api.get(f"/v1/invoices/{stage.open_invoice()}")).body

    assert not {"payments", "confirmation_secret", "amount_paid_off_stripe"} & set(invoice)
    assert invoice["customer"] == ACME


async def test_expansions_of_one_object_add_up(stage: Stage, api: Api) -> None:
    """Two paths below the same list do not undo each other."""
    invoice_id = stage.open_invoice()
    expand = ("payments.data.payment.payment_intent", "payments.data.invoice", "customer")

    invoice = (
        await api.get(
            f"/v1/invoices/{invoice_id}",
            {f"expand[{at}]": path for at, path in enumerate(expand)},
        )
    ).body

    payment = invoice["payments"]["data"][0]
    assert payment["payment"]["payment_intent"]["object"] == "payment_intent"
    assert (payment["invoice"]["id"], invoice["customer"]["id"]) == (invoice_id, ACME)


async def test_what_a_post_answers_can_be_expanded(stage: Stage, api: Api) -> None:
    """One call attaches and shows what the invoice became."""
    invoice_id = stage.open_invoice(1000)

    invoice = await api.made(
        f"/v1/invoices/{invoice_id}/attach_payment",
        {"payment_intent": stage.succeeded(400), "expand[]": "payments"},
    )

    assert [one["amount_requested"] for one in invoice["payments"]["data"]] == [400, 600]


async def test_a_bad_path_changes_nothing(stage: Stage, api: Api) -> None:
    """The path is looked at before the work is done."""
    invoice_id = stage.open_invoice(1000)

    reply = await api.post(
        f"/v1/invoices/{invoice_id}/attach_payment",
        {"payment_intent": stage.succeeded(400), "expand[]": "surprise"},
    )

    assert (reply.status, stage.twin.invoice(invoice_id).amount_paid) == (400, 0)


async def test_a_sub_list_holds_ten(stage: Stage, api: Api) -> None:
    """Of many payments ten are shown, newest first; the rest is in their own list."""
    invoice_id, _ = stage.paid_by(*[100] * 11)

    invoice = (await api.get(f"/v1/invoices/{invoice_id}", {"expand[]": "payments"})).body
    listed = await api.get("/v1/invoice_payments", {"invoice": invoice_id, "limit": 100})

    payments = invoice["payments"]
    assert (len(payments["data"]), payments["has_more"]) == (10, True)
    assert [one["id"] for one in payments["data"]] == listed.ids[:10]
    assert payments["url"] == f"/v1/invoices/{invoice_id}/payments"


async def test_the_confirmation_secret_is_the_default_intents(stage: Stage, api: Api) -> None:
    """Where nothing is left to confirm, there is none."""
    opened, paid = stage.open_invoice(1000), stage.paid_by(1000)[0]
    expand = {"expand[]": "confirmation_secret"}

    of_opened = (await api.get(f"/v1/invoices/{opened}", expand)).body
    of_paid = (await api.get(f"/v1/invoices/{paid}", expand)).body

    default = stage.twin.book(opened).payments[0].source_id
    intent = (await api.get(f"/v1/payment_intents/{default}")).body
    assert of_opened["confirmation_secret"]["client_secret"] == intent["client_secret"]
    assert of_paid["confirmation_secret"] is None
