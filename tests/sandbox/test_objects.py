"""Customers, invoice items and invoices: what each operation leaves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.driving import Api
from tests.support.stage import ACME, GLOBEX, Stage
from tests.support.time_and_ids import START

DAY = 86_400


async def test_a_customer_keeps_what_it_was_given(api: Api) -> None:
    """Name and email are the ledger's, the rest is kept beside it."""
    given = {
        "name": "Pebble",
        "email": "p@example.com",
        "phone": "+47 1",
        "address[city]": "Bergen",
    }

    made = await api.made("/v1/customers", given)
    changed = await api.made(f"/v1/customers/{made['id']}", {"name": "Moss", "phone": ""})

    assert (made["phone"], made["address"]["city"]) == ("+47 1", "Bergen")
    assert (changed["name"], changed["email"], changed["phone"]) == ("Moss", "p@example.com", None)


async def test_an_update_of_what_is_kept_is_told(api: Api) -> None:
    """`previous_attributes` names what the ledger does not know as well."""
    made = await api.made("/v1/customers", {"phone": "+47 1", "address[city]": "Bergen"})

    await api.made(f"/v1/customers/{made['id']}", {"phone": "+47 2", "name": "Moss"})

    event = (await api.get("/v1/events", {"type": "customer.updated"})).body["data"][0]
    assert event["data"]["previous_attributes"] == {"phone": "+47 1", "name": None}


async def test_customers_are_found_by_email(api: Api) -> None:
    """Exactly, as Stripe does."""
    made = await api.made("/v1/customers", {"email": "p@example.com"})

    assert (await api.get("/v1/customers", {"email": "p@example.com"})).ids == [made["id"]]


async def test_a_customer_is_deleted_and_its_invoices_stay(stage: Stage, api: Api) -> None:
    """They name it as before, and show it as deleted where it is expanded."""
    invoice_id = stage.open_invoice(100, customer_id=GLOBEX)

    deleted = await api.send("DELETE", f"/v1/customers/{GLOBEX}")
    again = await api.get(f"/v1/customers/{GLOBEX}")
    named = await api.get(f"/v1/invoices/{invoice_id}")
    shown = await api.get(f"/v1/invoices/{invoice_id}", {"expand[]": "customer"})
    refused = await api.send("DELETE", f"/v1/customers/{GLOBEX}")

    assert deleted.body == {"id": GLOBEX, "object": "customer", "deleted": True}
    assert (again.status, again.body) == (200, deleted.body)
    assert named.body["customer"] == GLOBEX
    assert shown.body["customer"] == deleted.body
    assert refused.status == 404
    assert [one.type for one in stage.twin.events][-1] == "customer.deleted"


async def test_a_draft_begins_empty(api: Api) -> None:
    """Amounts come with items; the due date is counted from the creation."""
    draft = await api.made(
        "/v1/invoices",
        {"customer": ACME, "collection_method": "send_invoice", "days_until_due": 30},
    )

    assert (draft["status"], draft["amount_due"], draft["lines"]["data"]) == ("draft", 0, [])
    assert draft["due_date"] == START + 30 * DAY
    assert (draft["currency"], draft["number"]) == ("usd", None)


async def test_items_become_lines(api: Api) -> None:
    """Each item is a line, the sum is what is due, and the line names its item."""
    draft = await api.made("/v1/invoices", {"customer": ACME})

    item = await api.made(
        "/v1/invoiceitems",
        {"invoice": draft["id"], "customer": ACME, "amount": 700, "description": "Kites"},
    )
    await api.made("/v1/invoiceitems", {"invoice": draft["id"], "amount": 300})
    invoice = (await api.get(f"/v1/invoices/{draft['id']}")).body

    line = invoice["lines"]["data"][0]
    assert (invoice["total"], invoice["amount_due"]) == (1000, 1000)
    assert (line["description"], line["parent"]["type"]) == ("Kites", "invoice_item_details")
    assert line["parent"]["invoice_item_details"]["invoice_item"] == item["id"]


async def test_a_deleted_item_takes_its_line_along(api: Api) -> None:
    """Only on a draft: what is finalized stays."""
    draft = await api.made("/v1/invoices", {"customer": ACME})
    kept = await api.made("/v1/invoiceitems", {"invoice": draft["id"], "amount": 700})
    gone = await api.made("/v1/invoiceitems", {"invoice": draft["id"], "amount": 300})

    await api.send("DELETE", f"/v1/invoiceitems/{gone['id']}")
    invoice = await api.made(f"/v1/invoices/{draft['id']}/finalize")
    refused = await api.send("DELETE", f"/v1/invoiceitems/{kept['id']}")

    assert invoice["amount_due"] == 700
    assert (refused.status, refused.error["code"]) == (400, "invoice_not_editable")


async def test_pending_items_wait_for_the_next_invoice(api: Api) -> None:
    """They are taken when it is created with `include`, in its currency only."""
    for amount, code in ((700, "usd"), (300, "eur")):
        await api.made("/v1/invoiceitems", {"customer": ACME, "amount": amount, "currency": code})

    without = await api.made("/v1/invoices", {"customer": ACME})
    invoice = await api.made(
        "/v1/invoices", {"customer": ACME, "pending_invoice_items_behavior": "include"}
    )

    pending = (await api.get("/v1/invoiceitems", {"pending": "true"})).body["data"]
    assert (without["amount_due"], invoice["amount_due"]) == (0, 700)
    assert [one["currency"] for one in pending] == ["eur"]


ITEMS = [
    pytest.param({"amount": 5, "currency": "eur"}, "currency", id="another currency"),
    pytest.param({"amount": 5, "customer": GLOBEX}, "customer", id="another customer"),
    pytest.param({"currency": "usd"}, "amount", id="no amount"),
]


@pytest.mark.parametrize(("given", "param"), ITEMS)
async def test_an_item_must_fit_its_invoice(api: Api, given: dict[str, Any], param: str) -> None:
    """Nothing of it is kept when it does not."""
    draft = await api.made("/v1/invoices", {"customer": ACME})

    reply = await api.post("/v1/invoiceitems", {"invoice": draft["id"], **given})

    assert (reply.status, reply.error["param"]) == (400, param)
    assert (await api.get("/v1/invoiceitems")).ids == []


async def test_an_item_for_a_finalized_invoice_is_refused(stage: Stage, api: Api) -> None:
    """And none is left behind."""
    reply = await api.post("/v1/invoiceitems", {"invoice": stage.open_invoice(), "amount": 5})

    assert (reply.status, reply.error["code"]) == (400, "invoice_not_editable")
    assert (await api.get("/v1/invoiceitems")).ids == []


async def test_a_finalized_invoice_keeps_its_terms(stage: Stage, api: Api) -> None:
    """Notes on it can still be changed."""
    path = f"/v1/invoices/{stage.open_invoice()}"

    refused = await api.post(path, {"days_until_due": 5})
    changed = await api.made(path, {"metadata[order]": "7", "footer": "Thanks"})

    assert (refused.status, refused.error["code"]) == (400, "invoice_not_editable")
    assert (changed["metadata"], changed["footer"]) == ({"order": "7"}, "Thanks")


async def test_numbers_count_per_customer(stage: Stage, api: Api) -> None:
    """The prefix is the customer's, the count goes up."""
    numbers = []
    for _ in range(2):
        path = f"/v1/invoices/{stage.draft(100)}/finalize"
        numbers.append((await api.made(path))["number"])

    assert numbers == ["ACME-0001", "ACME-0002"]


STEPS = [
    pytest.param("void", "void", "voided_at", id="void"),
    pytest.param(
        "mark_uncollectible", "uncollectible", "marked_uncollectible_at", id="uncollectible"
    ),
    pytest.param("pay", "paid", "paid_at", id="pay"),
]


@pytest.mark.parametrize(("step", "status", "transition"), STEPS)
async def test_an_open_invoice_takes_a_step(
    stage: Stage, api: Api, step: str, status: str, transition: str
) -> None:
    """Each step leaves its mark, and cannot be taken twice."""
    path = f"/v1/invoices/{stage.open_invoice(100)}/{step}"

    invoice = await api.made(path)
    again = await api.post(path)

    assert invoice["status"] == status
    assert invoice["status_transitions"][transition] == stage.clock.now()
    assert (again.status, again.error["type"]) == (400, "invalid_request_error")


async def test_a_draft_is_finalized_when_it_is_sent(stage: Stage, api: Api) -> None:
    """Sending is announced."""
    invoice = await api.made(f"/v1/invoices/{stage.draft(100)}/send")

    events = (await api.get("/v1/events", {"type": "invoice.sent"})).body["data"]
    assert (invoice["status"], len(events)) == ("open", 1)


async def test_only_drafts_are_deleted(stage: Stage, api: Api) -> None:
    """The answer is a stub of the object."""
    draft, opened = stage.draft(100), stage.open_invoice(100)

    deleted = await api.send("DELETE", f"/v1/invoices/{draft}")
    refused = await api.send("DELETE", f"/v1/invoices/{opened}")

    assert deleted.body == {"id": draft, "object": "invoice", "deleted": True}
    assert (refused.status, opened in stage.twin.invoices) == (400, True)


async def test_an_overpayment_is_the_customers_credit(stage: Stage, api: Api) -> None:
    """In the customer's favour is below zero in `balance`."""
    invoice_id, late = stage.open_invoice(1000), stage.intent(1000)
    stage.twin.attach(invoice_id, late)
    stage.twin.attach(invoice_id, stage.succeeded(400))
    stage.twin.progress(late, "succeeded")

    customer = (await api.get(f"/v1/customers/{ACME}")).body
    invoice = (await api.get(f"/v1/invoices/{invoice_id}")).body

    assert (invoice["amount_paid"], invoice["amount_overpaid"]) == (1000, 400)
    assert (customer["balance"], customer["invoice_credit_balance"]) == (-400, {"usd": 400})


async def test_balance_is_set_and_met_by_the_next_invoice(stage: Stage, api: Api) -> None:
    """Below zero is credit; before the customer has a currency it is in the account's."""
    set_to = await api.send("POST", f"/v1/customers/{ACME}", {"balance": "-500"})
    invoice = (await api.get(f"/v1/invoices/{stage.open_invoice(800)}")).body
    customer = (await api.get(f"/v1/customers/{ACME}")).body

    assert (set_to.body["balance"], set_to.body["currency"]) == (-500, "usd")
    assert (invoice["starting_balance"], invoice["ending_balance"]) == (-500, 0)
    assert (invoice["amount_due"], customer["balance"]) == (300, 0)
