"""Customers, items, invoices, payment records and credit notes: what each operation leaves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.driving import PREVIEW, Api
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


async def test_customers_are_found_by_email(api: Api) -> None:
    """Exactly, as Stripe does."""
    made = await api.made("/v1/customers", {"email": "p@example.com"})

    assert (await api.get("/v1/customers", {"email": "p@example.com"})).ids == [made["id"]]


async def test_a_customer_without_business_is_deleted(stage: Stage, api: Api) -> None:
    """One with invoices is not: the ledger knows no deleted customers."""
    stage.open_invoice(100)

    deleted = await api.send("DELETE", f"/v1/customers/{GLOBEX}")
    refused = await api.send("DELETE", f"/v1/customers/{ACME}")

    assert deleted.body == {"id": GLOBEX, "object": "customer", "deleted": True}
    assert (refused.status, ACME in stage.twin.customers) == (400, True)


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


REPORT = {
    "amount_requested[currency]": "usd",
    "amount_requested[value]": 500,
    "initiated_at": START,
    "payment_method_details[type]": "custom",
}


async def test_only_guaranteed_money_is_attached(stage: Stage, api: Api) -> None:
    """A payment that is under way elsewhere, or failed, has paid nothing."""
    attach = f"/v1/invoices/{stage.open_invoice(500)}/attach_payment"
    record = await api.made("/v1/payment_records/report_payment", REPORT)
    path = f"/v1/payment_records/{record['id']}"

    early = await api.post(attach, {"payment_record": record["id"]})
    await api.made(f"{path}/report_payment_attempt_guaranteed", {"guaranteed_at": START})
    invoice = await api.made(attach, {"payment_record": record["id"]})
    late = await api.post(f"{path}/report_payment_attempt_failed", {"failed_at": START})

    assert (early.status, invoice["status"], late.status) == (400, "paid", 400)


OUTCOMES = ["guaranteed", "failed", "canceled"]


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_the_outcome_of_a_record_moves_its_amount(api: Api, outcome: str) -> None:
    """One of the amounts is the whole, the others are nothing."""
    given = {**REPORT, "outcome": outcome}

    record = await api.made("/v1/payment_records/report_payment", given)

    amounts = {name: record[f"amount_{name}"]["value"] for name in OUTCOMES}
    assert amounts == {**dict.fromkeys(OUTCOMES, 0), outcome: 500}


async def test_a_refund_elsewhere_is_noted(api: Api) -> None:
    """No more than was paid."""
    record = await api.made("/v1/payment_records/report_payment", REPORT)
    path = f"/v1/payment_records/{record['id']}/report_refund"
    given = {"outcome": "refunded", "processor_details[type]": "custom", "amount[currency]": "usd"}

    first = await api.made(path, {**given, "amount[value]": 400})
    second = await api.post(path, {**given, "amount[value]": 200})

    assert first["amount_refunded"] == {"currency": "usd", "value": 400}
    assert (second.status, second.error["code"]) == (400, "amount_too_large")


async def test_facts_of_a_payment_are_attached_in_preview(stage: Stage, api: Api) -> None:
    """`payment_record_data` reports and attaches in one call, or does neither."""
    attach = f"/v1/invoices/{stage.open_invoice(500)}/attach_payment"
    facts = {
        "payment_record_data[amount]": 500,
        "payment_record_data[currency]": "usd",
        "payment_record_data[money_movement_type]": "received",
        "payment_record_data[payment_reference]": "Cheque 9",
    }

    too_much = await api.post(
        attach, {**facts, "payment_record_data[amount]": 501}, version=PREVIEW
    )
    invoice = await api.made(attach, facts, version=PREVIEW)

    records = (await api.get("/v1/payment_records")).body["data"]
    assert (too_much.status, invoice["status"]) == (400, "paid")
    assert [one["processor_details"]["custom"]["payment_reference"] for one in records] == [
        "Cheque 9"
    ]


async def test_a_preview_of_a_credit_note_changes_nothing(stage: Stage, api: Api) -> None:
    """It tells how the note would split."""
    invoice_id, _ = stage.paid_by(1000)

    note = (
        await api.get(
            "/v1/credit_notes/preview",
            {"invoice": invoice_id, "amount": 300, "refund_amount": 300},
        )
    ).body

    assert (note["type"], note["post_payment_amount"]) == ("post_payment", 300)
    assert (await api.get("/v1/credit_notes")).ids == []


async def test_the_parts_of_a_note_must_add_up(stage: Stage, api: Api) -> None:
    """What is given back has to go somewhere."""
    invoice_id, _ = stage.paid_by(1000)

    reply = await api.post("/v1/credit_notes", {"invoice": invoice_id, "amount": 300})

    assert (reply.status, reply.error["param"]) == (400, "amount")


async def test_a_note_on_a_paid_invoice_is_not_voided(stage: Stage, api: Api) -> None:
    """Money that went back cannot be called back."""
    invoice_id, _ = stage.paid_by(1000)
    given = {"invoice": invoice_id, "amount": 300, "credit_amount": 300}
    note = await api.made("/v1/credit_notes", given)

    reply = await api.post(f"/v1/credit_notes/{note['id']}/void")

    assert (reply.status, reply.error["code"]) == (400, "status_transition_invalid")


async def test_a_note_keeps_its_memo_and_metadata(stage: Stage, api: Api) -> None:
    """Both can be changed later."""
    given = {"invoice": stage.open_invoice(1000), "amount": 300, "metadata[a]": "1"}
    note = await api.made("/v1/credit_notes", given)

    changed = await api.made(
        f"/v1/credit_notes/{note['id']}", {"memo": "Sorry", "metadata[b]": "2"}
    )

    assert (changed["memo"], changed["metadata"]) == ("Sorry", {"a": "1", "b": "2"})
